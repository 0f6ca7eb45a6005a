"""A short training of a small network on recordings, to be spoilt on purpose."""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2]))
from ctcasr.batch import Batch, Skip, Utterance
from ctcasr.data import read_audio, read_manifest
from ctcasr.front import FrontEnd, FrontSpec, SpecAugment
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig, TrainingError, fit

RATE_HZ = 16000
BATCH = 12
DATA = Path(os.environ.get("CTCASR_DATA", Path(__file__).parents[3] / "shared/data"))


@dataclass(frozen=True)
class Item:
    """An utterance: its name, what is said, samples [N] at RATE_HZ."""

    name: str
    text: str
    samples: Tensor


@dataclass(frozen=True)
class Source:
    """Where a corpus lies, and how much of it is trained on."""

    train: str
    dev: str
    rows: int
    dev_rows: int
    epochs: int
    longest_s: float = 12.0
    joined: int = 1  # recordings of one speaker in a row, at most


CORPORA = {
    "fsdd": Source("fsdd/train.jsonl", "fsdd/test.jsonl", 192, 40, 14, joined=3),
    "grid": Source("grid_s1/train.jsonl", "grid_s1/valid.jsonl", 160, 40, 14),
    "an4": Source("an4/train.jsonl", "an4/valid.jsonl", 160, 40, 12, 4.0),
    "eccc": Source("eccc/train.jsonl", "eccc/valid.jsonl", 192, 40, 12),
    "commands": Source("speech_commands/train.jsonl", "speech_commands/valid.jsonl", 208, 48, 14),
    "libri": Source(
        "librispeech_samples/train.jsonl", "librispeech_samples/valid.jsonl", 40, 16, 12, 13.5
    ),
}

_CONV = (ConvSpec(8, (5, 5), (2, 2)), ConvSpec(8, (5, 5), (1, 2)))
_FRAMES = "front.hop_s=0.025 front.window_s=0.032"  # 40 a second, as in the other networks
_TWICE = "front.hop_s=0.0125 front.window_s=0.032"  # before a stride of 2
NETWORKS: dict[str, tuple[NetSpec, float]] = {  # and the learning rate that suits them
    "small": (
        NetSpec(
            FrontSpec(bands=20, n_fft=512, hop_s=0.025, window_s=0.032),
            conv=(ConvSpec(8, (3, 5), (1, 3)),),
            rnn="gru",
            layers=1,
            hidden=32,
        ),
        1e-2,
    ),
    "default": (
        dataclasses.replace(
            read_spec(f"default layers=1 hidden=48 front.bands=40 {_TWICE}"),
            conv=_CONV,
            dropout=0.1,
        ),
        5e-3,
    ),
    "bigru": (
        read_spec(f"report_v_bigru hidden=40 fc=[48] {_FRAMES}"),
        4e-3,
    ),
    "bilstm": (
        dataclasses.replace(
            read_spec(f"report_v_bilstm_conv hidden=40 fc=[48] {_FRAMES}"),
            conv=(ConvSpec(8, (5, 21), (1, 4)),),
        ),
        4e-3,
    ),
    "streaming": (
        dataclasses.replace(
            read_spec(
                f"streaming layers=1 hidden=56 front.bands=40 lookahead=4 dropout=0.0 {_TWICE}"
            ),
            conv=_CONV,
        ),
        6e-3,
    ),
}


@dataclass
class Trial:
    """One training with whatever is planted into it."""

    train: list[Item]
    dev: list[Item]
    spec: NetSpec
    lr: float
    epochs: int
    seed: int
    alphabet: Any = field(default_factory=Alphabet.english38)
    task: type[Recognise] = Recognise
    options: dict[str, Any] = field(default_factory=dict)
    network: Callable[[SpeechModel], SpeechModel] = lambda model: model
    batches: Callable[[list[Batch]], list[Batch]] = lambda batches: batches
    batch_size: int = BATCH
    config: dict[str, Any] = field(default_factory=dict)


def healthy_trial(corpus: str, network: str, seed: int) -> Trial:
    """A training without a defect; the seed decides on schedule and augmentation."""
    source = CORPORA[corpus]
    train, dev = items_of(corpus)
    spec, lr = NETWORKS[network]
    trial = Trial(list(train), list(dev), spec, lr, source.epochs, seed)
    trial.config["schedule"] = ("constant", "onecycle")[seed % 2]
    if seed % 3 == 0:
        trial.options = {"augment": SpecAugment(), "augment_from": 100}
    return trial


