"""Plant errors in a corpus, audit it, and score the audit against the truth.

python tools/study/audit.py MANIFEST --swap 0.3 --epochs 20 --keep FILE     train, judge, score
python tools/study/audit.py MANIFEST --swap 0.3 --heard FILE                judge and score anew

The truth never reaches the audit. With --keep, what the recognisers heard is kept, so that judging
can be repeated in seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch

from ctcasr.audit import CrossFitted, Heard, Training, cross_fit, judge
from ctcasr.audit.scorer import Spelling
from ctcasr.audit.verdicts import Judged
from ctcasr.batch import Utterance
from ctcasr.data import read_manifest
from ctcasr.text import Tokenizer, make_tokenizer
from tools.study.mislabel import Shares, Truth, plant


def main() -> None:
    """Plant, audit, score; a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("manifest")
    for name in asdict(Shares()):
        parser.add_argument(f"--{name}", type=float, default=0.0, metavar="SHARE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--net", default="default")
    parser.add_argument("--star", default=Training().star)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--heard", type=Path)
    arguments = parser.parse_args()
    shares = Shares(**{name: getattr(arguments, name) for name in asdict(Shares())})
    lines = read_manifest(arguments.manifest).utterances
    planted, truths = plant(lines, shares, arguments.seed)
    tokenizer = make_tokenizer("english38", [])
    begun_s = time.process_time()
    if arguments.heard:
        fitted = restored(torch.load(arguments.heard, weights_only=True), planted, tokenizer)
    else:
        training = Training(
            net=arguments.net,
            star=arguments.star,
            epochs=arguments.epochs,
            batch_size=arguments.batch_size,
            seed=arguments.seed,
            device="cpu",
        )
        fitted = cross_fit(planted, tokenizer, training)
        if arguments.keep:
            torch.save(plain(fitted), arguments.keep)
    trained_s = time.process_time() - begun_s
    judged = judge(fitted.heard, Spelling(tokenizer))
    judged_s = time.process_time() - begun_s - trained_s
    scores = score(judged, fitted, truths)
    told = {name: value for name, value in asdict(shares).items() if value}
    line = {
        "manifest": Path(arguments.manifest).parent.name,
        **told,
        "seed": arguments.seed,
        "epochs": arguments.epochs,
        "trained_s": round(trained_s),
        "judged_s": round(judged_s),
        **scores,
    }
    print(json.dumps(line), flush=True)


def plain(fitted: CrossFitted) -> dict[str, Any]:
    """What was heard, for a file."""
    return {
        "log_probs": [line.log_probs.half() for line in fitted.heard],
        "hypotheses": [line.hypothesis for line in fitted.heard],
        "names": [line.utterance.full_name for line in fitted.heard],
        "dynamics": fitted.dynamics,
    }


def restored(
    kept: dict[str, Any], planted: Sequence[Utterance], tokenizer: Tokenizer
) -> CrossFitted:
    """What `plain` kept."""
    by_name = {line.full_name: line for line in planted}
    heard = []
    rows = zip(kept["names"], kept["log_probs"], kept["hypotheses"], strict=True)
    for name, log_probs, hypothesis in rows:
        text = tokenizer.reference(by_name[name].text or "").text
        heard.append(Heard(by_name[name], text, log_probs.float().log_softmax(1), hypothesis))
    return CrossFitted(heard, dynamics=kept["dynamics"])


