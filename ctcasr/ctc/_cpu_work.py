"""Scratch memory of one thread, and the way between the classes of a row and its labels."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ctcasr.ctc._cpu_frame import LANES
from ctcasr.ctc._cpu_lattice import FRAMES, PAD
from ctcasr.kernels.jit import Array, Number, jit

_BLOCK_BYTES = 1 << 20  # alphas kept between two checkpoints, in a second-level cache
_BYTES_OF_A_PLACE = 25  # of a block: two planes, an emission, and an exponent now and then


class Work(NamedTuple):
    """Scratch memory of one thread, wide enough for every row of the batch.

    P positions in a plane of states, K frames in a block, N distinct classes in a row.
    """

    m: Array  # float64 [K + 1, 2, P] alphas of one block of frames, row 0 those before it
    e: Array  # int64 [K + 1, 2, P] exponents, in the rows that were scaled
    origin: Array  # int64 [K + 1] the row of e that holds the exponents of a row of m
    taken: Array  # int64 [T] powers of two that the smallest emission takes away
    reach: Array  # int64 [T] how far the scaling after a frame reaches, 0 where none is due
    kept_m: Array  # float64 [blocks, 2, P] row 0 of each block
    kept_e: Array  # int64 [blocks, 2, P] and its exponents
    beta_m: Array  # float64 [2, 2, P] two frames of betas
    beta_e: Array  # int64 [2, P] and their exponents
    ways: Array  # float64 [3, P] what alphas are multiplied by on their way to the next state
    beta_ways: Array  # float64 [3, P] and betas
    joint: Array  # float64 [2, P] what products of alpha and beta lack
    gain: Array  # int64 [2, P] scratch of a scaling
    spread: Array  # float64 [K + 1, P] emission of each label
    y: Array  # float64 [T, N + 1] emissions of the classes of the row, and that of no label, 0
    skip: Array  # float64 [P] 1 where label u may follow label u - 1 directly, else 0
    occupancy: Array  # float64 [P]
    share: Array  # float64 [N] occupancy of each class in one frame
    classes: Array  # int64 [N] distinct classes of the row, the blank first and as filler
    index: Array  # int64 [P] place of each label in `classes`, N behind the last
    position: Array  # int64 [C] scratch of `distinct`: -1
    frame: Array  # [C padded] scores of one frame, -inf beyond
    powers: Array  # [C padded] their exponentials
    highest: Array  # [LANES] scratch of `load_frame`


def make_work(frames: int, classes: int, labels: int, dtype: Any, need_grad: bool) -> Work:
    """Work for rows of at most so many frames and labels, with scores of this kind."""
    places = _up_to(labels + 1, PAD) + 2 * PAD
    block = max(_BLOCK_BYTES // (_BYTES_OF_A_PLACE * places), math.isqrt(frames))
    block = _up_to(max(min(block, frames), 1), FRAMES)  # a block ends with a scaling
    kept = math.ceil(frames / block) if need_grad else 0
    named = _up_to(min(labels + 1, classes), PAD)
    wide = _up_to(classes, LANES)
    work = Work(
        m=np.zeros((block + 1, 2, places)),
        e=np.empty((block + 1, 2, places), np.int64),
        origin=np.empty(block + 1, np.int64),
        taken=np.empty(frames, np.int64),
        reach=np.empty(frames, np.int64),
        kept_m=np.empty((kept, 2, places)),
        kept_e=np.empty((kept, 2, places), np.int64),
        beta_m=np.empty((2, 2, places)),
        beta_e=np.empty((2, places), np.int64),
        ways=np.empty((3, places)),
        beta_ways=np.empty((3, places)),
        joint=np.empty((2, places)),
        gain=np.empty((2, places), np.int64),
        spread=np.zeros((block + 1, places)),
        y=np.empty((frames if need_grad else 1, named + 1)),
        skip=np.empty(places),
        occupancy=np.empty(places),
        share=np.zeros(named),
        classes=np.empty(named, np.int64),
        index=np.empty(places, np.int64),
        position=np.full(classes, -1, np.int64),
        frame=np.full(wide, -np.inf, dtype),
        powers=np.empty(wide, dtype),
        highest=np.empty(LANES, dtype),
    )
    work.y[:, named] = 0.0
    return work


def _up_to(count: int, group: int) -> int:
    """The smallest multiple of `group` that is no smaller than `count`."""
    return math.ceil(count / group) * group


@jit
def distinct(labels: Array, blank: Number, work: Work) -> Number:
    """Write a row's distinct classes to work.classes, labels' places to work.index; how many."""
    count = 1
    for i in range(work.classes.size):
        work.classes[i] = blank
    for u in range(labels.size):
        c = labels[u]
        if work.position[c] < 0:
            work.position[c] = count
            work.classes[count] = c
            count += 1
        work.index[u] = work.position[c]
    for u in range(labels.size, work.index.size):
        work.index[u] = work.y.shape[1] - 1
    for i in range(count):
        work.position[work.classes[i]] = -1
    return count


@jit
def gather(y: Array, index: Array, out: Array, row: Number, low: Number, high: Number) -> None:
    """out[row, PAD + u] = y[index[u]] for low <= u < high: emissions of labels in one frame."""
    for i in range(high - low):
        u = np.uintp(low) + np.uintp(i)
        out[row, u + np.uintp(PAD)] = y[np.uintp(index[u])]


@jit
def add_shares(occupancy: Array, index: Array, share: Array, low: Number, high: Number) -> Number:
    """Add the occupancies of labels low <= u < high to the share of their class; their sum."""
    total = 0.0
    for i in range(high - low):
        u = np.uintp(low) + np.uintp(i)
        mass = occupancy[u + np.uintp(PAD)]
        share[np.uintp(index[u])] += mass
        total += mass
    return total


@jit
def subtract(grad: Array, classes: Array, share: Array, total: Number) -> None:
    """grad[classes[i]] -= share[i] / total, after which the shares are 0 again."""
    factor = 1.0 / total
    for i in range(classes.size):
        c = np.uintp(classes[i])
        grad[c] = np.float64(grad[c]) - share[i] * factor
        share[i] = 0.0
