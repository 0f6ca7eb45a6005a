"""LibriSpeech: 2 conv, 6 BatchNorm-BiLSTM layers, 1,024 sentence pieces, SpecAugment.

The goal is AlgoPerf's greedy 7.41 % on test-clean.

ctcasr prepare librispeech LibriSpeech/train-* --out train.jsonl       (and dev-*, test-*)
torchrun --nproc-per-node 8 recipes/librispeech.py --train train.jsonl --dev dev.jsonl \\
    --valid test-clean.jsonl,test-other.jsonl --bf16
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ctcasr.compare.scene import path_ends
from ctcasr.data import Corpus, Loader, read_manifest, read_sounds
from ctcasr.front import Augment, FrontSpec, SpecAugment
from ctcasr.recognise import Recognise, evaluate
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.run_cli import run_cli, run_training
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet, Pieces
from ctcasr.train import (
    Parts,
    RunSettings,
    World,
    option,
    parse,
    pick_device,
    read_manifests,
    read_numbers,
    read_split,
    required,
    saved_run,
)

NET = NetSpec(
    FrontSpec(bands=80, floor_db=65.0),
    conv=(ConvSpec(32, (5, 5), (2, 2)), ConvSpec(32, (5, 5), (2, 2))),
    rnn="lstm",
    layers=6,
    hidden=512,
    dropout=0.1,
)  # a frame of logits every 40 ms
MASKS = SpecAugment(time_masks=10, time_width=0.05, freq_masks=2, freq_width=0.34)
DEV_SHARE = 0.05  # of train that selects where there is no --dev


@dataclass(frozen=True)
class Settings(RunSettings):
    """Train a large CTC recogniser on LibriSpeech."""

    train: str = required("manifest to learn from")
    dev: str = option(
        "", "manifest that selects the best checkpoint; empty: a part of train is held out"
    )
    valid: str = option("", "manifests to score once, at the end, with commas between")
    out: str = option("runs/librispeech", "folder of the run")
    net: str = option(
        "",
        "a preset, or a spec as a .toml file, and words that change it, "
        "in place of this recipe's network",
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
    rooms: str = option("", "manifests of room responses for a third of the utterances")
    augment_from: float = option(2.0, "epochs before masks, noise and rooms begin")


def main(argv: list[str] | None = None) -> None:
    """Train, select, score."""
    s = parse(Settings, argv, prog="librispeech")
    with World.joined(s.device) as world:
        run_training("librispeech", s, prepare(s, world), world)
    if world.rank == 0:
        manifests = [Path(path) for path in filter(None, s.valid.split(","))]
        names = path_ends([manifest.with_suffix("") for manifest in manifests])
        for manifest, name in zip(manifests, names, strict=True):
            score(s, manifest, name.replace("/", "-"))


def prepare(s: Settings, world: World) -> Parts:
    """The task, the batches to learn from, and those that select."""
    saved = saved_run(s, world)
    torch.manual_seed(s.seed)
    train, dev = read_split(s.train, s.dev, DEV_SHARE, s.seed)
    if saved:
        tokenizer = Pieces.from_state(saved["tokenizer"])
    else:
        tokenizer = make_pieces(s, [u.text or "" for u in train])
    print(f"{len(train)} utterances to learn from, {len(dev)} to select by")
    print(f"{tokenizer.size} symbols")

    spec = read_spec(s.net) if s.net else NET
    rate_hz = spec.front.rate_hz
    speeds = read_numbers("speeds", s.speeds)
    train_loader = Loader(
        Corpus(train, tokenizer, rate_hz, speeds=speeds),
        batch_seconds=s.batch_seconds,
        order="sortagrad",
        seed=s.seed,
        **world.share,
    )
    dev_loader = Loader(
        Corpus(dev, tokenizer, rate_hz),
        batch_seconds=s.batch_seconds,
        order="sorted",
        **world.share,
    )
    task = Recognise(
        build(spec, tokenizer.size),
        tokenizer,
        spec_to(spec),
        Augment(read_sounds(s.noise, rate_hz), read_sounds(s.rooms, rate_hz), masks=MASKS),
        round(s.augment_from * s.steps_per_epoch(len(train_loader))),
    )
    sounds = read_manifests(s.noise, s.rooms)
    return Parts(task, train_loader, dev_loader, recordings=[*train, *dev, *sounds])


def make_pieces(s: Settings, texts: Sequence[str]) -> Pieces:
    """The SentencePiece model that is given, or one of the train transcripts.

    LibriSpeech writes the apostrophe.
    """
    alphabet = Alphabet.english29()
    if s.pieces_model:
        return Pieces(Path(s.pieces_model).read_bytes(), alphabet)
    pieces = Pieces.train(texts, s.pieces, alphabet)
    if pieces.size < s.pieces:
        print(
            f"pieces: asked for {s.pieces} symbols; {len(texts)} transcripts have pieces for "
            f"{pieces.size} only, which are used"
        )
    return pieces


def score(s: Settings, manifest: Path, name: str) -> None:
    """The word error rate on a manifest that neither trained nor selected, in OUT/name."""
    out = Path(s.out)
    best = Recogniser.load_checkpoint(out / "best.pt", pick_device(s.device))
    result = evaluate(best, read_manifest(manifest).utterances)
    print(f"{name}: {result}; details in {result.write(out / name)}")
    result.refuse_nothing()


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
