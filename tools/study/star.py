"""Training on wrong transcripts, with and without a star: WER on a clean part, same budget.

python tools/study/star.py TRAIN VALID --words 0.5 --star 2.4:-0.5,0.4,12:4@0.5 [--seed 0]

A share of the training words is replaced by others. Without --star: plain CTC. No dev part: the
last network is scored.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from ctcasr.ctc import StarSchedule
from ctcasr.data import Corpus, Loader, read_manifest
from ctcasr.recognise import Objective, Recognise, evaluate, word_rarity
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.text import make_tokenizer
from ctcasr.train import TrainConfig, fit
from tools.study.mislabel import Shares, plant


def main() -> None:
    """Train once and print the scores as a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("valid")
    parser.add_argument("--words", type=float, default=0.0, help="share that is replaced")
    parser.add_argument("--star", default="", help="as of recipes/recognise.py")
    parser.add_argument("--epochs", type=int, default=32)
    parser.add_argument("--net", default="default")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    lines = read_manifest(arguments.train).utterances
    planted, _ = plant(lines, Shares(substitute=arguments.words), arguments.seed)
    tokenizer = make_tokenizer("english38", [])
    spec = read_spec(arguments.net)
    loader = Loader(
        Corpus(planted, tokenizer, spec.front.rate_hz),
        batch_size=16,
        order="sortagrad",
        seed=arguments.seed,
    )
    steps = arguments.epochs * len(loader)
    star = StarSchedule.parse(arguments.star, steps) if arguments.star else None
    rarity = word_rarity((line.text or "" for line in planted), tokenizer)
    task = Recognise(
        build(spec, tokenizer.size),
        tokenizer,
        spec_to(spec),
        objective=Objective(star=star, rarity=rarity),
    )
    config = TrainConfig(epochs=arguments.epochs, seed=arguments.seed, device="cpu")
    begun_s = time.process_time()
    with tempfile.TemporaryDirectory() as out:
        for _ in fit(task, loader, None, out=out, config=config):
            pass
        recogniser = Recogniser.load_checkpoint(Path(out) / "best.pt")
    scores = evaluate(recogniser, read_manifest(arguments.valid).utterances).scores()
    line = {
        **vars(arguments),
        "wer": scores["wer"],
        "cer": scores["cer"],
        "cpu_s": round(time.process_time() - begun_s),
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
