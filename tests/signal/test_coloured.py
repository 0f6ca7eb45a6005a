"""Noises made from nothing: of power one, each of another colour, the same for a seed."""

from __future__ import annotations

import pytest
import torch

from ctcasr.signal.coloured import coloured_noises

RATE_HZ = 16000


@pytest.mark.parametrize("rate_hz", [8000, RATE_HZ, 44100])
@pytest.mark.parametrize("seconds", [0.05, 0.3, 2.0])
def test_noises_are_finite_and_of_power_one(seconds: float, rate_hz: int) -> None:
    for noise in coloured_noises(6, seconds, rate_hz, seed=1):
        assert len(noise) == round(seconds * rate_hz)
        assert float(noise.square().mean()) == pytest.approx(1.0, abs=1e-3)


def test_a_seed_gives_the_same_and_another_something_else() -> None:
    first, again = coloured_noises(2, 0.1, RATE_HZ, 3), coloured_noises(2, 0.1, RATE_HZ, 3)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], coloured_noises(1, 0.1, RATE_HZ, 4)[0])


def share_above_1_khz(noise: torch.Tensor) -> float:
    power = torch.fft.rfft(noise).abs().square()
    return float(power[len(power) // 8 :].sum() / power.sum())


def test_colours_reach_from_rumble_to_hiss() -> None:
    shares = [share_above_1_khz(noise) for noise in coloured_noises(48, 1.0, RATE_HZ, 0)]
    assert min(shares) < 0.02 and max(shares) > 0.9


def test_nothing_lies_below_what_is_heard() -> None:
    for noise in coloured_noises(8, 2.0, RATE_HZ, 0)[::2]:  # what sways spreads a little
        power = torch.fft.rfft(noise).abs().square()
        assert float(power[: 2 * 20].sum() / power.sum()) < 1e-6


def test_an_end_goes_over_into_its_beginning() -> None:
    for noise in coloured_noises(16, 2.0, RATE_HZ, 0):
        steps = (noise - noise.roll(1)).abs()
        assert float(steps[0]) < 6 * float(steps.square().mean().sqrt())


def test_less_than_a_period_is_refused() -> None:
    with pytest.raises(ValueError, match="of noise or more"):
        coloured_noises(1, 0.01, RATE_HZ, 0)


def test_every_second_one_sways() -> None:
    def sway_db(noise: torch.Tensor) -> float:
        levels_db = 10 * torch.log10(noise.unfold(0, 4000, 4000).square().mean(1))
        return float(levels_db.std())

    noises = coloured_noises(40, 4.0, RATE_HZ, 0)
    steady = torch.tensor([sway_db(noise) for noise in noises[::2]]).median()
    swaying = torch.tensor([sway_db(noise) for noise in noises[1::2]]).median()
    assert float(swaying) > 2 * float(steady)
