"""Pre-train on speech that eSpeak NG says while training; then start another recipe from it.

As many hours as wanted, and none twice.

python recipes/pretrain.py --texts TRANSCRIPTS.jsonl,words.txt --hours 20 --out runs/spoken
python recipes/recognise.py --init runs/spoken/best.pt --train TRAIN.jsonl --out runs/mine
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ctcasr.data import Loader, SpokenCorpus, WordTexts, read_lines, read_sounds
from ctcasr.data.synth import split_voices
from ctcasr.front import Augment, SpecAugment, snr_range
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.run_cli import run_cli, run_training
from ctcasr.show import draw_run
from ctcasr.text import make_tokenizer, tokenizer_from_state
from ctcasr.train import (
    Parts,
    RunSettings,
    World,
    option,
    parse,
    read_manifests,
    required,
    saved_run,
)
from ctcasr.train.settings import read_range

SECONDS_PER_HOUR = 3600
NO_MASKS = SpecAugment(0, 0.0, 0, 0.0)


@dataclass(frozen=True)
class Settings(RunSettings):
    """Train a CTC recogniser on synthetic speech."""

    texts: str = required(
        "manifests (.jsonl) and text files, with commas between; "
        "their words are said as they follow each other there"
    )
    hours: float = option(10.0, "hours of speech in all; every epoch says new texts")
    epochs: int = option(10, "checks on the way, each after hours / epochs of speech")
    symbols: bool = option(True, "spell letters and say digits in some of the texts")
    dev_utterances: int = option(100, "utterances of other voices that select the best checkpoint")
    words: str = option("2,20", "fewest and most words of an utterance")
    noise: str = option("", "manifests of noises to add, 0 to 20 dB below the speech")
    rooms: str = option("", "manifests of room responses in which some of it sounds")
    hiss: str = option(
        "15,45", "lowest and highest SNR (dB) of noise made for half of the utterances, or none"
    )
    out: str = option("runs/pretrain", "folder of the run")
    net: str = option(
        "lifted",
        "a preset, or a spec as a .toml file; words behind change it: "
        "'lifted hidden=256 front.norm=pca'",
    )
    text: str = option(
        "english38",
        "english38, english29, pieces:N (N SentencePieces learnt from the texts), or words:N",
    )
    batch_size: int = option(16, "utterances in a batch, all processes together")
    augment: bool = option(True, "SpecAugment")


def main(argv: list[str] | None = None) -> None:
    """Train on speech that is made on the way."""
    s = parse(Settings, argv, prog="pretrain")
    with World.joined(s.device) as world:
        run_training("pretrain", s, prepare(s, world), world)
    if world.rank == 0:
        best = Path(s.out) / "best.pt"
        print(f"checkpoint: {best}; go on with --init {best}")
        try:
            print("plots:", *draw_run(Path(s.out)))
        except ImportError as error:
            print("plots:", error)


def prepare(s: Settings, world: World) -> Parts:
    """The task, the speech to learn from, and that of other voices, which selects."""
    saved = saved_run(s, world)
    torch.manual_seed(s.seed)
    spec = read_spec(s.net)
    rate_hz = spec.front.rate_hz
    lines: list[str] = []
    for path in s.texts.split(","):
        lines += read_lines(path)
    texts = WordTexts(lines, s.symbols)
    if saved:
        tokenizer = tokenizer_from_state(saved["tokenizer"])
    else:
        tokenizer = make_tokenizer(s.text, lines)
    train_voices, dev_voices = split_voices(s.seed)
    words = read_range("words", s.words)
    train_hours = s.hours / s.epochs
    train = SpokenCorpus(texts, tokenizer, rate_hz, train_hours, train_voices, words)
    dev_hours = train_hours * s.dev_utterances / len(train)
    dev = SpokenCorpus(texts, tokenizer, rate_hz, dev_hours, dev_voices, words, fixed=True)
    print(
        f"{len(lines)} lines of text, {len(texts.followers) - 1} words; "
        f"{train.seconds / SECONDS_PER_HOUR:.2f} hours an epoch by {len(train_voices)} voices, "
        f"{len(dev)} utterances by {len(dev_voices)} others to select by"
    )
    train_loader = Loader(
        train,
        batch_size=s.batch_size,
        order="shuffle",
        seed=s.seed,
        **world.share,
    )
    dev_loader = Loader(
        dev,
        batch_size=2 * s.batch_size,
        order="sorted",
        seed=s.seed + 1,
        **world.share,
    )
    masks = SpecAugment() if s.augment else NO_MASKS
    augment = Augment(
        read_sounds(s.noise, rate_hz),
        read_sounds(s.rooms, rate_hz),
        hiss_db=snr_range(s.hiss),
        rate_hz=rate_hz,
        masks=masks,
    )
    net = build(spec, tokenizer.size)
    first_epoch = s.steps_per_epoch(len(train_loader))
    task = Recognise(net, tokenizer, spec_to(spec), augment, augment_from=first_epoch)
    # The dev part is said once for all: cheaper to measure than an epoch that is still to be said.
    return Parts(
        task,
        train_loader,
        dev_loader,
        recordings=read_manifests(s.noise, s.rooms),
        statistics=dev_loader,
    )


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