def score(judged: Judged, fitted: CrossFitted, truths: Sequence[Truth]) -> dict[str, Any]:
    """Separation, precision, partners, kinds and calibration, of lines and of words."""
    truth_of = {f"{truth.line}": truth for truth in truths}
    pairs = []
    for verdict in judged.lines:
        number = verdict.heard.utterance.where.rpartition(":")[2]
        pairs.append((verdict, truth_of[number]))
    wrong = np.array([truth.kind != "right" for _, truth in pairs])
    posteriors = np.array([verdict.wrong for verdict, _ in pairs])
    nats = np.array([verdict.nats_per_symbol for verdict, _ in pairs])
    scores: dict[str, Any] = {
        "lines": len(pairs),
        "wrong": int(wrong.sum()),
        "suspected": int((posteriors >= 0.5).sum()),
        "expected": round(float(posteriors.sum()), 1),
        "line_auc": area(posteriors, wrong),
        "precision_at_n": precision_at(posteriors, wrong),
        "auc_crossfit_loss": area(nats, wrong),
        "baseline": baseline(fitted, truths),
        "calibration": calibration(posteriors, wrong),
        "confusion": confusion(pairs),
    }
    swapped = [(verdict, truth) for verdict, truth in pairs if truth.kind == "swapped"]
    if swapped:
        named = [verdict.partner == truth_text(truth) for verdict, truth in swapped]
        scores["partner_named"] = round(float(np.mean(named)), 4)
    word_posteriors, word_wrong, gap_posteriors, gap_wrong = [], [], [], []
    for verdict, truth in pairs:
        if not verdict.words:  # surely swapped: no word was judged by itself
            word_posteriors += [verdict.wrong] * len(truth.wrong)
            word_wrong += [bool(reason) for reason in truth.wrong]
        for word in verdict.words:
            if word.written:
                word_posteriors.append(word.wrong)
                word_wrong.append(bool(truth.wrong[word.place]))
            else:
                gap_posteriors.append(word.wrong)
                gap_wrong.append(word.place in truth.missing)
    scores["word_auc"] = area(np.array(word_posteriors), np.array(word_wrong))
    scores["gap_auc"] = area(np.array(gap_posteriors), np.array(gap_wrong))
    scores["word_calibration"] = calibration(np.array(word_posteriors), np.array(word_wrong))
    noise = judged.words
    shares = (noise.substituted, noise.superfluous, noise.missing, judged.texts.swapped)
    scores["fitted"] = [round(share, 4) for share in shares]
    scores["trust"] = [noise.trust, judged.texts.trust, judged.bonus]
    return scores


def truth_text(truth: Truth) -> str:
    """The text that truly belongs to a line, as the alphabet writes it."""
    return truth.text.lower()


def area(values: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve: how often a wrong one ranks above a right one."""
    if not positive.any() or positive.all():
        return None
    order = np.argsort(values, kind="stable")
    sorted_values = values[order]
    ranks = np.empty(len(values))
    ranks[order] = np.arange(1, len(values) + 1)
    for value in np.unique(sorted_values):
        tied = values == value
        ranks[tied] = ranks[tied].mean()
    hits = int(positive.sum())
    misses = len(values) - hits
    return round(float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * misses)), 4)


def precision_at(values: np.ndarray, positive: np.ndarray) -> float | None:
    """Share of wrong ones among as many as are wrong, by rank."""
    count = int(positive.sum())
    if not count:
        return None
    return round(float(positive[np.argsort(-values, kind="stable")[:count]].mean()), 4)


def calibration(values: np.ndarray, positive: np.ndarray) -> dict[str, list[float]]:
    """Of bins of posteriors: how many, their mean, and the share that is wrong."""
    bins = {}
    for low, high in ((0.0, 0.1), (0.1, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.01)):
        inside = (values >= low) & (values < high)
        if inside.any():
            mean = round(float(values[inside].mean()), 3)
            share = round(float(positive[inside].mean()), 3)
            bins[f"{low:g}-{min(high, 1):g}"] = [int(inside.sum()), mean, share]
    return bins


def confusion(pairs: Sequence[tuple[Any, Truth]]) -> dict[str, dict[str, int]]:
    """What lines of each true kind were called."""
    table: dict[str, Counter[str]] = {}
    for verdict, truth in pairs:
        kind = truth.kind
        if kind == "words":
            parts = sorted({reason for reason in truth.wrong if reason})
            parts += ["missing"] if truth.missing else []
            kind = parts[0] if len(parts) == 1 else "several"
        table.setdefault(kind, Counter())[verdict.kind] += 1
    return {kind: dict(counts) for kind, counts in sorted(table.items())}


def baseline(fitted: CrossFitted, truths: Sequence[Truth]) -> dict[str, float | None]:
    """Area by plain loss per symbol of the models that learn the lines: best epoch and last."""
    wrong_by_line = {str(truth.line): truth.kind != "right" for truth in truths}
    names = sorted(fitted.dynamics)
    if not names:
        return {}
    wrong = np.array([wrong_by_line[name.split(" ")[0].rpartition(":")[2]] for name in names])
    epochs = min(len(fitted.dynamics[name]) for name in names)
    areas = []
    for epoch in range(epochs):
        losses = np.array([fitted.dynamics[name][epoch] for name in names])
        areas.append(area(losses, wrong) or 0.0)
    if not areas:
        return {}
    best = int(np.argmax(areas))
    return {"best": areas[best], "epoch": best + 1, "last": areas[-1]}


if __name__ == "__main__":
    main()
