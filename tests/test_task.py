"""What the trainer asks of a task: tallies of ranks, samples that are shown."""

from __future__ import annotations

import pytest

from ctcasr.task import alone, three_of


@pytest.mark.parametrize("count", range(3))
def test_of_few_samples_all_are_shown(count: int) -> None:
    assert three_of(range(count)) == list(range(count))


@pytest.mark.parametrize("count", [3, 4, 10, 100])
def test_three_are_spread_evenly_and_always_the_same(count: int) -> None:
    shown = three_of(range(count))
    assert shown == three_of(range(count)) and len(set(shown)) == 3
    assert all(abs(place - count * (2 * k + 1) / 6) < 1 for k, place in enumerate(shown))


def test_one_process_has_its_own_value_only() -> None:
    assert alone("mine") == ["mine"]
