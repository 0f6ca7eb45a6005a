"""Plant errors in a corpus, audit it, and score the audit against the truth.

python tools/study/audit.py MANIFEST --swap 0.3 --epochs 20         by networks of its own
python tools/study/audit.py MANIFEST --swap 0.3 --checkpoint C      by a given recogniser

The truth never reaches the audit.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from scipy.stats import rankdata

from ctcasr.audit import CrossFitted, LineVerdict, Training, cross_fit, judge, listen
from ctcasr.audit.kinds import SWAPPED
from ctcasr.audit.result import SUSPECTED, line_number
from ctcasr.audit.scorer import Spelling
from ctcasr.audit.verdicts import Judged
from ctcasr.batch import Utterance
from ctcasr.data import read_manifest
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.text import Tokenizer, make_tokenizer
from tools.study.mislabel import ALIKE, Shares, Truth, add_sounds, plant, sounds_of

BINS = ((0.0, 0.1), (0.1, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.01))  # of posteriors


def main() -> None:
    """Plant, audit, score; a line of JSON."""
    arguments = parsed()
    shares = Shares(**{name: getattr(arguments, name) for name in asdict(Shares())})
    lines = read_manifest(arguments.manifest).utterances
    planted, truths = plant(lines, shares, arguments.seed, sounds_of(arguments))
    begun_s = time.process_time()
    fitted, tokenizer = heard_by(arguments, planted)
    heard_s = time.process_time()
    judged = judge(fitted.heard, Spelling(tokenizer))
    judged_s = time.process_time()
    scores = score(judged, fitted, truths)
    planted_shares = {name: value for name, value in asdict(shares).items() if value}
    line = {
        "manifest": Path(arguments.manifest).parent.name,
        **planted_shares,
        "seed": arguments.seed,
        "epochs": arguments.epochs,
        "doubt": not arguments.believe,
        "splice": arguments.splice,
        "folds": arguments.folds,
        "rounds": arguments.rounds,
        "trained_s": round(heard_s - begun_s),
        "judged_s": round(judged_s - heard_s),
        **scores,
    }
    print(json.dumps(line), flush=True)


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("manifest")
    for name in asdict(Shares()):
        parser.add_argument(f"--{name}", type=float, default=0.0, metavar="SHARE")
    add_sounds(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--net", default="default")
    parser.add_argument("--star", default=Training().star)
    parser.add_argument("--splice", type=float, default=Training().splice)
    parser.add_argument("--believe", action="store_true", help="texts, without models of words")
    parser.add_argument("--folds", type=int, default=Training().folds)
    parser.add_argument("--rounds", type=int, default=Training().rounds)
    parser.add_argument("--checkpoint", help="a recogniser that did not learn the manifest")
    return parser.parse_args()


def heard_by(
    arguments: argparse.Namespace, planted: Sequence[Utterance]
) -> tuple[CrossFitted, Tokenizer]:
    """What is heard in each line: by a checkpoint, or by new recognisers."""
    if arguments.checkpoint:
        recogniser = Recogniser.load_checkpoint(arguments.checkpoint)
        heard, skipped = listen(recogniser, planted)
        return CrossFitted(heard, skipped), recogniser.tokenizer
    tokenizer = make_tokenizer("english38", [])
    training = Training(
        net=arguments.net,
        star=arguments.star,
        doubt=not arguments.believe,
        splice=arguments.splice,
        folds=arguments.folds,
        rounds=arguments.rounds,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        device="cpu",
    )
    return cross_fit(planted, tokenizer, training), tokenizer


@dataclass
class Marks:
    """Posteriors, and whether what they are of is truly wrong."""

    posteriors: list[float] = field(default_factory=list)
    wrong: list[bool] = field(default_factory=list)

    def add(self, posterior: float, wrong: bool) -> None:
        """One more."""
        self.posteriors.append(posterior)
        self.wrong.append(wrong)

    @property
    def values(self) -> np.ndarray:
        """The posteriors as an array."""
        return np.array(self.posteriors, dtype=np.float64)

    @property
    def truth(self) -> np.ndarray:
        """What is wrong, as an array."""
        return np.array(self.wrong, dtype=bool)


def score(judged: Judged, fitted: CrossFitted, truths: Sequence[Truth]) -> dict[str, Any]:
    """Separation, precision, partners, kinds and calibration, of lines and of words."""
    pairs = []
    for verdict in judged.lines:
        number = line_number(verdict.heard.utterance)
        pairs.append((verdict, truths[number - 1]))
    noise = judged.words
    shares = [
        noise.substituted,
        noise.superfluous,
        noise.missing,
        judged.texts.swapped,
    ]
    return {
        **score_lines(pairs),
        "baseline": baseline(fitted, truths),
        "confusion": confusion(pairs),
        **score_words(pairs),
        "fitted": [round(share, 4) for share in shares],
        "trust": [noise.trust, judged.texts.trust],
        "worth": asdict(judged.worth),
    }


def score_lines(pairs: Sequence[tuple[LineVerdict, Truth]]) -> dict[str, Any]:
    """How well wrong lines are told from right ones, and how often a swap's partner is named."""
    lines = Marks()
    losses = Marks()
    swaps = Marks()  # by the posterior of this kind alone
    partners = []
    for verdict, truth in pairs:
        wrong = truth.kind != "right"
        lines.add(verdict.wrong, wrong)
        losses.add(verdict.nats_per_symbol, wrong)
        swaps.add(verdict.kinds[SWAPPED], truth.kind == "swapped")
        if truth.kind == "swapped":
            partners.append(verdict.partner == truth_text(truth))
    suspected = lines.values >= SUSPECTED
    scores: dict[str, Any] = {
        "lines": len(pairs),
        "wrong": int(lines.truth.sum()),
        "suspected": int(suspected.sum()),
        "expected": round(float(lines.values.sum()), 1),
        "line_auc": area(lines.values, lines.truth),
        "precision_at_n": precision_at(lines.values, lines.truth),
        "auc_crossfit_loss": area(losses.values, losses.truth),
        "calibration": calibration(lines.values, lines.truth),
    }
    if partners:
        scores["partner_named"] = round(float(np.mean(partners)), 4)
        scores["swap_auc"] = area(swaps.values, swaps.truth)
        scores["swap_precision_at_n"] = precision_at(swaps.values, swaps.truth)
    return scores


