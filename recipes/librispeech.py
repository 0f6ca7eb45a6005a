"""LibriSpeech: 2 conv, 6 BatchNorm-BiLSTM layers, 1,024 sentence pieces, SpecAugment; the goal: AlgoPerf's greedy 7.41 % on test-clean.

ctcasr prepare librispeech LibriSpeech/train-* --out train.jsonl         (and dev-*, test-clean, test-other)
torchrun --nproc-per-node 8 recipes/librispeech.py --train train.jsonl --dev dev.jsonl --valid test-clean.jsonl,test-other.jsonl --bf16
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ctcasr.data import (
    Corpus,
    Loader,
    measure_workers,
    read_manifest,
    read_sounds,
    split_dev,
)
from ctcasr.data.provenance import provenance_of
from ctcasr.front import Augment, FrontSpec, SpecAugment
from ctcasr.recognise import Recognise, evaluate
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.run_cli import run_cli
from ctcasr.show import watch
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet, Pieces
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

NET = NetSpec(
    FrontSpec(bands=80),
    conv=(ConvSpec(32, (5, 5), (2, 2)), ConvSpec(32, (5, 5), (2, 2))),
    rnn="lstm",
    layers=6,
    hidden=512,
    dropout=0.1,
)  # a frame of logits every 40 ms
MASKS = SpecAugment(time_masks=10, time_width=0.05, freq_masks=2, freq_width=0.34)


@dataclass(frozen=True)
class Settings(TrainConfig):
    """Train a large CTC recogniser on LibriSpeech."""

    train: str = required("manifest to learn from")
    dev: str = option(
        "", "manifest that selects the best checkpoint; empty: a part of train is held out"
    )
    valid: str = option("", "manifests to score once, at the end, with commas between")
    out: str = option("runs/librispeech", "folder of the run")
    net: str = option(
        "",
        "a preset, or a spec as a .toml file, and words that change it, in place of this recipe's network",
    )
    pieces: int = option(
        1024, "symbols of the SentencePiece model that is trained on the train transcripts"
    )
    pieces_model: str = option(
        "", "a SentencePiece .model to use instead; its unknown piece must have number 0"
    )
    epochs: int = option(80, "passes over the training data")
    batch_seconds: float = option(
        1600.0, "seconds of padded sound in a batch, all processes together"
    )
    speeds: str = option("0.9,1,1.1", "speeds at which recordings are learnt from")
    noise: str = option(
        "", "manifest of noises for half of the utterances, 0 to 20 dB below the speech"
    )
    rooms: str = option("", "manifest of room responses for a third of the utterances")
    augment_from: float = option(2.0, "epochs before masks, noise and rooms begin")
    workers: int = option(-1, "processes that read ahead; -1: as many as a measurement asks for")
    init: str = option("", "checkpoint to start from: all that fits is loaded, the rest is named")
    resume: bool = option(False, "go on with the run in --out")


def main(argv: list[str] | None = None) -> None:
    """Train, select, score."""
    s = parse(Settings, argv, prog="librispeech")
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
    for path in s.valid.split(",") if s.valid and world.rank == 0 else ():
        result = evaluate(Recogniser.load(out / "best.pt"), read_manifest(path).utterances)
        result.write(out / Path(path).stem)
        print(
            f"{Path(path).stem}: WER {100 * result.tally.words.rate:.2f} %, CER {100 * result.tally.chars.rate:.2f} % over "
            f"{result.tally.utterances} utterances; details in {out / Path(path).stem}"
        )


def prepare(s: Settings, world: World) -> tuple[Recognise, Loader, Loader]:
    """The task, the batches to learn from (this process's share of them), and those that select."""
    torch.manual_seed(s.seed)
    spec, lines = read_spec(s.net) if s.net else NET, read_manifest(s.train).utterances
    train, dev = (
        (lines, read_manifest(s.dev).utterances) if s.dev else split_dev(lines, 0.05, s.seed)
    )
    tokenizer = pieces(s, [u.text or "" for u in train])
    print(
        f"{len(train)} utterances to learn from, {len(dev)} to select by; {tokenizer.size} symbols"
    )
    corpus = Corpus(
        train, tokenizer, spec.front.rate_hz, speeds=[float(speed) for speed in s.speeds.split(",")]
    )
    share: dict[str, Any] = {"rank": world.rank, "world": world.size}
    loader = Loader(corpus, batch_seconds=s.batch_seconds, order="sortagrad", seed=s.seed, **share)
    dev_loader = Loader(
        Corpus(dev, tokenizer, corpus.rate_hz),
        batch_seconds=s.batch_seconds,
        order="sorted",
        **share,
    )
    model = build(spec, tokenizer.size)
    if s.init:
        print("\n".join(["not loaded:", *load_compatible(model, s.init)]))
    augment = Augment(
        read_sounds(s.noise, corpus.rate_hz), read_sounds(s.rooms, corpus.rate_hz), masks=MASKS
    )
    task = Recognise(
        model,
        tokenizer,
        spec_to(spec),
        augment,
        round(s.augment_from * len(loader)),
        notes={
            "recipe": "librispeech",
            "train": Path(s.train).name,
            "settings": to_toml(s),
            "heard": provenance_of([*train, *dev]),
        },
    )
    trial = next(loader.epoch(0, len(loader) // 2), None)
    loader.workers = (
        s.workers
        if s.workers >= 0
        else measure_workers(
            corpus,
            batch_size=-(-len(corpus) // len(loader) // world.size),
            step_s=step_seconds(task, trial, pick_device(s.device)),
        )
    )
    return task, loader, dev_loader


def pieces(s: Settings, texts: list[str]) -> Pieces:
    """The SentencePiece model that is given, or one of the train transcripts; LibriSpeech writes the apostrophe."""
    alphabet = Alphabet.english29()
    if s.pieces_model:
        return Pieces(Path(s.pieces_model).read_bytes(), alphabet)
    found = Pieces.train(texts, s.pieces, alphabet)
    if found.size < s.pieces:
        print(
            f"pieces: asked for {s.pieces} symbols; {len(texts)} transcripts have pieces for {found.size} only, which are used"
        )
    return found


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
