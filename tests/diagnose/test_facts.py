"""Facts of a corpus: each row of an epoch once, wherever a run was stopped."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ctcasr.batch import Batch, Utterance
from ctcasr.diagnose.facts import CorpusFacts, signal_faults
from ctcasr.seq import Seq
from ctcasr.text import Alphabet

ALPHABET = Alphabet(" abc")
NOISE = torch.randn(100, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def batch() -> Callable[[int], Batch]:
    """batch(number): a sound utterance and a silent one without a target."""

    def make(number: int) -> Batch:
        names = (Path(f"{number}-a.wav"), Path(f"{number}-b.wav"))
        utterances = (Utterance(names[0], text="ab"), Utterance(names[1], text=""))
        audio = Seq.stack([NOISE, torch.zeros(50)], 16000)
        return Batch(utterances, audio, torch.tensor(ALPHABET.encode("ab")), (2, 0))

    return make


def count(facts: CorpusFacts, batch: Batch) -> None:
    facts.add(batch, (10, 4), lambda samples: samples // 10, ALPHABET)


def test_every_row_is_counted_once(batch: Callable[[int], Batch]) -> None:
    facts = CorpusFacts()
    for number in (0, 1, 2, 0, 1, 2):
        count(facts, batch(number))
    counts = facts.as_json()
    assert counts["rows"] == 6 and counts["silent"] == counts["empty"] == 3
    assert counts["wrong_lengths"] == 3 and counts["labels"] == counts["characters"] == 6


def test_texts_are_counted_of_the_rows_that_are_compared(
    batch: Callable[[int], Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctcasr.diagnose.facts._REMEMBERED", 4)
    facts = CorpusFacts()
    for number in range(5):
        count(facts, batch(number))
    counts = facts.as_json()
    assert (counts["rows"], counts["compared"], counts["same_text"]) == (10, 4, 2)


@pytest.mark.parametrize("stop_after", range(5))
def test_a_stop_changes_nothing(batch: Callable[[int], Batch], stop_after: int) -> None:
    whole, stopped = CorpusFacts(), CorpusFacts()
    order = (0, 1, 0, 1)
    for number in order:
        count(whole, batch(number))
    for number in order[:stop_after]:
        count(stopped, batch(number))
    again = CorpusFacts.from_state(stopped.state_dict(), torch.device("cpu"))
    for number in order[stop_after:]:
        count(again, batch(number))
    assert again.as_json() == whole.as_json()


def test_each_fault_of_a_signal_is_one_and_padding_is_none() -> None:
    rows = [NOISE, 0 * NOISE[:50], 0 * NOISE + 0.2, NOISE * math.inf, NOISE[:30] + 0.5]
    assert signal_faults(Seq.stack(rows, 16000)).tolist() == [1, 1, 1]
