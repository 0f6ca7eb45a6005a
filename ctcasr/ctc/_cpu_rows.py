"""Rows of a batch, one after another: softmax, lattice and gradient of each in one sweep forth and one back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._cpu_frame import emissions, load_frame, softmax, sum_exp
from ._cpu_jit import jit, take_next
from ._cpu_lattice import BLANK, LABEL, PAD, SHIFT, ZERO, alpha_step, beta_step, clear, gather, pow2
from ._cpu_logspace import logspace_row

HEALTHY = 1e-9  # spread of sum_s alpha beta over time beyond which a row is done again in log space
_BLOCK_BYTES = 512 << 10  # alphas kept between two checkpoints: half of a second-level cache
_LN2 = float(np.log(2.0))


@jit
def distinct(labels: Any, blank: Any, position: Any, classes: Any, index: Any) -> Any:
    """Distinct classes of a row, the blank first, into `classes`, index of each label in them into `index`; their
    number. `position` [C] must be -1 everywhere, and is so again afterwards."""
    count = 1
    classes[0] = blank
    for u in range(labels.size):
        c = labels[u]
        if position[c] < 0:
            position[c] = count
            classes[count] = c
            count += 1
        index[u] = position[c]
    for i in range(count):
        position[classes[i]] = -1
    return count


@jit
def low_state(t: Any, frames: Any, labels: Any) -> Any:
    """First state in frame t from which the target can still be finished, rounded down to a group."""
    return max(labels - (frames - t), 0) // PAD * PAD


@jit
def high_state(t: Any, width: Any) -> Any:
    """One past the last state that frame t can have reached, rounded up to a group."""
    return min((t + 1) // PAD * PAD + PAD, width)


@jit
def run_rows(
    scores: Any, grads: Any, labels: Any, offsets: Any, lengths: Any, order: Any, counter: Any, blank: Any,
    prior: Any, normalize: Any, need_grad: Any, nll: Any, health: Any,
) -> None:  # fmt: skip
    """Do rows of scores [B, T, C] off the list `order`, which all threads share, until it is empty.

    Writes nll [B] and health [B] (both float64) and, where asked for, grads [B, T, C].
    """
    position = np.full(scores.shape[2], -1)
    frame = np.empty(scores.shape[2], scores.dtype)
    while True:
        place = take_next(counter)
        if place >= order.size:
            return
        b = order[place]
        frames = lengths[b]
        row_labels = labels[offsets[b] : offsets[b + 1]]
        row_grad = grads[b] if need_grad else grads[0]
        if need_grad:
            row_grad[frames:] = 0
        loss, spread = one_row(
            scores[b, :frames], row_grad, row_labels, blank, prior, normalize, need_grad, position, frame
        )
        nll[b], health[b] = loss, spread


@jit
def one_row(
    scores: Any, grad: Any, labels: Any, blank: Any, prior: Any, normalize: Any, need_grad: Any,
    position: Any, frame: Any,
) -> Any:  # fmt: skip
    """Loss and health of one row of scores [T, C]; writes grad [>= T, C]."""
    frames, count = scores.shape[0], labels.size
    needed = count
    for u in range(1, count):
        needed += labels[u] == labels[u - 1]
    if frames < needed:
        if need_grad:
            grad[:frames] = 0
        return np.inf, 0.0
    index = np.empty(count, np.int64)
    buffer = np.empty(count + 1, np.int64)
    classes = buffer[: distinct(labels, blank, position, buffer, index)]
    width = (count + PAD) // PAD * PAD  # states in each plane, count + 1 rounded up
    padded = width + 2 * PAD
    skip = np.full(padded, ZERO)
    for u in range(1, count):
        if labels[u] != labels[u - 1]:
            skip[PAD + u] = 0
    size = max(_BLOCK_BYTES // (32 * padded), int(np.sqrt(frames)), PAD) if need_grad else PAD
    size = min(size, max(frames, 1))
    blocks = (frames + size - 1) // size
    m, e = np.empty((size + 1, 2, padded)), np.empty((size + 1, 2, padded), np.int64)
    kept = blocks if need_grad else 0
    kept_m, kept_e = np.empty((kept, 2, padded)), np.empty((kept, 2, padded), np.int64)
    y = np.empty((frames if need_grad else 1, classes.size))
    spread = np.ones(padded)

    clear(m, e)
    e[0, BLANK, PAD] = 0
    last = 0
    shift, product = 0.0, 1.0  # the loss without the lattice: -sum of maxima, + log of the product of the norms
    good = True
    for block in range(blocks):
        if block > 0:
            m[0], e[0] = m[last], e[last]
        if need_grad:
            kept_m[block], kept_e[block] = m[0], e[0]
        start = block * size
        for t in range(start, min(start + size, frames)):
            top = load_frame(scores[t], frame)
            total = 1.0
            if normalize:
                total = np.float64(softmax(frame, top, grad[t]) if need_grad else sum_exp(frame, top))
            elif need_grad:
                grad[t] = 0
            row = y[t if need_grad else 0]
            best = emissions(frame, prior, classes, row)
            good = good and np.isfinite(best) and np.isfinite(total)
            if not good:
                continue
            shift -= best - top if normalize else best
            product *= total
            if product > 1e200:
                shift += np.log(product)
                product = 1.0
            lo, hi = low_state(t, frames, count), high_state(t, width)
            gather(row, index, spread, lo, min(hi, count))
            last = t - start + 1
            alpha_step(m, e, last - 1, last, skip, spread, row[0], lo, hi)
    if not good:
        return logspace_row(scores, grad, labels, blank, prior, normalize, need_grad)
    z_exponent = max(e[last, BLANK, PAD + count], e[last, LABEL, PAD + count - 1])
    z = m[last, BLANK, PAD + count] * pow2(e[last, BLANK, PAD + count] - z_exponent + 1023)
    z += m[last, LABEL, PAD + count - 1] * pow2(e[last, LABEL, PAD + count - 1] - z_exponent + 1023)
    loss = shift + np.log(product) - np.log(z) - (z_exponent - SHIFT * frames) * _LN2
    if not need_grad or frames == 0:
        return loss, 0.0

    bm, be = np.empty((2, 2, padded)), np.empty((2, 2, padded), np.int64)
    clear(bm, be)
    be[frames % 2, BLANK, PAD + count] = 0
    occupancy, share = np.empty(padded), np.zeros(classes.size)
    base = z_exponent - 2046
    lowest, highest = np.inf, -np.inf
    for block in range(blocks - 1, -1, -1):
        start, end = block * size, min(block * size + size, frames)
        if block < blocks - 1:
            m[0], e[0] = kept_m[block], kept_e[block]
            for t in range(start, end):
                lo, hi = low_state(t, frames, count), high_state(t, width)
                gather(y[t], index, spread, lo, min(hi, count))
                alpha_step(m, e, t - start, t - start + 1, skip, spread, y[t, 0], lo, hi)
        for t in range(end - 1, start - 1, -1):
            lo, hi = low_state(t, frames, count), high_state(t, width)
            gather(y[t], index, spread, lo, min(hi, count))
            blanks = beta_step(bm, be, (t + 1) % 2, t % 2, skip, spread, y[t, 0], lo, hi,
                               m, e, t - start + 1, base, occupancy)  # fmt: skip
            total = blanks + gather_shares(occupancy, index, share, lo, min(hi, count))
            share[0] = blanks
            subtract(grad[t], classes, share, total)
            lowest, highest = min(lowest, total), max(highest, total)
    spread_of_z = (highest - lowest) / highest
    if not spread_of_z < HEALTHY:
        for t in range(frames):
            if normalize:
                softmax(frame, load_frame(scores[t], frame), grad[t])
            else:
                grad[t] = 0
        return logspace_row(scores, grad, labels, blank, prior, normalize, need_grad)
    return loss, spread_of_z


@jit
def gather_shares(occupancy: Any, index: Any, share: Any, lo: Any, hi: Any) -> Any:
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
    """grad[classes[i]] -= share[i] / total; clears the shares."""
    scale = 1.0 / total
    for i in range(classes.size):
        c = np.uintp(classes[i])
        grad[c] = np.float64(grad[c]) - share[i] * scale
        share[i] = 0.0
