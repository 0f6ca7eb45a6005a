"""Scratch memory of one thread, and the way between the classes of a row and its labels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ctcasr.ctc._cpu_lattice import PAD, reset
from ctcasr.kernels.jit import jit

_BLOCK_BYTES = 512 << 10  # alphas kept between two checkpoints: half of a second-level cache
_LANES = 16  # frames of scores are padded to whole vectors


class Work(NamedTuple):
    """Scratch memory of one thread, wide enough for every row of the batch (P positions in a plane, K frames kept)."""

    m: Any  # float64 [K + 1, 2, P] alphas of one block of frames, row 0 those before it; and their exponents
    e: Any
    kept_m: Any  # float64 [blocks, 2, P] row 0 of each block; and their exponents
    kept_e: Any
    beta_m: Any  # float64 [2, 2, P] two frames of betas; and their exponents
    beta_e: Any
    spread: Any  # float64 [K + 1, P] emission of each label
    y: Any  # float64 [T, classes] emissions of the classes of the row
    skip: Any  # int64 [P] 0 where label u may follow label u - 1 directly, else ZERO
    occupancy: Any  # float64 [P]
    share: Any  # float64 [classes] occupancy of each class in one frame
    classes: Any  # int64 [classes] distinct classes of the row, the blank first and as filler
    index: Any  # int64 [S] place of each label in `classes`
    position: Any  # int64 [C] scratch of `distinct`: -1
    frame: Any  # [C padded] scores of one frame, -inf beyond
    powers: Any  # [C padded] their exponentials


@jit
def make_work(scores: Any, labels: Any, need_grad: Any) -> Any:
    """Work for rows of scores [B, T, C] with at most `labels` labels each."""
    frames, classes = max(scores.shape[1], 1), scores.shape[2]
    padded = (labels + PAD) // PAD * PAD + 2 * PAD
    block = max(_BLOCK_BYTES // (40 * padded), int(np.sqrt(frames)), PAD) if need_grad else PAD
    block = min(block, frames)
    kept = (frames + block - 1) // block if need_grad else 0
    named = (min(labels + 1, classes) + PAD - 1) // PAD * PAD
    wide = (classes + _LANES - 1) // _LANES * _LANES
    w = Work(
        np.empty((block + 1, 2, padded)), np.empty((block + 1, 2, padded), np.int64),
        np.empty((kept, 2, padded)), np.empty((kept, 2, padded), np.int64),
        np.empty((2, 2, padded)), np.empty((2, 2, padded), np.int64), np.empty((block + 1, padded)),
        np.empty((frames if need_grad else 1, named)), np.empty(padded, np.int64), np.empty(padded), np.empty(named),
        np.empty(named, np.int64), np.empty(labels, np.int64), np.empty(classes, np.int64),
        np.empty(wide, scores.dtype), np.empty(wide, scores.dtype),
    )  # fmt: skip
    for row in range(block + 1):
        reset(w.m, w.e, row)
        for u in range(padded):
            w.spread[row, u] = 1.0
    for i in range(named):
        w.share[i] = 0.0
    for c in range(classes):
        w.position[c] = -1
    for c in range(classes, wide):
        w.frame[c] = -np.inf
    return w


@jit
def distinct(labels: Any, blank: Any, w: Any) -> Any:
    """Write the distinct classes of a row to w.classes, where each label stands in them to w.index; their number."""
    count = 1
    for i in range(w.classes.size):
        w.classes[i] = blank
    for u in range(labels.size):
        c = labels[u]
        if w.position[c] < 0:
            w.position[c] = count
            w.classes[count] = c
            count += 1
        w.index[u] = w.position[c]
    for i in range(count):
        w.position[w.classes[i]] = -1
    return count


@jit
def gather(y: Any, index: Any, out: Any, row: Any, lo: Any, hi: Any) -> None:
    """out[row, PAD + u] = y[index[u]] for lo <= u < hi: the emission of every label in one frame."""
    for i in range(hi - lo):
        u = np.uintp(lo) + np.uintp(i)
        out[row, u + np.uintp(PAD)] = y[np.uintp(index[u])]


@jit
def add_shares(occupancy: Any, index: Any, share: Any, lo: Any, hi: Any) -> Any:
    """Add the occupancies of labels lo <= u < hi to the share of their class; returns their sum."""
    total = 0.0
    for i in range(hi - lo):
        u = np.uintp(lo) + np.uintp(i)
        x = occupancy[u + np.uintp(PAD)]
        share[np.uintp(index[u])] += x
        total += x
    return total


@jit
def subtract(grad: Any, classes: Any, share: Any, total: Any) -> None:
    """grad[classes[i]] -= share[i] / total, after which the shares are 0 again."""
    factor = 1.0 / total
    for i in range(classes.size):
        c = np.uintp(classes[i])
        grad[c] = np.float64(grad[c]) - share[i] * factor
        share[i] = 0.0
