"""Teach a trained recogniser when words are said, and how sure it is of them.

python recipes/word_times.py --checkpoint runs/mine/best.pt --train TRAIN.jsonl --dev DEV.jsonl

`recipes/recognise.py` does it at its end; this is for checkpoints from before, and for other data.
"""

from __future__ import annotations

from dataclasses import dataclass

from ctcasr.recognise.word_models_fit import add_word_models
from ctcasr.run_cli import run_cli
from ctcasr.train import option, parse, read_split, required


@dataclass(frozen=True)
class Settings:
    """Learn times and confidences of words; the checkpoint is written anew."""

    checkpoint: str = required("recogniser that is taught (.pt)")
    train: str = required("manifest with texts, from which times are learnt")
    dev: str = option(
        "", "manifest that it has not learnt from, for confidences; empty: a part of train"
    )
    dev_share: float = option(0.1, "share of train that is held out")
    seed: int = option(0, "of that part: the run's own, so that it is what the run held out")


def main(argv: list[str] | None = None) -> None:
    """Learn, write, say what was learnt."""
    s = parse(Settings, argv, prog="word_times")
    train, dev = read_split(s.train, s.dev, s.dev_share, s.seed)
    recogniser = add_word_models(s.checkpoint, train, dev)
    print(f"{s.checkpoint} is written anew: {recogniser.word_models}")


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
