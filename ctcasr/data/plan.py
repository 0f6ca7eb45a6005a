"""Which utterances make which batch: length by length, the same for the same seed and epoch, none left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

Order = Literal["shuffle", "sorted", "sortagrad", "manifest"]
_POOL = 16  # batches whose utterances are sorted together
_WIDTH = 1.15  # longest to shortest in a bucket, where it holds enough batches
_FULL = 4  # batches a bucket should hold before it is closed


def plan_batches(
    durations: Sequence[float],
    *,
    batch_size: int | None,
    batch_seconds: float | None,
    order: Order,
    seed: int,
    epoch: int,
) -> list[list[int]]:
    """Batches of indices: at most `batch_size` and `batch_seconds` of padded sound in each; what is longer goes alone.

    The number of batches is the same in every epoch. "sorted": longest first; "sortagrad": shortest first in epoch 0
    (Amodei et al., ICML 2016), then "shuffle"; "manifest": as they stand.
    """
    if order not in get_args(Order):
        raise ValueError(f"order: expected one of {', '.join(get_args(Order))}; got {order!r}")
    seconds = np.asarray(durations, dtype=np.float64)
    if order == "manifest":
        return _in_order(seconds, batch_size, batch_seconds)
    random = np.random.default_rng([seed, epoch])
    straight = order == "sorted" or (order == "sortagrad" and epoch == 0)
    if batch_seconds is not None:
        batches = _bucketed(seconds, batch_size, batch_seconds, None if straight else random)
    else:
        assert batch_size is not None
        batches = _pooled(seconds, batch_size, None if straight else random)
    if order == "sorted":
        batches = [batch[::-1] for batch in batches[::-1]]
    elif not straight:
        batches = [batches[i] for i in random.permutation(len(batches))]
    return [[int(i) for i in batch] for batch in batches]


def _pooled(seconds: np.ndarray, size: int, random: np.random.Generator | None) -> list[np.ndarray]:
    """Batches of equal size (one less in some, rather than one small rest that BatchNorm would suffer from)."""
    count = len(seconds)
    n_batches = -(-count // size)
    if not n_batches:
        return []
    if random is None:
        return np.array_split(np.argsort(seconds, kind="stable"), n_batches)
    sizes = [len(part) for part in np.array_split(np.arange(count), n_batches)]
    random.shuffle(sizes)
    ends = np.cumsum(sizes)
    indices = random.permutation(count)
    batches: list[np.ndarray] = []
    for start in range(0, n_batches, _POOL):
        cuts = ends[start : start + _POOL]
        first = 0 if start == 0 else int(ends[start - 1])
        pool = indices[first : cuts[-1]]
        pool = pool[np.argsort(seconds[pool], kind="stable")]
        batches += np.split(pool, cuts[:-1] - first)
    return batches


def _bucketed(
    seconds: np.ndarray, size: int | None, batch_seconds: float, random: np.random.Generator | None
) -> list[np.ndarray]:
    """Batches within buckets of similar duration; the longest decides how many fit, so that the count never changes."""
    batches: list[np.ndarray] = []
    for bucket in _buckets(seconds, batch_seconds):
        fit = max(1, int(batch_seconds / max(seconds[bucket[-1]], 1e-9)))
        fit = min(fit, size or fit, len(bucket))
        members = bucket if random is None else random.permutation(bucket)
        batches += np.array_split(members, -(-len(bucket) // fit))
    return batches


def _buckets(seconds: np.ndarray, batch_seconds: float) -> list[np.ndarray]:
    ranked = np.argsort(seconds, kind="stable")
    buckets: list[np.ndarray] = []
    first = 0
    for last in range(1, len(ranked)):
        shortest, longest = seconds[ranked[first]], seconds[ranked[last]]
        if (
            longest > _WIDTH * shortest
            and (last - first) * seconds[ranked[last - 1]] >= _FULL * batch_seconds
        ):
            buckets.append(ranked[first:last])
            first = last
    if len(ranked):
        buckets.append(ranked[first:])
    return buckets


def _in_order(
    seconds: np.ndarray, size: int | None, batch_seconds: float | None
) -> list[list[int]]:
    batches: list[list[int]] = []
    longest = 0.0
    for index, duration in enumerate(seconds.tolist()):
        longest = max(longest, duration)
        there = len(batches[-1]) if batches else 0
        full = size is not None and there >= size
        full = full or (batch_seconds is not None and (there + 1) * longest > batch_seconds)
        if not there or full:
            batches.append([])
            longest = duration
        batches[-1].append(index)
    return batches
