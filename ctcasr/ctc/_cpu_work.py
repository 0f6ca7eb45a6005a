"""Scratch memory of one thread, and the way between the classes of a row and its labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ctcasr.ctc._cpu_lattice import PAD, reset
from ctcasr.kernels.jit import Array, Number, jit

_BLOCK_BYTES = 512 << 10  # alphas kept between two checkpoints: half of a second-level cache
_BYTES_OF_A_PLACE = 40  # of a block: mantissa and exponent in two planes, and an emission
_LANES = 16  # frames of scores are padded to whole vectors


class Work(NamedTuple):
    """Scratch memory of one thread, wide enough for every row of the batch.

    P positions in a plane of states, K frames in a block, N distinct classes in a row.
    """

    m: Array  # float64 [K + 1, 2, P] alphas of one block of frames, row 0 those before it
    e: Array  # and their exponents
    kept_m: Array  # float64 [blocks, 2, P] row 0 of each block
    kept_e: Array  # and their exponents
    beta_m: Array  # float64 [2, 2, P] two frames of betas
    beta_e: Array  # and their exponents
    spread: Array  # float64 [K + 1, P] emission of each label
    y: Array  # float64 [T, N] emissions of the classes of the row
    skip: Array  # int64 [P] 0 where label u may follow label u - 1 directly, else ZERO
    occupancy: Array  # float64 [P]
    share: Array  # float64 [N] occupancy of each class in one frame
    classes: Array  # int64 [N] distinct classes of the row, the blank first and as filler
    index: Array  # int64 [U] place of each label in `classes`
    position: Array  # int64 [C] scratch of `distinct`: -1
    frame: Array  # [C padded] scores of one frame, -inf beyond
    powers: Array  # [C padded] their exponentials


@jit
def _up_to(count: Number, group: Number) -> Number:
    """The smallest multiple of `group` that is no smaller than `count`."""
    return (count + group - 1) // group * group


@jit
def make_work(scores: Array, labels: Number, need_grad: Number) -> Work:
    """Work for rows of scores [B, T, C] with at most `labels` labels each."""
    frames = max(scores.shape[1], 1)
    classes = scores.shape[2]
    padded = (labels + PAD) // PAD * PAD + 2 * PAD
    block = PAD
    kept = 0
    if need_grad:
        block = max(_BLOCK_BYTES // (_BYTES_OF_A_PLACE * padded), int(np.sqrt(frames)), PAD)
    block = min(block, frames)
    if need_grad:
        kept = (frames + block - 1) // block
    named = _up_to(min(labels + 1, classes), PAD)
    wide = _up_to(classes, _LANES)
    # by position, in the order of the fields: numba knows no call with 16 names
    work = Work(
        np.empty((block + 1, 2, padded)),
        np.empty((block + 1, 2, padded), np.int64),
        np.empty((kept, 2, padded)),
        np.empty((kept, 2, padded), np.int64),
        np.empty((2, 2, padded)),
        np.empty((2, 2, padded), np.int64),
        np.empty((block + 1, padded)),
        np.empty((frames if need_grad else 1, named)),
        np.empty(padded, np.int64),
        np.empty(padded),
        np.empty(named),
        np.empty(named, np.int64),
        np.empty(labels, np.int64),
        np.empty(classes, np.int64),
        np.empty(wide, scores.dtype),
        np.empty(wide, scores.dtype),
    )
    for row in range(block + 1):
        reset(work.m, work.e, row)
        for place in range(padded):
            work.spread[row, place] = 1.0
    for i in range(named):
        work.share[i] = 0.0
    for c in range(classes):
        work.position[c] = -1
    for c in range(classes, wide):
        work.frame[c] = -np.inf
    return work


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
    for i in range(count):
        work.position[work.classes[i]] = -1
    return count


@jit
def gather(y: Array, index: Array, out: Array, row: Number, low: Number, high: Number) -> None:
    """out[row, PAD + u] = y[index[u]] for low <= u < high: each label's emission in one frame."""
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
