"""Arrays as samples: scaled by their type, of one channel, and refused where they are no sound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.data import AudioError, as_samples, read_audio
from ctcasr.data.samples import CancelledChannels, NotFinite, check_rate

SOUND = np.random.default_rng(0).uniform(-0.9, 0.9, 400)
SCALES = {"int8": 2**7, "int16": 2**15, "int32": 2**31}


@pytest.mark.parametrize("kind", [*SCALES, "uint8", "uint16", "float16", "float32", "float64"])
@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
def test_a_sound_is_the_same_whatever_its_type(kind: str, make: Callable[[Any], Any]) -> None:
    values = SOUND
    if kind in SCALES:
        values = np.round(SOUND * SCALES[kind])
    elif kind.startswith("uint"):
        half = 2 ** (int(kind[4:]) - 1)
        values = np.round(SOUND * half) + half
    array = values.astype(kind)
    if kind == "uint16" and make is torch.as_tensor:
        pytest.skip("torch computes little with unsigned 16 bits")
    samples = as_samples(make(array), 16000)
    step = 1 / 128 if kind.endswith("t8") else 1e-3
    assert samples.dtype == torch.float32
    torch.testing.assert_close(samples, torch.from_numpy(SOUND).float(), rtol=0, atol=step)


@pytest.mark.parametrize("kind", SCALES)
def test_full_scale_is_one(kind: str) -> None:
    least = np.array([np.iinfo(kind).min, 0, np.iinfo(kind).max], dtype=kind)
    samples = as_samples(least, 16000)
    assert samples[0] == -1 and samples[1] == 0 and 0.99 < float(samples[2]) <= 1


def test_int16_is_what_the_file_of_it_is(write: Callable[..., Path]) -> None:
    array = np.arange(-32768, 32768, 7, dtype=np.int16)
    assert torch.equal(as_samples(array, 16000), read_audio(write("a.wav", array), 16000))


@given(st.integers(1, 5), st.integers(6, 40))
def test_channels_are_averaged(channels: int, count: int) -> None:
    array = np.random.default_rng(count).uniform(-0.5, 0.5, (channels, count)).astype(np.float32)
    expected = torch.from_numpy(array).mean(0)
    torch.testing.assert_close(as_samples(array, 8000), expected)
    assert torch.equal(as_samples(array.T.copy().T, 8000), as_samples(torch.tensor(array), 8000))


def test_arrays_backwards_and_of_other_byte_orders_are_read() -> None:
    array = np.arange(100, dtype=">i2")
    assert torch.equal(as_samples(array[::-1], 8000), as_samples(array, 8000).flip(0))


def test_what_is_handed_over_is_not_changed() -> None:
    tensor = torch.tensor([0.25, 0.5], requires_grad=True)
    samples = as_samples(tensor, 8000)
    assert not samples.requires_grad and tensor.tolist() == [0.25, 0.5]


@pytest.mark.parametrize(
    ("sound", "told"),
    [
        (np.zeros((400, 2)), "more channels than sound; transpose"),
        (np.zeros((64, 1)), "more channels than sound; transpose"),
        (np.zeros((2, 1)), "more channels than sound; transpose"),
        (np.zeros((2, 2, 9)), r"\[N\] or \[channels, N\]"),
        (np.zeros(0), r"got \(1, 0\)"),
        (np.float32(1), r"expected a tensor or a numpy array"),
        (np.array(["a"]), "expected integers or floats"),
        (np.zeros(9, dtype=np.int64), "integers of 8, 16 or 32 bits"),
        (torch.zeros(9, dtype=torch.bool), "integers of 8, 16 or 32 bits"),
        (np.zeros(9, dtype=complex), "integers of 8, 16 or 32 bits"),
        ([0.5, 0.5], "got list"),
        (None, "got NoneType"),
        (np.array([0.1, np.nan]), "got 1 NaN or infinite ones of 2"),
        (1e4 * SOUND, r"within about -1 to 1; the largest is 8.*divided by 32768"),
    ],
)
def test_what_is_no_sound_is_refused_by_name(sound: Any, told: str) -> None:
    with pytest.raises(AudioError, match=rf"mine: .*{told}"):
        as_samples(sound, 16000, "mine")


def test_errors_of_their_own_kinds() -> None:
    with pytest.raises(NotFinite):
        as_samples(np.array([np.inf]), 8000)
    with pytest.raises(CancelledChannels, match="opposite phase"):
        as_samples(np.stack([SOUND, -SOUND]), 8000)


def test_near_silence_and_channels_that_differ_are_no_opposites() -> None:
    as_samples(np.stack([1e-6 * SOUND, -1e-6 * SOUND]), 8000)
    as_samples(np.stack([SOUND, -0.9 * SOUND]), 8000)
    as_samples(np.zeros((2, 50)), 8000)


@pytest.mark.parametrize("rate", [None, 0, -16000, 16, 16000.5, float("nan"), "16000", True, 10**9])
def test_rates_that_no_sound_has_are_refused(rate: Any) -> None:
    with pytest.raises(AudioError, match=r"mine: expected rate_hz"):
        as_samples(SOUND, rate, "mine")


@pytest.mark.parametrize("rate", [8000, 8000.0, np.int32(8000), np.float64(8000)])
def test_rates_are_whole_numbers_of_any_type(rate: Any) -> None:
    assert check_rate(rate) == 8000


@pytest.mark.parametrize("rate_hz", [0, 16, -1])
def test_files_are_not_read_at_such_rates(write: Callable[..., Path], rate_hz: int) -> None:
    with pytest.raises(AudioError, match="expected rate_hz within"):
        read_audio(write("a.wav"), rate_hz)


def test_files_with_opposite_channels_or_16_bit_floats_are_told(
    write: Callable[..., Path],
) -> None:
    path = write("opposite.wav", np.stack([SOUND, -SOUND], axis=1))
    with pytest.raises(CancelledChannels, match=r"opposite\.wav: .*opposite phase"):
        read_audio(path, 16000)
    path = write("loud.wav", 20000 * SOUND, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"loud\.wav: .*divided by 32768"):
        read_audio(path, 16000)
