"""A toy task whose numbers are known, and a small corpus of tones with a tiny recogniser."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from torch import Tensor, nn

from ctcasr.batch import Batch, Skip, Utterance
from ctcasr.data import Corpus, Loader
from ctcasr.front import FrontSpec, SpecAugment
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import spec_to
from ctcasr.records import Record
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.task import Gather, Loss, Score, alone
from ctcasr.text import Alphabet

RATE = 8000


class Toy:
    """Linear regression to zero.

    The text of an utterance says what is wrong: "left out", "nan loss" or "inf gradient".
    """

    title = "toy"

    def __init__(self, frozen: bool = False) -> None:
        torch.manual_seed(0)
        self.network = nn.Linear(4, 3).double().requires_grad_(not frozen)
        self.after: list[tuple[int, int]] = []

    def parameters(self) -> Iterable[nn.Parameter]:
        return self.network.parameters()

    def step(self, batch: Batch, step: int) -> Loss:
        rows = self.network(batch.audio.data).square().sum(1)
        good = [u.text != "left out" for u in batch.utterances]
        for index, utterance in enumerate(batch.utterances):
            if utterance.text == "nan loss":
                rows = rows * torch.where(torch.arange(len(batch)) == index, math.nan, 1.0)
            if utterance.text == "inf gradient":
                rows = rows + (rows[index] * 0).sqrt()
        left_out = tuple(u.id for u, ok in zip(batch.utterances, good, strict=True) if not ok)
        return Loss(
            rows[torch.tensor(good)].sum(),
            sum(good),
            rows.detach(),
            left_out,
            lambda: {"blank_mass": 0.5},
        )

    def after_step(self, step: int, total: int) -> None:
        self.after.append((step, total))

    def check(self, batches: Iterable[Batch], gather: Gather = alone) -> Score:
        with torch.no_grad():
            value = sum(float(self.network(b.audio.data).square().sum()) for b in batches)
        value = sum(gather(value))
        return Score((value,), {"loss": value})

    def judge(self, history: Sequence[Record]) -> Mapping[str, Any] | None:
        return {
            "state": "seen",
            "causes": [
                {"slug": record.kind, "evidence": "seen", "cure": "none"} for record in history
            ],
        }

    def export(self) -> dict[str, Any]:
        return {
            "kind": "toy",
            "network": {name: tensor.clone() for name, tensor in self.network.state_dict().items()},
        }


class Fixed:
    """The same batches in every epoch."""

    def __init__(self, batches: Sequence[Batch | None]) -> None:
        self.batches = batches
        self.skipped = tuple(
            skip for batch in batches if batch is not None for skip in batch.skipped
        )

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def seconds(self) -> float:
        return sum(b.audio.seconds for b in self.batches if b is not None)

    @property
    def utterances(self) -> int:
        return sum(len(b) + len(b.skipped) for b in self.batches if b is not None)

    @property
    def unread(self) -> Sequence[Skip]:
        return self.skipped

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch | None]:
        return iter(self.batches[start_batch:])


def toy_batch(*texts: str, seed: int = 0, name: str = "u") -> Batch:
    data: Tensor = torch.randn(
        len(texts), 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    utterances = tuple(
        Utterance(Path(f"{name}{index}.wav"), 1.0, text) for index, text in enumerate(texts)
    )
    return Batch(
        utterances,
        Seq(data, (4,) * len(texts), Fraction(4)),
        torch.zeros(0, dtype=torch.int64),
        (0,) * len(texts),
    )


@pytest.fixture
def toy() -> type[Toy]:
    return Toy


@pytest.fixture
def fixed() -> type[Fixed]:
    return Fixed


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    return toy_batch


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> tuple[Utterance, ...]:
    """Sixteen utterances in which every letter is a tone of its own."""
    folder, draw, utterances = (
        tmp_path_factory.mktemp("tones"),
        torch.Generator().manual_seed(0),
        [],
    )
    for index in range(16):
        text = "".join("abc"[int(k)] for k in torch.randint(3, (2 + index % 3,), generator=draw))
        time = torch.arange(960) / RATE
        notes = [
            torch.sin(2 * math.pi * {"a": 500, "b": 1100, "c": 2300}[letter] * time)
            * torch.hann_window(960)
            for letter in text
        ]
        samples = 0.3 * torch.cat(notes) + 0.01 * torch.randn(960 * len(text), generator=draw)
        path = folder / f"tone{index:02d}.wav"
        soundfile.write(path, samples.numpy(), RATE, subtype="PCM_16")
        utterances.append(
            Utterance(path, len(samples) / RATE, text, where=f"tones.jsonl:{index + 1}")
        )
    return tuple(utterances)


@pytest.fixture
def recogniser_parts(
    tones: tuple[Utterance, ...],
) -> Callable[[], tuple[Recognise, Loader, Loader]]:
    """A maker of (task, train, dev), the same afresh at each call.

    Dropout and masks are on, so that all randomness is in play.
    """

    def make() -> tuple[Recognise, Loader, Loader]:
        torch.manual_seed(1)
        tokenizer = Alphabet("abc ")
        spec = NetSpec(
            FrontSpec(RATE, bands=20, n_fft=256),
            (ConvSpec(2, (3, 3), (2, 2)),),
            layers=1,
            hidden=8,
            dropout=0.2,
        )
        task = Recognise(
            build(spec, tokenizer.size),
            tokenizer,
            spec_to(spec),
            SpecAugment(freq_width=0.1),
            augment_from=2,
        )
        train = Loader(Corpus(tones[:12], tokenizer, RATE), batch_size=3, order="sortagrad", seed=5)
        dev = Loader(Corpus(tones[12:], tokenizer, RATE), batch_size=4, order="sorted")
        return task, train, dev

    return make
