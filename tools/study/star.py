"""Training on wrong transcripts, with a star, from audited texts, or as it is: WER, same budget.

python tools/study/star.py TRAIN VALID --words 0.5 --star 2.4:-0.5,0.4,12:4@0.5 [--seed 0]
python tools/study/star.py TRAIN VALID --words 0.5 --audit 16 --epochs 16 [--seed 0]
python tools/study/star.py TRAIN VALID --words 0.5 --doubt [--seed 0]
python tools/study/star.py TRAIN VALID --words 0.5 --told [--seed 0]

A share of the training words is replaced by others. Without --star: plain CTC. With --audit
networks learn half of the lines each for so many epochs, and the texts that are believed after that
are learnt; with --doubt those that models of words believe. With --told the loss leaves the words
that were replaced, and no other: what is best to be hoped for. No dev part: the last network is
scored.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from ctcasr.audit import Training, cross_fit, judge
from ctcasr.audit.crossfit import believed_lines
from ctcasr.audit.scorer import Spelling
from ctcasr.batch import Batch, Utterance
from ctcasr.ctc import Star, StarSchedule
from ctcasr.data import Corpus, Loader, read_manifest
from ctcasr.front import SpecAugment
from ctcasr.recognise import Objective, Recognise, evaluate, word_rarity
from ctcasr.recognise.model import build
from ctcasr.recognise.objective import WordMarks
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer, make_tokenizer
from ctcasr.train import TrainConfig, fit, read_numbers
from ctcasr.word_times import believed_texts
from tools.study.mislabel import Shares, plant

NO_STAR = (math.inf, math.inf)
EARNED = 40.0  # nats for leaving a word that is known to be wrong: it always is
WORDS_ONLY = StarSchedule(NO_STAR, NO_STAR, 1, word_costs=(0.0, 0.0))


@dataclass(frozen=True)
class Told(Objective):
    """CTC that leaves the words that are known to be `wrong`, and no other."""

    wrong: Mapping[str, Sequence[bool]] = field(default_factory=dict)

    def star_at(
        self, step: int, batch: Batch, logits: Seq, blank: int, marks: WordMarks | None
    ) -> Star | None:
        """A star that always leaves wrong words, and never right ones."""
        star = super().star_at(step, batch, logits, blank, marks)
        assert star is not None and star.words is not None
        rows = [torch.tensor(self.wrong[name]) for name in batch.ids]
        wrong = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        costs = torch.where(wrong, -EARNED, torch.inf)
        return replace(star, word_cost=costs)


def main() -> None:
    """Train once and print the scores as a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("valid")
    parser.add_argument("--words", type=float, default=0.0, help="share that is replaced")
    parser.add_argument("--star", default="", help="as of recipes/recognise.py")
    parser.add_argument("--audit", type=int, default=0, help="epochs of the audit's networks")
    parser.add_argument("--doubt", action="store_true", help="texts, by models of their words")
    parser.add_argument("--told", action="store_true", help="which words are wrong")
    parser.add_argument("--rounds", type=int, default=1, help="of the audit")
    parser.add_argument("--epochs", type=int, default=32)
    parser.add_argument("--net", default="default")
    parser.add_argument("--masks", default="", help="SpecAugment, as of recipes/recognise.py")
    parser.add_argument("--speeds", default="1", help="at which recordings are learnt from")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.told and (arguments.star or arguments.audit or arguments.doubt):
        parser.error("--told: expected neither --star nor --audit nor --doubt with it")
    torch.manual_seed(arguments.seed)
    lines = read_manifest(arguments.train).utterances
    planted, truths = plant(lines, Shares(substitute=arguments.words), arguments.seed)
    tokenizer = make_tokenizer("english38", [])
    begun_s = time.process_time()
    spec = read_spec(arguments.net)
    if arguments.doubt:
        planted = list(believed_texts(planted, tokenizer, spec.front.rate_hz).utterances)
    if arguments.audit:
        planted = audited(planted, tokenizer, arguments)
    audited_s = time.process_time() - begun_s
    speeds = read_numbers("speeds", arguments.speeds)
    loader = Loader(
        Corpus(planted, tokenizer, spec.front.rate_hz, speeds=speeds),
        batch_size=16,
        order="sortagrad",
        seed=arguments.seed,
    )
    steps = arguments.epochs * len(loader)
    star = StarSchedule.parse(arguments.star, steps) if arguments.star else None
    rarity = word_rarity((line.text or "" for line in planted), tokenizer)
    objective = Objective(star=star, rarity=rarity)
    if arguments.told:
        wrong = {
            line.id: [bool(why) for why in truth.wrong]
            for line, truth in zip(planted, truths, strict=True)
        }
        objective = Told(star=WORDS_ONLY, wrong=wrong)
    task = Recognise(
        build(spec, tokenizer.size),
        tokenizer,
        spec_to(spec),
        SpecAugment.parse(arguments.masks) if arguments.masks else None,
        objective=objective,
    )
    config = TrainConfig(epochs=arguments.epochs, seed=arguments.seed, device="cpu")
    with tempfile.TemporaryDirectory() as out:
        for _ in fit(task, loader, None, out=out, config=config):
            pass
        recogniser = Recogniser.load_checkpoint(Path(out) / "best.pt")
    scores = evaluate(recogniser, read_manifest(arguments.valid).utterances).scores()
    line = {
        **vars(arguments),
        "wer": scores["wer"],
        "cer": scores["cer"],
        "lines": len(planted),
        "audit_s": round(audited_s),
        "cpu_s": round(time.process_time() - begun_s),
    }
    print(json.dumps(line), flush=True)


def audited(
    planted: Sequence[Utterance], tokenizer: Tokenizer, arguments: argparse.Namespace
) -> list[Utterance]:
    """The lines in the texts that an audit believes, without those of which it believes none."""
    training = Training(
        net=arguments.net,
        rounds=arguments.rounds,
        epochs=arguments.audit,
        seed=arguments.seed,
        device="cpu",
    )
    fitted = cross_fit(planted, tokenizer, training)
    believed = believed_lines(planted, judge(fitted.heard, Spelling(tokenizer)))
    return [line for line in believed if line is not None]


if __name__ == "__main__":
    main()
