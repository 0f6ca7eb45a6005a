"""Train an enhancer on mixtures made anew in each epoch, or on scenes, and score it on others.

python recipes/enhance.py --train TRAIN.jsonl --noise NOISE.jsonl --valid SCENES.jsonl \\
    --out runs/clearer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ctcasr.batch import Utterance
from ctcasr.data import (
    Corpus,
    Interferers,
    Loader,
    MixtureCorpus,
    SceneCorpus,
    are_scenes,
    read_sounds,
    without_classes,
)
from ctcasr.data.mixture import Frames
from ctcasr.data.provenance import fingerprint
from ctcasr.enhance import Enhance, Eyes, Listener, Show
from ctcasr.enhance.evaluation import score_scenes
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import EnhanceSpec, enhancer_to, read_enhancer
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.run_cli import run_cli, run_training
from ctcasr.show import draw_run
from ctcasr.train import (
    Parts,
    RunSettings,
    World,
    load_compatible,
    option,
    parse,
    read_manifests,
    read_split,
    required,
    saved_run,
)


@dataclass(frozen=True)
class Settings(RunSettings):
    """Train a speech enhancer."""

    train: str = required("manifest of clean speech, or of scenes (lines with target_filepath)")
    valid: str = option("", "scenes to score once, at the end (lines with target_filepath)")
    noise: str = option("", "manifests of noises with labels but those that --unseen names")
    talkers: str = option("", "manifest of other talkers, to compete with the speech")
    own: str = option("", "manifest of sentences, to compete with others of the same talker")
    rooms: str = option("", "manifests of room responses, in which half of the scenes are heard")
    unseen: str = option("", "labels of noises that are kept for the score, with commas between")
    dev: str = option(
        "", "manifest that selects the best checkpoint; empty: a part of train is held out"
    )
    dev_share: float = option(0.1, "share of train that is held out")
    out: str = option("runs/enhance", "folder of the run")
    net: str = option("mask", "a preset, or a spec as a .toml file")
    batch_size: int = option(16, "scenes in a batch, all processes together")
    listener: str = option(
        "", "checkpoint of a recogniser whose CTC loss is learnt from too; it must not judge"
    )
    listening: float = option(
        1.0, "weight of the listener's loss (nats per token) against SI-SDR (dB)"
    )
    workers: int = option(0, "processes that read ahead; -1: as many as a measurement asks for")
    lr: float = option(1e-3, "highest learning rate")


@dataclass(frozen=True)
class Scenes:
    """How the scenes of a run are made."""

    settings: Settings
    spec: EnhanceSpec
    listener: Listener | None = None
    show: Show = Eyes.closed

    def corpus(self, lines: Sequence[Utterance], frames: Frames | None = None) -> Corpus:
        """Scenes as they lie, or mixed anew in each epoch, with `frames` of their videos."""
        tokenizer = self.listener.tokenizer if self.listener else None
        rate_hz = self.spec.rate_hz
        if are_scenes(lines):
            return SceneCorpus(lines, tokenizer, rate_hz, frames)
        kinds = interferers(self.settings)
        rooms = read_sounds(self.settings.rooms, rate_hz)
        return MixtureCorpus(lines, tokenizer, rate_hz, kinds, rooms, frames=frames)


def main(argv: list[str] | None = None) -> None:
    """Train, select, score."""
    run(parse(Settings, argv, prog="enhance"))


def run(
    s: Settings, show: Show = Eyes.closed, video: str = "fixed", recipe: str = "enhance"
) -> None:
    """Train, select, score; `show` tells what the network sees, in the way that `video` names."""
    if s.listening != Settings.listening and not s.listener:
        raise ValueError("--listening: expected --listener, whose loss it weighs; got none")
    spec = read_enhancer(s.net).with_video(video)
    listener = Listener(Recogniser.load_checkpoint(s.listener)) if s.listener else None
    scenes = Scenes(s, spec, listener, show)
    with World.joined(s.device) as world:
        parts, task = prepare(scenes, world)
        run_training(recipe, s, parts, world)
    if world.rank == 0:
        report(scenes, task)


def prepare(scenes: Scenes, world: World) -> tuple[Parts, Enhance]:
    """The task, the scenes to learn from, and those that select."""
    s = scenes.settings
    saved_run(s, world)  # refuses a folder that holds another run
    torch.manual_seed(s.seed)
    train, dev = read_split(s.train, s.dev, s.dev_share, s.seed)
    if are_scenes(train) and are_scenes(dev):
        refuse_mixing(s)
    print(f"{len(train)} utterances to learn from, {len(dev)} to select by")
    how: dict[str, Any] = {"batch_size": s.batch_size, "seed": s.seed, **world.share}
    model = build_enhancer(scenes.spec)
    eyes = scenes.show(model)
    train_loader = Loader(scenes.corpus(train, eyes.learning), **how)
    dev_loader = Loader(scenes.corpus(dev, eyes.scoring), order="sorted", **how)
    task = Enhance(model, enhancer_to(scenes.spec), scenes.listener, s.listening)
    listener = fingerprint(s.listener) if s.listener else None
    notes = {"utterances": len(train), "listener": listener}
    heard = [*train, *dev, *read_manifests(s.rooms)]
    return Parts(task, train_loader, dev_loader, heard, notes), task


def refuse_mixing(s: Settings) -> None:
    """ValueError for what would be mixed with speech, where there are scenes alone."""
    for name in ("noise", "talkers", "own", "rooms", "unseen"):
        if getattr(s, name):
            raise ValueError(f"--{name}: expected speech to mix, --train has scenes: leave it out")


def interferers(s: Settings) -> list[Interferers]:
    """What is heard beside the speech."""
    kinds = []
    if s.noise or s.unseen:
        noises = without_classes(read_manifests(s.noise), s.unseen, "--unseen")
        kinds.append(Interferers.noises(noises))
    if s.talkers:
        kinds.append(Interferers.talkers(read_manifests(s.talkers)))
    if s.own:
        kinds.append(Interferers.own(read_manifests(s.own)))
    return kinds


def report(scenes: Scenes, task: Enhance) -> None:
    """The curves of the run, and SI-SDR of the best checkpoint on the valid scenes."""
    s = scenes.settings
    print(f"checkpoint: {Path(s.out) / 'best.pt'}")
    try:
        print("plots:", *draw_run(Path(s.out)))
    except ImportError as error:
        print("plots:", error)
    if not s.valid:
        return
    eyes = scenes.show(task.network)  # which may load a trunk: before the best weights are
    load_compatible(task.network, Path(s.out) / "best.pt")
    corpus = SceneCorpus(read_manifests(s.valid), None, scenes.spec.rate_hz, eyes.scoring)
    scores = score_scenes(task, Loader(corpus, batch_size=s.batch_size, order="sorted"))
    scores.write(Path(s.out) / "valid.json")
    print(f"valid: {scores}")


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