@functools.cache
def items_of(corpus: str) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Training and dev part of a corpus."""
    source = CORPORA[corpus]
    train = _read(DATA / source.train, source, source.rows)
    return train, _read(DATA / source.dev, source, source.dev_rows)


def _read(manifest: Path, source: Source, rows: int) -> tuple[Item, ...]:
    """So many utterances, spread over a manifest; short ones joined where the source says so."""
    draw = torch.Generator().manual_seed(1)
    lines = []
    for line in read_manifest(manifest).utterances:
        if (line.duration or 0.0) <= source.longest_s:
            lines.append(line)
    wanted = min(len(lines), rows * (1 if source.joined == 1 else 2))
    chosen = [lines[at * len(lines) // wanted] for at in range(wanted)]
    by_speaker: dict[str, list[Utterance]] = {}
    for line in chosen:
        by_speaker.setdefault(line.speaker or "", []).append(line)
    items: list[Item] = []
    for speaker, own in by_speaker.items():
        order = torch.randperm(len(own), generator=draw).tolist()
        while order:
            count = int(torch.randint(1, source.joined + 1, (), generator=draw))
            together, order = order[:count], order[count:]
            parts = [own[at] for at in together]
            sounds = [read_audio(part, RATE_HZ) for part in parts]
            text = " ".join(part.text or "" for part in parts)
            items.append(Item(f"{speaker}-{len(items)}", text, torch.cat(sounds)))
    return tuple(items[:rows])


class FixedBatches:
    """Batches that never change, in a new order each epoch."""

    def __init__(self, batches: Sequence[Batch], skipped: Sequence[Skip], shuffle: bool) -> None:
        self.batches = list(batches)
        self.skipped = tuple(skipped)
        self.unread = tuple(skipped)
        self.shuffle = shuffle

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def utterances(self) -> int:
        """In an epoch."""
        return sum(len(batch) for batch in self.batches) + len(self.skipped)

    @property
    def seconds(self) -> float:
        """Seconds of sound in an epoch."""
        return sum(batch.audio.seconds for batch in self.batches)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch]:
        """The batches of an epoch."""
        order = list(range(len(self.batches)))
        if self.shuffle:
            draw = torch.Generator().manual_seed(number)
            order = torch.randperm(len(self.batches), generator=draw).tolist()
        return (self.batches[at] for at in order[start_batch:])


def make_batches(
    items: Sequence[Item], tokenizer: Any, size: int
) -> tuple[list[Batch], list[Skip]]:
    """Batches of similar lengths, and the utterances of whose text nothing can be written."""
    usable = []
    skipped = []
    for item in items:
        if item.text.strip() and not tokenizer.reference(item.text).text:
            reason = f"no character of the text {item.text!r} is in the alphabet"
            skipped.append(Skip(item.name, reason, text_uncovered=True))
        else:
            usable.append(item)
    usable.sort(key=lambda item: len(item.samples))
    batches = []
    for start in range(0, len(usable), size):
        part = usable[start : start + size]
        labels = [tokenizer.encode(item.text) for item in part]
        flat = [label for row in labels for label in row]
        batches.append(
            Batch(
                tuple(Utterance(Path(f"{item.name}.wav"), text=item.text) for item in part),
                Seq.stack([item.samples for item in part], Fraction(RATE_HZ)),
                torch.tensor(flat, dtype=torch.int64),
                tuple(len(row) for row in labels),
                seeds=tuple(range(start, start + len(part))),
            )
        )
    return batches, skipped


def train_trial(trial: Trial, out: Path) -> list[dict[str, Any]]:
    """Train, and return the plain records; a run that has to stop has records too."""
    torch.manual_seed(trial.seed)
    train_batches, skipped = make_batches(trial.train, trial.alphabet, trial.batch_size)
    dev_batches, _ = make_batches(trial.dev, trial.alphabet, 64)
    model = build(trial.spec, trial.alphabet.size)
    if isinstance(model.front, FrontEnd) and model.front.needs_statistics:
        model.front.fit(batch.audio for batch in train_batches)
    model = trial.network(model)
    task = trial.task(model, trial.alphabet, spec_to(trial.spec), **trial.options)
    values: dict[str, Any] = {
        "epochs": trial.epochs,
        "lr": trial.lr,
        "log_every": 5,
        "save_every_s": 1e9,
        "device": "cpu",
        "seed": trial.seed,
        "unreadable": 1.0,
        "overwrite": True,
    }
    config = TrainConfig(**values | trial.config)
    train = FixedBatches(trial.batches(train_batches), skipped, shuffle=True)
    dev = FixedBatches(dev_batches, (), shuffle=False)
    records: list[dict[str, Any]] = []
    try:
        for record in fit(task, train, dev, out=out, config=config):
            records.append(record.as_json())
    except TrainingError:
        pass
    return records
