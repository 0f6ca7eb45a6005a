"""The sample cache: equal to the bit, within its budget."""

from __future__ import annotations

import pickle

import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.data import SampleCache

SAMPLES = [0.0, -1.0, 1.0, 32767 / 32768, 0.1, 1e-9, 2.0, 1 / 32768]


@given(st.lists(st.sampled_from(SAMPLES), max_size=20))
def test_what_comes_back_is_equal_to_the_bit(values: list[float]) -> None:
    cache, samples = SampleCache(), torch.tensor(values, dtype=torch.float32)
    cache.put("a", samples)
    kept = cache.get("a")
    assert kept is not None and kept.dtype == torch.float32 and torch.equal(kept, samples)


def test_a_copy_cannot_be_spoilt() -> None:
    for value in (0.1, 0.5):
        cache, samples = SampleCache(), torch.full((5,), value)
        cache.put(1, samples)
        samples.zero_()
        first = cache.get(1)
        assert first is not None
        first.zero_()
        assert torch.equal(cache.get(1), torch.full((5,), value))  # type: ignore[arg-type]


def test_sixteen_bits_where_they_are_enough() -> None:
    cache = SampleCache()
    cache.put("short", torch.full((100,), 0.5))
    assert cache.used_bytes == 200
    cache.put("float", torch.full((100,), 0.1))
    assert cache.used_bytes == 600


def test_the_budget_is_kept() -> None:
    cache = SampleCache(300)
    for key in range(5):
        cache.put(key, torch.full((50,), 0.5))
        cache.put(key, torch.full((50,), 0.5))
    assert (len(cache), cache.used_bytes, cache.get(4)) == (3, 300, None)


def test_pickled_empty() -> None:
    cache = SampleCache(300)
    cache.put("a", torch.zeros(10))
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy.budget_bytes, copy.used_bytes, len(copy)) == (300, 0, 0)
    copy.put("a", torch.zeros(10))
    assert len(copy) == 1
