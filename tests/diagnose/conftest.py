"""Small speech that a small network learns in seconds, and a table of what the verdicts found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ctcasr.batch import Batch, Skip, Utterance
from ctcasr.data import synth
from ctcasr.diagnose import verdict
from ctcasr.front import FrontSpec
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet
from ctcasr.train import TrainConfig, TrainingError, fit

WORDS = ("go", "stop", "left", "yes")
RATE_HZ = 16000


@dataclass(frozen=True)
class Speech:
    """Utterances as (text, samples [N])."""

    train: list[tuple[str, Tensor]]
    dev: list[tuple[str, Tensor]]


@dataclass
class Case:
    """One training run with whatever is planted into it."""

    train: list[tuple[str, Tensor]]
    dev: list[tuple[str, Tensor]]
    spec: NetSpec
    alphabet: Any = field(default_factory=Alphabet.english38)
    task: type[Recognise] = Recognise
    options: dict[str, Any] = field(default_factory=dict)
    network: Callable[[SpeechModel], SpeechModel] = lambda model: model
    batches: Callable[[list[Batch]], list[Batch]] = lambda batches: batches
    batch_size: int = 8
    epochs: int = 3
    lr: float = 1e-2
    config: dict[str, Any] = field(default_factory=dict)
    seed: int = 0


SMALL = NetSpec(
    front=FrontSpec(rate_hz=RATE_HZ, bands=20, n_fft=512, hop_s=0.025, window_s=0.032),
    conv=(ConvSpec(8, (3, 5), (1, 3)),),
    rnn="gru",
    layers=1,
    hidden=32,
    dropout=0.0,
)


class Fixed:
    """Batches that never change, in a new order each epoch."""

    def __init__(self, batches: Sequence[Batch], shuffle: bool = True) -> None:
        self.batches, self.shuffle = list(batches), shuffle

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def seconds(self) -> float:
        return sum(batch.audio.seconds for batch in self.batches)

    @property
    def skipped(self) -> tuple[Skip, ...]:
        return ()

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch]:
        count = len(self.batches)
        order = (
            torch.randperm(count, generator=torch.Generator().manual_seed(number)).tolist()
            if self.shuffle
            else list(range(count))
        )
        return (self.batches[at] for at in order[start_batch:])


def make_batches(items: Sequence[tuple[str, Tensor]], tokenizer: Any, size: int) -> list[Batch]:
    """Batches of similar lengths."""
    numbered = sorted(enumerate(items), key=lambda item: len(item[1][1]))
    batches = []
    for at in range(0, len(numbered), size):
        part = numbered[at : at + size]
        tokens = [tokenizer.encode(text) for _, (text, _) in part]
        batches.append(
            Batch(
                tuple(Utterance(Path(f"u{index}.wav"), text=text) for index, (text, _) in part),
                Seq.stack([samples for _, (_, samples) in part], Fraction(RATE_HZ)),
                torch.tensor([token for row in tokens for token in row], dtype=torch.int64),
                tuple(len(row) for row in tokens),
                seeds=tuple(index for index, _ in part),
            )
        )
    return batches


def run_case(case: Case, out: Path) -> list[dict[str, Any]]:
    """Train and return the plain records; a run that has to stop has records too."""
    torch.manual_seed(case.seed)
    model = case.network(build(case.spec, case.alphabet.size))
    train = case.batches(make_batches(case.train, case.alphabet, case.batch_size))
    dev = make_batches(case.dev, case.alphabet, 32)
    if model.front.needs_statistics:
        model.front.fit(batch.audio for batch in train)
    task = case.task(model, case.alphabet, spec_to(case.spec), **case.options)
    config = TrainConfig(
        **{
            "epochs": case.epochs,
            "lr": case.lr,
            "schedule": "constant",
            "log_every": 2,
            "skips": 4,
            "save_every_s": 1e9,
            "device": "cpu",
            "seed": case.seed,
            **case.config,
        }
    )
    records: list[dict[str, Any]] = []
    try:
        for record in fit(task, Fixed(train), Fixed(dev, shuffle=False), out=out, config=config):
            records.append(record.as_json())
    except TrainingError:
        pass
    return records


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    """One or two of four words, said by one synthetic voice."""
    pytest.importorskip("espeakng_loader")
    draw = torch.Generator().manual_seed(1)
    items = []
    for index in range(88):
        count = int(torch.randint(1, 3, (), generator=draw))
        text = " ".join(
            WORDS[int(torch.randint(len(WORDS), (), generator=draw))] for _ in range(count)
        )
        items.append(
            (
                text,
                synth.say(
                    index, 3, text=text, voices=["en+m3"], rate_hz=RATE_HZ, noise_share=0.0
                ).samples,
            )
        )
    return Speech(items[:72], items[72:])


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, int, str], None]:
    """note(planted, step, verdict): a line of the table at the end."""

    def write(planted: str, step: int, found: str) -> None:
        line = f"{planted:44} step {step:5}   {found}"
        request.node.user_properties.append(("verdict", line))

    return write


@pytest.fixture
def healthy(speech: Speech) -> Case:
    """A run that learns to spell in a few epochs."""
    return Case(speech.train, speech.dev, SMALL)


@pytest.fixture
def run() -> Callable[[Case, Path], list[dict[str, Any]]]:
    """run(case, folder): the verdicts of its checks, or of the records left where it stopped."""

    def train(case: Case, out: Path) -> list[dict[str, Any]]:
        records = run_case(case, out)
        found = [record["verdict"] for record in records if record["kind"] == "check"]
        return found or [verdict(records).as_json()]

    return train
