"""Train a lip reader by CTC: like recipes/recognise.py, of the mouths in the manifest's videos.

python recipes/lips.py --train TRAIN.jsonl --valid VALID.jsonl --out runs/lips
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Found beside this file, run as a script and run by `ctcasr train`.
sys.path.append(str(Path(__file__).parent))

import recognise
import torch

from ctcasr.batch import Utterance
from ctcasr.commands.progress import Lines
from ctcasr.data import Corpus, Loader, read_manifest
from ctcasr.recognise import Objective, Recognise, evaluate
from ctcasr.recognise.model import build
from ctcasr.recognise.reading import reader_of
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.run_cli import run_cli, run_training
from ctcasr.show.results import draw_results
from ctcasr.text import make_tokenizer
from ctcasr.train import (
    Parts,
    World,
    option,
    parse,
    pick_device,
    read_numbers,
    read_split,
    saved_run,
)
from ctcasr.train.settings import flag_of
from ctcasr.video import LipAugment
from ctcasr.word_times import spliced_corpus, splicing_told

# What is done to sound, which a lip reader does not hear.
FOR_SOUND = ("masks", "warp", "noise", "rooms", "hiss", "doubt", "star", "consistency_ramp")


@dataclass(frozen=True)
class Settings(recognise.Settings):
    """Train a lip reader from scratch."""

    net: str = option(
        "lips", "a preset that sees, or a spec as a .toml file; words behind change it"
    )
    out: str = option("runs/lips", "folder of the run")
    states: float = option(
        0.3, "weight of what is said when, heard by an aligner, told to the network frame by frame"
    )
    mouths: str = option("", "folder for the mouths that were cut out; empty: in --out")
    shift: int = option(2, "pixels by which a clip is moved at most, both ways")
    flip: bool = option(True, "mirror half of the clips")
    light: float = option(0.3, "how far levels of grey are bent; 0: not at all")
    drop: float = option(0.05, "share of the frames that show the frame before instead")
    time_masks: int = option(1, "spans of time that are hidden in a clip")
    mask_s: float = option(0.3, "longest of them in seconds")
    augment: bool = option(True, "all of these changes")


def main(argv: list[str] | None = None) -> None:
    """Train, select, score."""
    s = parse(Settings, argv, prog="lips")
    if not read_spec(s.net).sees:
        raise ValueError(f"net: expected a network that sees (lips); got {s.net!r}")
    refuse_for_sound(s)
    with World.joined(s.device) as world:
        parts = prepare(s, world)
        run_training("lips", s, parts, world)
    if world.rank == 0:
        assert parts.dev is not None
        report(s, parts.dev.corpus.utterances[: recognise.DRAWN])


def refuse_for_sound(s: Settings) -> None:
    """ValueError for settings that would do nothing here."""
    defaults = Settings(train=s.train)
    for name in FOR_SOUND:
        if getattr(s, name) not in (getattr(defaults, name), "none"):
            raise ValueError(f"{flag_of(name)} is for sound; a lip reader hears none: leave it out")


def prepare(s: Settings, world: World) -> Parts:
    """The task, the clips to learn from, and those that select."""
    saved = saved_run(s, world)  # refuses a folder that holds another run
    torch.manual_seed(s.seed)
    train, dev = read_split(s.train, s.dev, s.dev_share, s.seed)
    tokenizer = make_tokenizer(s.text, [line.text or "" for line in train], s.strict, s.digits)
    recognise.report_texts([*train, *dev], tokenizer)
    print(f"{len(train)} utterances to learn from, {len(dev)} to select by")

    spec = read_spec(s.net)
    net = build(spec, tokenizer.size)
    speeds = read_numbers("speeds", s.speeds)
    read = reader_of(spec, s.mouths or Path(s.out) / "mouths")
    print(splicing_told(train, s.splice))
    corpus = spliced_corpus(
        train,
        tokenizer,
        net.rate_hz,
        s.splice,
        speeds,
        net.frame_s,
        saved,
        states=s.states > 0,
        read=read,
        report=Lines("finding the words, hearings") if world.rank == 0 else None,
    )
    if s.states and not corpus.states:
        print("nothing tells when words are said: no sound could be aligned with its text")
    net.learn_states(corpus.states)
    spec = replace(spec, states=corpus.states)
    how: dict[str, Any] = {"batch_seconds": s.batch_seconds or None, "seed": s.seed, **world.share}
    train_loader = Loader(
        corpus,
        batch_size=s.batch_size or None,
        order=s.order,
        **how,
    )
    dev_loader = Loader(
        Corpus(dev, tokenizer, net.rate_hz, read=read),
        batch_size=2 * s.batch_size or None,
        order="sorted",
        **how,
    )
    task = Recognise(
        net,
        tokenizer,
        spec_to(spec),
        augmentation(s),
        round(s.augment_from * s.steps_per_epoch(len(train_loader))),
        Objective(s.consistency, states=s.states),
    )
    return Parts(task, train_loader, dev_loader, recordings=[*train, *dev])


def augmentation(s: Settings) -> LipAugment | None:
    """What is done to the clips."""
    if not s.augment:
        return None
    return LipAugment(s.shift, s.flip, s.light, s.drop, s.time_masks, s.mask_s)


def report(s: Settings, drawn: Sequence[Utterance]) -> None:
    """Pictures of the run and of what was spelt, and the score on the valid part."""
    out = Path(s.out)
    print(f"checkpoint: {out / 'best.pt'}")
    best = Recogniser.load_checkpoint(out / "best.pt", pick_device(s.device))
    print("plots:", draw_results(out, best, drawn))
    if s.valid:
        result = evaluate(best, read_manifest(s.valid).utterances)
        print(f"valid: {result}; details in {result.write(out / 'valid')}")
        result.refuse_nothing()


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
