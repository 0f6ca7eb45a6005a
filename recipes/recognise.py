"""Train a CTC recogniser on any manifest, and score it once on another.

python recipes/recognise.py --train TRAIN.jsonl --valid VALID.jsonl --out runs/mine
torchrun --nproc-per-node 4 recipes/recognise.py ...          (the same run by several processes: docs/scale.md)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ctcasr.batch import Utterance
from ctcasr.data import (
    AudioError,
    Corpus,
    Loader,
    measure_workers,
    read_manifest,
    read_sounds,
    split_dev,
)
from ctcasr.data.provenance import provenance_of
from ctcasr.front import Augment, SpecAugment
from ctcasr.recognise import Objective, Recognise, evaluate, examine
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.run_cli import run_cli
from ctcasr.show import draw_run, draw_utterance, watch
from ctcasr.text import make_tokenizer, measure_coverage, spell_digits
from ctcasr.train import (
    TrainConfig,
    World,
    fit,
    load_compatible,
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
    """Train a CTC recogniser from scratch."""

    train: str = required("manifest to learn from")
    valid: str = option("", "manifest to score once, at the end")
    dev: str = option(
        "", "manifest that selects the best checkpoint; empty: a part of train is held out"
    )
    dev_share: float = option(0.1, "share of train that is held out")
    out: str = option("runs/recognise", "folder of the run")
    net: str = option(
        "default",
        "a preset, or a spec as a .toml file; words behind change it: 'default hidden=256 front.norm=pca'",
    )
    text: str = option(
        "english38",
        "english38, english29, or pieces:N (SentencePiece with N units learnt from train)",
    )
    strict: bool = option(False, "refuse characters outside the alphabet instead of reporting them")
    digits: str = option("keep", "keep digits, or spell them as words")
    batch_size: int = option(
        16, "utterances in a batch, all processes together; 0: only batch_seconds decides"
    )
    batch_seconds: float = option(
        0.0, "seconds of padded sound in a batch, all processes together; 0: no limit"
    )
    order: str = option(
        "sortagrad", "sortagrad (first epoch from short to long), shuffle or sorted"
    )
    augment: bool = option(True, "SpecAugment")
    speeds: str = option("0.9,1,1.1", "speeds at which recordings are learnt from")
    noise: str = option("", "manifest of noises, heard with half of the utterances at 0 to 20 dB")
    rooms: str = option("", "manifest of room responses, heard with a third of the utterances")
    augment_from: float = option(2.0, "epochs before masks, noise and rooms begin")
    consistency: float = option(
        0.0,
        "CR-CTC: two augmented copies of each batch must agree, with this weight (0.2); twice the time",
    )
    workers: int = option(
        -1,
        "processes that read ahead; -1: as many as a measurement asks for (none for a small corpus)",
    )
    init: str = option("", "checkpoint to start from: all that fits is loaded, the rest is named")
    resume: bool = option(False, "go on with the run in --out")


def main(argv: list[str] | None = None) -> None:
    """Train, select, score."""
    s = parse(Settings, argv, prog="recognise")
    world, out = World.join(s.device), Path(s.out)
    with world.quiet():
        task, loader, dev_loader = prepare(s, world)
        if not s.resume and world.rank == 0:
            write_settings(s, out)
        for _ in watch(
            fit(task, loader, dev_loader, out=out, config=s, resume=s.resume, world=world)
        ):
            pass
    world.leave()
    if world.rank == 0:
        report(s, out, dev_loader)


def report(s: Settings, out: Path, dev_loader: Loader) -> None:
    """Pictures of the run, and the score on the valid part."""
    print(f"checkpoint: {out / 'best.pt'}")
    best = Recogniser.load(out / "best.pt")
    try:
        three = dev_loader.corpus.utterances[:3]
        print(
            "plots:",
            *draw_run(out),
            *(draw_utterance(out / "plots" / f"{u.id}.png", **examine(best, u)) for u in three),
        )
    except (ImportError, AudioError) as error:
        print("plots:", error)
    if s.valid:
        result = evaluate(best, read(s.valid, s))
        result.write(out / "valid")
        print(
            f"valid: WER {100 * result.tally.words.rate:.2f} %, CER {100 * result.tally.chars.rate:.2f} % over "
            f"{result.tally.utterances} utterances; details in {out / 'valid'}"
        )


def prepare(s: Settings, world: World | None = None) -> tuple[Recognise, Loader, Loader]:
    """The task, the batches to learn from (this process's share of them), and those that select."""
    world, spec, lines = world or World(), read_spec(s.net), read(s.train, s)
    torch.manual_seed(s.seed)
    train, dev = (lines, read(s.dev, s)) if s.dev else split_dev(lines, s.dev_share, s.seed)
    tokenizer = make_tokenizer(s.text, [u.text or "" for u in train], s.strict)
    _ = [
        tokenizer.encode(u.text or "") for u in lines if s.strict
    ]  # refused now, not in the middle of an epoch
    print(
        f"{len(train)} utterances to learn from, {len(dev)} to select by;",
        measure_coverage([(u.where, u.text or "") for u in lines], tokenizer),
    )
    corpus = Corpus(
        train, tokenizer, spec.front.rate_hz, speeds=[float(speed) for speed in s.speeds.split(",")]
    )
    share: dict[str, Any] = {"rank": world.rank, "world": world.size}
    how: dict[str, Any] = {
        "batch_size": s.batch_size or None,
        "batch_seconds": s.batch_seconds or None,
        "order": s.order,
        "seed": s.seed,
    }
    loader = Loader(corpus, **how, **share)
    model = build(spec, tokenizer.size)
    print(
        "\n".join(["not loaded:", *load_compatible(model, s.init)])
        if s.init
        else "weights: drawn anew"
    )
    if model.front.needs_statistics and not s.resume:
        model.front.fit(
            batch.audio for batch in Loader(corpus, **how).epoch(0) if batch is not None
        )
    how |= {"batch_size": 2 * s.batch_size or None, "order": "sorted"}
    dev_loader = Loader(Corpus(dev, tokenizer, corpus.rate_hz), **how, **share)
    masks, rate = SpecAugment() if s.augment else None, corpus.rate_hz
    augment = (
        Augment(read_sounds(s.noise, rate), read_sounds(s.rooms, rate), masks=masks)
        if s.noise or s.rooms
        else masks
    )
    task = Recognise(
        model,
        tokenizer,
        spec_to(spec),
        augment,
        round(s.augment_from * len(loader)),
        Objective(s.consistency),
        notes={
            "recipe": "recognise",
            "train": Path(s.train).name,
            "settings": to_toml(s),
            "heard": provenance_of([*train, *dev]),
        },
    )
    loader.workers = (
        s.workers
        if s.workers >= 0
        else measure_workers(
            corpus,
            batch_size=-(-len(corpus) // len(loader) // world.size),
            step_s=step_seconds(
                task, next(loader.epoch(0, len(loader) // 2), None), pick_device(s.device)
            ),
        )
    )
    return task, loader, dev_loader


def read(path: str, s: Settings) -> tuple[Utterance, ...]:
    """The utterances of a manifest, with digits as the settings want them."""
    utterances = read_manifest(path).utterances
    return (
        tuple(u.with_text(u.text and spell_digits(u.text)) for u in utterances)
        if s.digits == "spell"
        else utterances
    )


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
