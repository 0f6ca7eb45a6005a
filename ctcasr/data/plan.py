"""Which utterances make which batch: length by length, the same for the same seed and epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

Order = Literal["shuffle", "sorted", "sortagrad", "manifest"]
Random = np.random.Generator

_POOL = 16  # batches whose utterances are sorted together
_WIDTH = 1.15  # longest to shortest in a bucket, where it holds enough batches
_FULL = 4  # batches a bucket should hold before it is closed
_LEAST_S = 1e-9  # that a batch's seconds are divided by


def plan_batches(
    durations: Sequence[float],
    *,
    batch_size: int | None,
    batch_seconds: float | None,
    order: Order,
    seed: int,
    epoch: int,
) -> list[list[int]]:
    """Batches of indices: at most `batch_size` and `batch_seconds` of padded sound in each.

    What is longer goes alone; none is left out. The number of batches is the same in every epoch.
    "sorted": longest first; "sortagrad": shortest first in epoch 0 (Amodei et al., ICML 2016),
    then "shuffle"; "manifest": as they stand.

    Raises:
        ValueError: for another order.

    Example:
        >>> how = {"batch_seconds": None, "order": "sorted", "seed": 0, "epoch": 0}
        >>> plan_batches([3.0, 1.0, 2.0, 4.0], batch_size=2, **how)
        [[3, 0], [2, 1]]
    """
    if order not in get_args(Order):
        raise ValueError(f"order: expected one of {', '.join(get_args(Order))}; got {order!r}")
    seconds = np.asarray(durations, dtype=np.float64)
    if order == "manifest":
        return _in_order(seconds, batch_size, batch_seconds)
    random = np.random.default_rng([seed, epoch])
    by_length = order == "sorted" or (order == "sortagrad" and epoch == 0)
    within = None if by_length else random
    if batch_seconds is not None:
        batches = _bucketed(seconds, batch_size, batch_seconds, within)
    else:
        assert batch_size is not None
        batches = _pooled(seconds, batch_size, within)
    if order == "sorted":
        batches = [batch[::-1] for batch in reversed(batches)]
    elif not by_length:
        batches = [batches[index] for index in random.permutation(len(batches))]
    return [batch.tolist() for batch in batches]


def _pooled(seconds: np.ndarray, size: int, random: Random | None) -> list[np.ndarray]:
    """Batches of equal size, or one less in some.

    Better so than one small rest, which BatchNorm would suffer from.
    """
    count = len(seconds)
    n_batches = math.ceil(count / size)
    if not n_batches:
        return []
    if random is None:
        return np.array_split(_by_length(seconds), n_batches)
    sizes = _equal_sizes(count, n_batches)
    random.shuffle(sizes)
    bounds = [0, *np.cumsum(sizes)]
    indices = random.permutation(count)
    batches: list[np.ndarray] = []
    for start in range(0, n_batches, _POOL):
        first, *inner, end = bounds[start : start + _POOL + 1]
        pool = indices[first:end]
        ranked = pool[_by_length(seconds[pool])]
        cuts = [bound - first for bound in inner]
        batches += np.split(ranked, cuts)
    return batches


def _equal_sizes(count: int, n_batches: int) -> list[int]:
    """Sizes of so many batches of `count` together; the larger ones first."""
    size, n_larger = divmod(count, n_batches)
    return [size + 1] * n_larger + [size] * (n_batches - n_larger)


def _bucketed(
    seconds: np.ndarray, size: int | None, batch_seconds: float, random: Random | None
) -> list[np.ndarray]:
    """Batches within buckets of similar duration.

    A bucket's longest decides how many fit, so that the number of batches never changes.
    """
    batches: list[np.ndarray] = []
    for bucket in _buckets(seconds, batch_seconds):
        longest_s = max(seconds[bucket[-1]], _LEAST_S)
        fit = max(1, int(batch_seconds / longest_s))
        if size:
            fit = min(fit, size)
        n_batches = math.ceil(len(bucket) / fit)
        members = bucket
        if random is not None:
            members = random.permutation(bucket)
        batches += np.array_split(members, n_batches)
    return batches


def _buckets(seconds: np.ndarray, batch_seconds: float) -> list[np.ndarray]:
    """Indices by length, cut where a bucket is full and the next would be much longer."""
    ranked = _by_length(seconds)
    buckets: list[np.ndarray] = []
    first = 0
    for last in range(1, len(ranked)):
        shortest_s = seconds[ranked[first]]
        longest_s = seconds[ranked[last]]
        padded_s = (last - first) * seconds[ranked[last - 1]]
        if longest_s > _WIDTH * shortest_s and padded_s >= _FULL * batch_seconds:
            buckets.append(ranked[first:last])
            first = last
    if len(ranked):
        buckets.append(ranked[first:])
    return buckets


def _in_order(
    seconds: np.ndarray, size: int | None, batch_seconds: float | None
) -> list[list[int]]:
    batches: list[list[int]] = []
    current: list[int] = []
    longest_s = 0.0
    for index, duration_s in enumerate(seconds.tolist()):
        longest_s = max(longest_s, duration_s)
        padded_s = (len(current) + 1) * longest_s
        too_many = size is not None and len(current) >= size
        too_long = batch_seconds is not None and padded_s > batch_seconds
        if too_many or too_long or not current:
            current = []
            batches.append(current)
            longest_s = duration_s
        current.append(index)
    return batches


def _by_length(seconds: np.ndarray) -> np.ndarray:
    """Indices from the shortest to the longest; equal ones stay in order."""
    return np.argsort(seconds, kind="stable")
