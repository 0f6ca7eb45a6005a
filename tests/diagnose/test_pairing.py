"""Do texts go with sounds? Of tones that spell, and of texts dealt out anew."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from ctcasr.batch import Batch, Utterance
from ctcasr.diagnose.pairing import (
    PairedRow,
    PairingTally,
    against_dev,
    label_shape,
    pairing_stats,
    sound_shape,
)
from ctcasr.seq import Seq

RATE_HZ = 16000


def spoken(labels: Sequence[int], draw: torch.Generator) -> torch.Tensor:
    """A tone for each label, and noise."""
    time = torch.arange(RATE_HZ // 10) / RATE_HZ
    tones = [(2 * torch.pi * (300 + 400 * label) * time).sin() for label in labels]
    sound = torch.cat(tones)
    return 0.1 * sound + 0.02 * torch.randn(len(sound), generator=draw)


def rows_of(count: int, seed: int, length: int | None = None) -> list[PairedRow]:
    """Utterances of one to six of five labels, or of a fixed length."""
    draw = torch.Generator().manual_seed(seed)
    rows = []
    for _ in range(count):
        size = length or int(torch.randint(1, 7, (), generator=draw))
        labels = torch.randint(1, 6, (size,), generator=draw)
        sound, active_s = sound_shape(spoken(labels.tolist(), draw), RATE_HZ)
        rows.append(PairedRow(sound, label_shape(labels), active_s, size))
    return rows


def dealt(rows: Sequence[PairedRow], share: float = 1.0) -> list[PairedRow]:
    """A share of the texts handed on to the next recording."""
    count = round(share * len(rows))
    givers = [*rows[1:count], rows[0]]
    result = list(rows)
    for place, giver in enumerate(givers):
        result[place] = dataclasses.replace(rows[place], codes=giver.codes, labels=giver.labels)
    return result


@pytest.mark.parametrize("length", [None, 3])
def test_texts_go_with_sounds_unless_they_are_dealt_out_anew(length: int | None) -> None:
    rows = rows_of(100, 0, length)
    together = pairing_stats(rows)
    apart = pairing_stats(dealt(rows))
    assert together.paired > 4 > 2.5 > abs(apart.paired)
    if length is None:
        assert together.paired_lengths > 4 > 2.5 > abs(apart.paired_lengths)
    else:
        assert together.label_spread == 0.0


def test_half_of_the_texts_dealt_out_anew_agree_half_as_much() -> None:
    train = rows_of(160, 1)
    dev = rows_of(40, 2)
    assert against_dev(train, dev).paired_over_dev == pytest.approx(1.0, abs=0.3)
    half = against_dev(dealt(train, 0.5), dev)
    assert half.paired_over_dev < 0.7 and half.paired_less > 2 and half.dev_agrees > 3


def test_one_text_for_all_and_few_rows_tell_nothing() -> None:
    rows = rows_of(40, 3)
    same = [dataclasses.replace(row, codes=rows[0].codes, labels=3) for row in rows]
    stats = pairing_stats(same)
    assert math.isnan(stats.paired) and math.isnan(stats.paired_lengths)
    assert math.isnan(pairing_stats(rows[:10]).paired)
    assert math.isnan(against_dev(rows, rows[:3]).paired_over_dev)


@pytest.mark.parametrize(
    "samples", [torch.zeros(16000), torch.zeros(3), torch.full((9000,), math.nan)]
)
def test_what_cannot_be_heard_has_no_shape(samples: torch.Tensor) -> None:
    shape, active_s = sound_shape(samples, RATE_HZ)
    assert active_s == 0.0 and not shape.any()


def test_a_tally_leaves_out_silence_and_empty_targets_and_survives_a_stop() -> None:
    draw = torch.Generator().manual_seed(0)
    sounds = [spoken([1, 2], draw), torch.zeros(4000), spoken([3], draw)]
    names = [Utterance(Path(f"{place}.wav"), text="a b") for place in range(3)]
    batch = Batch(tuple(names), Seq.stack(sounds, RATE_HZ), torch.tensor([1, 2, 4]), (2, 1, 0))
    tally = PairingTally()
    tally.add(batch)
    assert tally.stats().paired_rows == 1
    again = PairingTally.from_state(tally.state_dict())
    again.add(batch)
    assert again.stats().paired_rows == 2
    assert PairingTally.from_state({}).stats().paired_rows == 0  # of an older file
