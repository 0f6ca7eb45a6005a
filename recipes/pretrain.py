"""Pre-train on speech that eSpeak NG says while training, as many hours as wanted and none twice; then start another recipe from it.

python recipes/pretrain.py --texts TRANSCRIPTS.jsonl,words.txt --hours 20 --out runs/spoken
python recipes/recognise.py --init runs/spoken/best.pt --train TRAIN.jsonl --out runs/mine
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ctcasr.data import Loader, SpokenCorpus, WordTexts, measure_workers, read_manifest, read_sounds
from ctcasr.data.synth import split_voices
from ctcasr.front import Augment, SpecAugment
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.run_cli import run_cli
from ctcasr.show import draw_run, watch
from ctcasr.text import make_tokenizer
from ctcasr.train import (
    TrainConfig,
    World,
    fit,
    option,
    parse,
    pick_device,
    required,
    step_seconds,
    to_toml,
    write_settings,
)


@dataclass(frozen=True)
class Settings(TrainConfig):
    """Train a CTC recogniser on synthetic speech."""

    texts: str = required(
        "manifests (.jsonl) and text files, with commas between; their words are said as they follow each other there"
    )
    hours: float = option(10.0, "hours of speech in all; every epoch says new texts")
    epochs: int = option(10, "checks on the way, each after hours / epochs of speech")
    symbols: bool = option(True, "spell letters and say digits in some of the texts")
    dev_utterances: int = option(100, "utterances of other voices that select the best checkpoint")
    words: str = option("2,20", "fewest and most words of an utterance")
    noise: str = option("", "manifest of noises to add, 0 to 20 dB below the speech")
    rooms: str = option("", "manifest of room responses in which some of it sounds")
    out: str = option("runs/pretrain", "folder of the run")
    net: str = option(
        "default",
        "a preset, or a spec as a .toml file; words behind change it: 'default hidden=256 front.norm=pca'",
    )
    text: str = option(
        "english38",
        "english38, english29, or pieces:N (SentencePiece with N units learnt from the texts)",
    )
    batch_size: int = option(16, "utterances in a batch, all processes together")
    augment: bool = option(True, "SpecAugment")
    workers: int = option(-1, "processes that speak ahead; -1: as many as a measurement asks for")
    resume: bool = option(False, "go on with the run in --out")


def main(argv: list[str] | None = None) -> None:
    """Train on speech that is made on the way."""
    s = parse(Settings, argv, prog="pretrain")
    world, out = World.join(s.device), Path(s.out)
    with world.quiet():
        task, loader, dev_loader = prepare(s, world)
        if not s.resume and world.rank == 0:
            write_settings(s, out)
        for _ in watch(
            fit(task, loader, dev_loader, out=out, config=s, resume=s.resume, world=world)
        ):
            pass
        print(f"checkpoint: {out / 'best.pt'}; go on with --init {out / 'best.pt'}")
    world.leave()
    if world.rank == 0:
        try:
            print("plots:", *draw_run(out))
        except ImportError as error:
            print("plots:", error)


def prepare(s: Settings, world: World) -> tuple[Recognise, Loader, Loader]:
    """The task, the speech to learn from (this process's share of it), and that of other voices which selects."""
    torch.manual_seed(s.seed)
    spec, lines = read_spec(s.net), read_lines(s.texts.split(","))
    rate_hz, voices = spec.front.rate_hz, split_voices(s.seed)
    texts, tokenizer = WordTexts(lines, s.symbols), make_tokenizer(s.text, lines)
    fewest, most = (int(n) for n in s.words.split(","))
    corpus = SpokenCorpus(texts, tokenizer, rate_hz, s.hours / s.epochs, voices[0], (fewest, most))
    dev_hours = s.hours / s.epochs * s.dev_utterances / len(corpus)
    dev = SpokenCorpus(texts, tokenizer, rate_hz, dev_hours, voices[1], (fewest, most), fixed=True)
    print(
        f"{len(lines)} lines of text, {len(texts.follow) - 1} words; {corpus.seconds / 3600:.2f} hours an epoch by {len(voices[0])} "
        f"voices, {len(dev)} utterances by {len(voices[1])} others to select by"
    )
    loader = Loader(
        corpus,
        batch_size=s.batch_size,
        order="shuffle",
        seed=s.seed,
        rank=world.rank,
        world=world.size,
    )
    dev_loader = Loader(
        dev,
        batch_size=2 * s.batch_size,
        order="sorted",
        seed=s.seed + 1,
        rank=world.rank,
        world=world.size,
    )

    model = build(spec, tokenizer.size)
    if model.front.needs_statistics and not s.resume:
        model.front.fit(batch.audio for batch in dev_loader.epoch(0) if batch is not None)
    masks = SpecAugment() if s.augment else SpecAugment(0, 0.0, 0, 0.0)
    augment = Augment(read_sounds(s.noise, rate_hz), read_sounds(s.rooms, rate_hz), masks=masks)
    task = Recognise(
        model,
        tokenizer,
        spec_to(spec),
        augment,
        len(loader),
        notes={"recipe": "pretrain", "settings": to_toml(s)},
    )
    trial = next(loader.epoch(0, len(loader) // 2), None)
    loader.workers = (
        s.workers
        if s.workers >= 0
        else measure_workers(
            corpus,
            batch_size=-(-s.batch_size // world.size),
            step_s=step_seconds(task, trial, pick_device(s.device)),
        )
    )
    return task, loader, dev_loader


def read_lines(paths: Sequence[str]) -> list[str]:
    """The lines of text files, and the texts of manifests."""
    lines: list[str] = []
    for path in paths:
        lines += (
            [u.text or "" for u in read_manifest(path)]
            if path.endswith(".jsonl")
            else Path(path).read_text("utf-8").splitlines()
        )
    return lines


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