def score_words(pairs: Sequence[tuple[LineVerdict, Truth]]) -> dict[str, Any]:
    """The same of words, of gaps in which words are missing, and of letters that sound alike."""
    words = Marks()
    gaps = Marks()
    alike = Marks()
    for verdict, truth in pairs:
        if truth.kind == "swapped":  # which of its words the other text has too is not known
            continue
        for word in verdict.words:
            if not word.written:
                gaps.add(word.wrong, word.place in truth.missing)
                continue
            reason = truth.wrong[word.place]
            if reason != "alike":
                words.add(word.wrong, bool(reason))
            if word.written.upper() in ALIKE and reason in ("", "alike"):
                alike.add(word.wrong, bool(reason))
    scores: dict[str, Any] = {
        "word_auc": area(words.values, words.truth),
        "gap_auc": area(gaps.values, gaps.truth),
        "word_calibration": calibration(words.values, words.truth),
    }
    if alike.truth.any():
        scores["alike"] = [int(alike.truth.sum()), area(alike.values, alike.truth)]
    return scores


def truth_text(truth: Truth) -> str:
    """The text that truly belongs to a line, as the alphabet writes it."""
    return truth.text.lower()


def area(values: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve: how often a wrong one ranks above a right one; ties count half."""
    if not positive.any() or positive.all():
        return None
    ranks = rankdata(values)
    hits = int(positive.sum())
    misses = len(values) - hits
    least = hits * (hits + 1) / 2
    above = float(ranks[positive].sum()) - least
    return round(above / (hits * misses), 4)


def precision_at(values: np.ndarray, positive: np.ndarray) -> float | None:
    """Share of wrong ones among as many as are wrong, by rank."""
    count = int(positive.sum())
    if not count:
        return None
    highest_first = np.argsort(-values, kind="stable")
    chosen = positive[highest_first[:count]]
    return round(float(chosen.mean()), 4)


def calibration(values: np.ndarray, positive: np.ndarray) -> dict[str, list[float]]:
    """Of bins of posteriors: how many, their mean, and the share that is wrong."""
    bins = {}
    for low, high in BINS:
        inside = (values >= low) & (values < high)
        if not inside.any():
            continue
        count = int(inside.sum())
        mean = float(values[inside].mean())
        share = float(positive[inside].mean())
        name = f"{low:g}-{min(high, 1):g}"
        bins[name] = [count, round(mean, 3), round(share, 3)]
    return bins


def confusion(pairs: Sequence[tuple[LineVerdict, Truth]]) -> dict[str, dict[str, int]]:
    """What lines of each true kind were called."""
    table: dict[str, Counter[str]] = {}
    for verdict, truth in pairs:
        called = table.setdefault(true_kind(truth), Counter())
        called[verdict.kind] += 1
    return {kind: dict(counts) for kind, counts in sorted(table.items())}


def true_kind(truth: Truth) -> str:
    """The kind of a line; of one with wrong words theirs, or "several"."""
    if truth.kind != "words":
        return truth.kind
    kinds = {reason for reason in truth.wrong if reason}
    if truth.missing:
        kinds.add("missing")
    if len(kinds) == 1:
        return kinds.pop()
    return "several"


def baseline(fitted: CrossFitted, truths: Sequence[Truth]) -> dict[str, float | None]:
    """Area by plain loss per symbol of the models that learn the lines: best epoch and last."""
    is_wrong = {str(truth.line): truth.kind != "right" for truth in truths}
    wrong = []
    losses = []
    for name in sorted(fitted.dynamics):
        place = name.split(" ")[0]  # FILE:LINE
        line = place.rpartition(":")[2]
        wrong.append(is_wrong[line])
        losses.append(fitted.dynamics[name])
    areas = []
    for of_epoch in zip(*losses, strict=False):  # lines may have been learnt for fewer epochs
        areas.append(area(np.array(of_epoch), np.array(wrong)) or 0.0)
    if not areas:
        return {}
    best = int(np.argmax(areas))
    return {"best": areas[best], "epoch": best + 1, "last": areas[-1]}


if __name__ == "__main__":
    main()
