"""Offsets: found where spellings are shifted, whatever their paces, and told apart from chance."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data import AudioError
from ctcasr.doctor.offset import MOST_S, Offset, Pair, estimate_offset, median_offset
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.text import Alphabet


def spelt(seed: int, late: int = 0, scatter: int = 0) -> Tensor:
    """Twenty spikes of ten symbols within three seconds, so many steps late, scattered."""
    draw = torch.Generator().manual_seed(seed)
    places = torch.randperm(220, generator=draw)[:20] + 40
    symbols = torch.randint(0, 10, (20,), generator=draw)
    own = torch.Generator().manual_seed(seed + 1000 + late)
    apart = torch.randint(-scatter, scatter + 1, (20,), generator=own)
    spikes = torch.zeros(300, 10)
    spikes[(places + late + apart).clamp(0, 299), symbols] = 1.0
    return spikes


@pytest.mark.parametrize("late", [-30, -12, 0, 8, 25])
def test_the_shift_is_found_although_symbols_scatter(late: int) -> None:
    for seed in range(5):
        offset = estimate_offset(spelt(seed), spelt(seed, late, scatter=4))
        assert abs(offset.seconds - late / 100) <= 0.03
        assert offset.margin > 0
    sure = estimate_offset(spelt(1), spelt(1, late))
    assert sure.is_late == (abs(late) >= 8)


def test_another_sentence_resembles_less() -> None:
    same = estimate_offset(spelt(1), spelt(1, 5, scatter=3))
    other = estimate_offset(spelt(1), spelt(2))
    assert same.resemblance > 2 * other.resemblance


def test_a_bias_is_taken_off_and_offsets_stay_within_what_is_looked_for() -> None:
    offset = estimate_offset(spelt(1), spelt(1, 20), bias_s=0.15)
    assert offset.seconds == pytest.approx(0.05)
    far = estimate_offset(spelt(1), spelt(1, 70))
    assert abs(far.seconds) <= MOST_S


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="one alphabet"):
        estimate_offset(torch.zeros(5, 3), torch.zeros(5, 4))
    alphabet = Alphabet.english38()
    recognisers = []
    for name in ("lips hidden=8 layers=1", "default hidden=8 layers=1"):
        spec = read_spec(name)
        recognisers.append(Recogniser(build(spec, alphabet.size), alphabet, spec_to(spec), {}))
    seeing, hearing = recognisers
    with pytest.raises(ValueError, match="this one reads lips"):
        Pair(seeing, seeing)
    with pytest.raises(ValueError, match="this one hears"):
        Pair(hearing, hearing)
    assert Pair(hearing, seeing).bias_s == 0.0


def test_of_what_is_alike_at_no_shift_nothing_is_told() -> None:
    assert not estimate_offset(spelt(1), torch.zeros(300, 10)).is_sure
    assert not Offset(0.3, 0.07, 0.004).is_late and Offset(0.3, 0.07, 0.1).is_late
    assert estimate_offset(spelt(1), spelt(1, 12, scatter=4)).is_sure


def test_clips_that_cannot_be_read_count_for_no_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair.__new__(Pair)
    pair.bias_s = 0.0

    def offset(utterance: Utterance) -> Offset:
        if utterance.id == "gone":
            raise AudioError("no such file")
        return Offset(0.3, 0.05, 0.01) if utterance.id == "mute" else Offset(0.04, 0.9, 0.3)

    monkeypatch.setattr(pair, "offset", offset)
    there, gone = Utterance(Path("there.wav")), Utterance(Path("gone.wav"), where="m.jsonl:2")
    mute = Utterance(Path("mute.wav"))
    skipped = [skip.where for skip in pair.set_right([gone, mute, there])]
    assert skipped == ["m.jsonl:2 (gone)", "mute"]
    assert pair.bias_s == pytest.approx(0.04)
    for lines in ([gone], [mute], []):
        with pytest.raises(ValueError, match="expected clips in time that can be read"):
            pair.set_right(lines)


def test_the_median_of_nothing_is_no_number() -> None:
    assert torch.isnan(torch.tensor(median_offset([])))
