"""Augmentation of sound: lengths, padding, neighbours, seeds; SNR, room and gain as asked for."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.data import mix, reverberate
from ctcasr.front import Augment, SpecAugment, snr_range
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import read_spec
from ctcasr.seq import Seq


def noise(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


def batch(*lengths: int) -> Seq:
    return Seq.stack([0.1 * noise(length, length) for length in lengths], Fraction(16000))


ROOM = torch.cat([torch.zeros(40), torch.exp(-torch.arange(400) / 80) * noise(400, 3)])
ROOM[40] = 4.0
EVERY = Augment(
    [noise(900, 1), noise(3000, 2)],
    [ROOM, ROOM.flip(0)],
    noise_share=1.0,
    rir_share=1.0,
    hiss_db=(10.0, 30.0),
    rate_hz=16000,
)


@given(st.lists(st.integers(1, 2500), min_size=1, max_size=5), st.integers(0, 2**63 - 1))
def test_lengths_stay_and_padding_stays_zero(lengths: list[int], seed: int) -> None:
    samples = batch(*lengths)
    heard = EVERY.sound(samples, range(seed, seed + len(lengths)))
    assert (
        heard.lengths == samples.lengths
        and heard.rate == samples.rate
        and bool(torch.isfinite(heard.data).all())
    )
    assert not bool(heard.data[~heard.mask].any())


@given(st.integers(200, 2500), st.lists(st.integers(1, 4000), max_size=4), st.integers(0, 2**40))
def test_batch_mates_change_nothing(length: int, mates: list[int], seed: int) -> None:
    alone = EVERY.sound(batch(length), [seed]).row(0)
    for place in (0, len(mates)):
        lengths = [*mates[:place], length, *mates[place:]]
        seeds = [
            *range(seed + 1, seed + 1 + place),
            seed,
            *range(seed + 10, seed + 10 + len(mates) - place),
        ]
        torch.testing.assert_close(
            EVERY.sound(batch(*lengths), seeds).row(place), alone, rtol=1e-4, atol=2e-6
        )


def test_a_seed_gives_the_same_and_another_something_else() -> None:
    samples = batch(2000, 1500, 2000)
    first, again = (
        EVERY.sound(samples, [1, 2, 3]),
        pickle.loads(pickle.dumps(EVERY)).sound(samples, [1, 2, 3]),
    )
    other = EVERY.sound(samples, [4, 5, 6])
    assert torch.equal(first.data, again.data)
    assert all(not torch.allclose(first.row(i), other.row(i)) for i in range(3))
    assert torch.equal(samples.data, batch(2000, 1500, 2000).data)  # what came in is as it was


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 20.0])
@pytest.mark.parametrize("room", [0.0, 1.0])
def test_noise_lies_as_far_below_the_speech_as_heard_as_it_should(
    snr_db: float, room: float
) -> None:
    how = {"rir_share": room, "gain_db": 0.0}
    samples = batch(2000, 700)
    clean = Augment([], [ROOM], **how).sound(samples, [5, 6])
    noisy = Augment(
        [noise(900, 1), noise(3000, 2)], [ROOM], snr_db=(snr_db, snr_db), noise_share=1.0, **how
    ).sound(samples, [5, 6])
    for row in range(2):
        added = noisy.row(row) - clean.row(row)
        assert float(
            10 * torch.log10(clean.row(row).square().mean() / added.square().mean())
        ) == pytest.approx(snr_db, abs=0.01)


def test_drawn_snrs_and_gains_fill_their_range() -> None:
    samples = batch(*[1000] * 200)
    noisy = Augment([noise(3000, 2)], snr_db=(0.0, 10.0), noise_share=1.0, gain_db=0.0).sound(
        samples, range(200)
    )
    snr = 10 * torch.log10(
        samples.data.square().mean(1) / (noisy.data - samples.data).square().mean(1)
    )
    assert (
        -0.01 <= float(snr.min()) < 1
        and 9 < float(snr.max()) <= 10.01
        and 4 < float(snr.mean()) < 6
    )
    gain_db = 20 * torch.log10(
        (Augment(gain_db=6.0).sound(samples, range(200)).data / samples.data).mean(1)
    )
    assert -6.01 <= float(gain_db.min()) < -5 and 5 < float(gain_db.max()) <= 6.01


def test_a_room_is_that_of_the_mixtures() -> None:
    samples = batch(2000, 900)
    heard = Augment(rirs=[ROOM], rir_share=1.0, gain_db=0.0).sound(samples, [1, 2])
    for row in range(2):
        torch.testing.assert_close(
            heard.row(row), reverberate(samples.row(row), ROOM), rtol=1e-4, atol=1e-6
        )
    direct = np.convolve(
        samples.row(1).double(), (ROOM[40:] / ROOM[40:].square().sum().sqrt()).double()
    )[:900]
    torch.testing.assert_close(
        heard.row(1).double(), torch.from_numpy(direct), rtol=1e-4, atol=1e-6
    )


def test_noise_is_mixed_as_the_mixtures_do_it() -> None:
    speech, other = 0.1 * noise(1000, 1), noise(1000, 2)
    heard = (
        Augment([other], snr_db=(3.0, 3.0), noise_share=1.0, gain_db=0.0)
        .sound(Seq.stack([speech], 16000), [9])
        .row(0)
    )
    torch.testing.assert_close(heard, mix(speech, other, 3.0).noisy, rtol=1e-4, atol=1e-6)


def test_shares_are_kept_and_change_no_other_draw() -> None:
    samples = batch(*[400] * 400)
    some = Augment([noise(900, 1)], [ROOM], noise_share=0.25, rir_share=0.0, gain_db=0.0).sound(
        samples, range(400)
    )
    changed = (some.data != samples.data).any(1)
    assert 70 <= int(changed.sum()) <= 130
    more = Augment([noise(900, 1)], [ROOM], noise_share=0.5, rir_share=0.0, gain_db=0.0).sound(
        samples, range(400)
    )
    torch.testing.assert_close(more.data[changed], some.data[changed])


def test_silence_stays_silent_and_no_sources_change_nothing() -> None:
    silent = Seq(torch.zeros(2, 500), (500, 300), Fraction(16000))
    assert not bool(EVERY.sound(silent, [1, 2]).data.any())
    quiet = Augment([torch.zeros(100)], noise_share=1.0, gain_db=0.0).sound(batch(500), [1])
    assert torch.equal(quiet.data, batch(500).data)
    assert torch.equal(Augment(gain_db=0.0).sound(batch(500), [1]).data, batch(500).data)


def test_the_front_end_hears_it_and_masks_are_those_of_specaugment() -> None:
    front, masks = build(read_spec("default"), 5).front, SpecAugment()
    samples = batch(16000, 9000)
    plain, masked = front(samples), front(samples, masks, (1, 2))
    assert torch.equal(front(samples, Augment(gain_db=0.0, masks=masks), (1, 2)).data, masked.data)
    assert (
        torch.equal(front(samples, Augment(gain_db=0.0), (1, 2)).data, plain.data)
        and Augment(masks=masks).share == masks.share
    )
    noisy = front(samples, Augment([noise(3000, 2)], noise_share=1.0, masks=masks), (1, 2))
    assert not torch.allclose(noisy.data, masked.data) and bool(
        ((masked.data == 0) <= (noisy.data == 0)).all()
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"noise_share": 1.5},
        {"rir_share": -0.1},
        {"gain_db": -1.0},
        {"snr_db": (5.0, 0.0)},
        {"hiss_db": (5.0, 0.0), "rate_hz": 16000},
        {"hiss_db": (0.0, 5.0)},
        {"noises": [torch.zeros(0)]},
        {"noises": [torch.zeros(2, 9)]},
        {"noises": [torch.tensor([0.1, math.nan])]},
        {"rirs": [torch.zeros(9)]},
        {"rirs": [torch.ones(2, 9)]},
        {"rirs": [torch.tensor([1.0, math.inf])]},
    ],
)
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        Augment(**wrong)


def test_a_seed_for_each_row_is_needed() -> None:
    for seeds in ((), (1,), (1, 2, 3)):
        with pytest.raises(ValueError, match="a seed for each of 2 utterances"):
            Augment().sound(batch(9, 9), seeds)
        with pytest.raises(ValueError, match="a seed for each of 2 utterances"):
            build(read_spec("default"), 9)(batch(900, 900), SpecAugment(warp=0.1), seeds)


def test_noises_and_rooms_in_double_precision_sound_as_in_single() -> None:
    noises, rirs = [noise(3000, 2)], [noise(100, 3)]
    single = Augment(noises, rirs, noise_share=1.0, rir_share=1.0)
    double = Augment(
        [each.double() for each in noises],
        [each.double() for each in rirs],
        noise_share=1.0,
        rir_share=1.0,
    )
    samples = batch(400, 200)
    heard = double.sound(samples, (1, 2)).data
    assert torch.allclose(heard, single.sound(samples, (1, 2)).data, atol=1e-5)


def test_half_of_the_utterances_hear_hiss_at_the_snr_asked_for() -> None:
    samples = batch(*[1000] * 200)
    heard = Augment(hiss_db=(15.0, 45.0), rate_hz=16000, gain_db=0.0).sound(samples, range(200))
    changed = (heard.data != samples.data).any(1)
    assert 75 <= int(changed.sum()) <= 125
    added = (heard.data - samples.data)[changed]
    snr_db = 10 * torch.log10(samples.data[changed].square().mean(1) / added.square().mean(1))
    assert 14.9 <= float(snr_db.min()) < 17 and 43 < float(snr_db.max()) <= 45.1


def test_long_utterances_hear_hiss_from_different_places_and_silence_none() -> None:
    augment = Augment(hiss_db=(0.0, 0.0), rate_hz=16000, gain_db=0.0)
    long = batch(*[7 * 16000] * 40)
    added = augment.sound(long, range(40)).data - long.data
    heard = added[(added != 0).any(1)]
    shapes = heard / heard.square().mean(1, keepdim=True).sqrt()
    alike = (shapes @ shapes.T) / shapes.shape[1]
    assert len(heard) > 10 and float(alike.fill_diagonal_(0).max()) < 0.95
    silent = Seq.stack([torch.zeros(500), torch.zeros(0)], 16000)
    assert not bool(augment.sound(silent, [1, 2]).data.any())


def test_hiss_changes_no_other_draw() -> None:
    samples = batch(*[1000] * 40)
    recorded = Augment([noise(900, 1)], [ROOM]).sound(samples, range(40)).data
    both = (
        Augment([noise(900, 1)], [ROOM], hiss_db=(60.0, 60.0), rate_hz=16000)
        .sound(samples, range(40))
        .data
    )
    apart = (both - recorded).square().mean(1) / recorded.square().mean(1)
    assert float(apart.max()) < 2e-6 and bool((apart > 0).any())


@pytest.mark.parametrize("text", ["", "15", "a,b", "45,15", "1,2,3", "nan,5", "0,inf"])
def test_what_is_no_range_of_snrs_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="LOWEST,HIGHEST"):
        snr_range(text)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_hears_the_same() -> None:
    samples = batch(2000, 1500, 700)
    host, device = EVERY.sound(samples, [1, 2, 3]), EVERY.sound(samples.to("cuda"), [1, 2, 3])
    torch.testing.assert_close(device.data.cpu(), host.data, rtol=1e-4, atol=1e-5)


def test_a_recording_alone_is_made_as_in_a_batch() -> None:
    augment = Augment([torch.randn(500)], [torch.tensor([1.0, 0.5])], noise_share=1.0)
    samples = torch.randn(800)
    generator = torch.Generator().manual_seed(5)
    batch = augment.sound(Seq.stack([samples], rate=16000), seeds=[5])
    assert torch.equal(augment.recording(samples, generator), batch.data[0])
