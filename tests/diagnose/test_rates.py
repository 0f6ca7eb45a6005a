"""Recordings at another rate among others, by pitch and duration."""

from __future__ import annotations

import math

import pytest
import torch

from ctcasr.diagnose.rates import RateRow, rate_stats


def people(count: int, seed: int) -> list[RateRow]:
    """Voices of men and women with texts of different lengths, at their own paces."""
    draw = torch.Generator().manual_seed(seed)
    rows = []
    for number in range(count):
        labels = int(torch.randint(4, 30, (), generator=draw))
        pitch_hz = (110 if number % 2 else 200) * 2 ** float(0.2 * torch.randn((), generator=draw))
        active_s = labels / 14 * 2 ** float(0.3 * torch.randn((), generator=draw))
        rows.append(RateRow(pitch_hz, active_s, active_s + 0.3, labels))
    return rows


def at_rate(row: RateRow, factor: float) -> RateRow:
    return RateRow(row.pitch_hz * factor, row.active_s / factor, row.seconds / factor, row.labels)


@pytest.mark.parametrize("seed", range(4))
def test_people_share_little_and_other_rates_much(seed: int) -> None:
    rows = people(100, seed)
    assert not (rate_stats(rows).rate_octaves > 0.3 and rate_stats(rows).rate_errors > 2.9)
    for factor in (0.5, 2.0, 3.0):
        fast = [at_rate(row, factor) for row in rows[:50]]  # of both sexes
        stats = rate_stats(fast + rows[50:])
        assert stats.rate_octaves > 0.3 and stats.rate_errors > 2.9


def test_all_at_another_rate_are_alike() -> None:
    rows = people(60, 0)
    fast = [at_rate(row, 2.0) for row in rows]
    assert rate_stats(fast).rate_octaves == pytest.approx(rate_stats(rows).rate_octaves, abs=1e-3)


def test_of_few_nothing_is_said() -> None:
    stats = rate_stats(people(15, 0))
    assert stats.rate_rows == 15 and math.isnan(stats.rate_octaves)
