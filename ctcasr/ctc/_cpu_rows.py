"""Rows of a batch, one after another: softmax, lattice and gradient of each in one sweep forth and one back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ctcasr.ctc._cpu_frame import emissions, load_frame, scale, sum_exp
from ctcasr.ctc._cpu_jit import cached, jit, take_next
from ctcasr.ctc._cpu_lattice import BLANK, LABEL, PAD, SHIFT, ZERO, add_shares, alpha_step, beta_step, gather, pow2, subtract
from ctcasr.ctc._cpu_logspace import logspace_row

HEALTHY = 1e-9  # spread of sum_s alpha beta over time beyond which a row is done again in log space
_BLOCK_BYTES = 512 << 10  # alphas kept between two checkpoints: half of a second-level cache
_LANES = 16  # frames of scores are padded to whole vectors
_LN2 = float(np.log(2.0))


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
    shape = (block + 1, 2, padded)
    return Work(
        np.ones(shape), np.full(shape, ZERO), np.empty((kept, 2, padded)), np.empty((kept, 2, padded), np.int64),
        np.ones((2, 2, padded)), np.full((2, 2, padded), ZERO), np.ones((block + 1, padded)),
        np.empty((frames if need_grad else 1, named)), np.full(padded, ZERO), np.empty(padded), np.zeros(named),
        np.empty(named, np.int64), np.empty(labels, np.int64), np.full(classes, -1),
        np.full(wide, -np.inf).astype(scores.dtype), np.empty(wide, scores.dtype),
    )  # fmt: skip


@jit
def distinct(labels: Any, blank: Any, w: Any) -> Any:
    """Write the distinct classes of a row to w.classes, where each label stands in them to w.index; their number."""
    count = 1
    w.classes[:] = blank
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
def low_state(t: Any, frames: Any, labels: Any) -> Any:
    """First state in frame t from which the target can still be finished, rounded down to a group."""
    return max(labels - (frames - t), 0) // PAD * PAD


@jit
def high_state(t: Any, labels: Any) -> Any:
    """One past the last state that frame t can have reached, rounded up to a group."""
    return min(t + 1, labels) // PAD * PAD + PAD


@jit
def one_row(
    scores: Any, grad: Any, labels: Any, blank: Any, prior: Any, normalize: Any, need_grad: Any, w: Any
) -> Any:
    """Loss and health of one row of scores [T, C]; writes grad [>= T, C]."""
    needed = labels.size
    w.skip[:] = ZERO
    for u in range(1, labels.size):
        if labels[u] == labels[u - 1]:
            needed += 1
        else:
            w.skip[PAD + u] = 0
    if scores.shape[0] < needed:
        if need_grad:
            grad[: scores.shape[0]] = 0
        return np.inf, 0.0
    count = distinct(labels, blank, w)
    classes = w.classes[: (count + PAD - 1) // PAD * PAD]
    good, loss, exponent = forward(scores, grad, classes, labels.size, prior, normalize, need_grad, w)
    spread = 0.0
    if good and need_grad and scores.shape[0] > 0:
        spread = backward(scores.shape[0], grad, w.classes[:count], labels.size, exponent, w)
    if good and spread < HEALTHY:
        return loss, spread
    for t in range(scores.shape[0] if need_grad else 0):
        grad[t] = 0
        if normalize:
            top = load_frame(scores[t], w.frame)
            scale(w.powers, sum_exp(w.frame, top, w.powers), grad[t])
    return logspace_row(scores, grad, labels, blank, prior, normalize, need_grad)


@jit
def forward(
    scores: Any, grad: Any, classes: Any, labels: Any, prior: Any, normalize: Any, need_grad: Any, w: Any
) -> Any:
    """Softmax into grad and alphas of all frames, those of the last block kept in `w`.

    Returns whether float64 held every emission, the loss, and the exponent of the sum over all paths.
    """
    frames, block = scores.shape[0], w.m.shape[0] - 1
    w.e[0] = ZERO
    w.m[0, BLANK, PAD], w.e[0, BLANK, PAD] = 1.0, 0  # before the first frame: in front of the first label
    row = 0
    shift, product = 0.0, 1.0  # -log of what the emissions lack: from the maxima, from the sums of the softmax
    for t in range(frames):
        if t % block == 0:
            if row:
                w.m[0], w.e[0] = w.m[row], w.e[row]
            if need_grad:
                w.kept_m[t // block], w.kept_e[t // block] = w.m[0], w.e[0]
            row = 0
        top = load_frame(scores[t], w.frame)
        if normalize:
            total = sum_exp(w.frame, top, w.powers)
            if need_grad:
                scale(w.powers, total, grad[t])
            product *= total
            if not product < 1e200:
                shift += np.log(product)
                product = 1.0
        else:
            shift -= np.float64(top)
            if need_grad:
                grad[t] = 0
        y = w.y[t if need_grad else 0]
        if emissions(w.frame, top, prior, classes, y) > 0 or not np.isfinite(shift):
            return False, 0.0, 0
        lo, hi = low_state(t, frames, labels), high_state(t, labels)
        row += 1
        gather(y, w.index, w.spread, row, lo, min(hi, labels))
        alpha_step(w.m, w.e, row - 1, row, w.skip, w.spread, y[0], lo, hi)
    blank_e, label_e = w.e[row, BLANK, PAD + labels], w.e[row, LABEL, PAD + labels - 1]
    exponent = max(blank_e, label_e)
    z = w.m[row, BLANK, PAD + labels] * pow2(blank_e - exponent + 1023)
    z += w.m[row, LABEL, PAD + labels - 1] * pow2(label_e - exponent + 1023)
    if exponent < ZERO // 2:
        return True, np.inf, 0
    loss = shift + np.log(product) - np.log(z) - (exponent - SHIFT * frames) * _LN2
    return np.isfinite(loss), loss, exponent


@jit
def backward(frames: Any, grad: Any, classes: Any, labels: Any, exponent: Any, w: Any) -> Any:
    """Betas from the last frame to the first; subtracts the occupancies from grad. Returns the spread of their sums."""
    block = w.m.shape[0] - 1
    m, e = w.beta_m, w.beta_e
    e[...] = ZERO
    end = frames % 2  # the row after the last frame: behind the last label
    m[end, BLANK, PAD + labels], e[end, BLANK, PAD + labels] = 1.0, 0
    lowest, highest = np.inf, 0.0
    last = (frames - 1) // block
    for b in range(last, -1, -1):
        start, end = b * block, min((b + 1) * block, frames)
        if b < last:
            w.m[0], w.e[0] = w.kept_m[b], w.kept_e[b]
            for t in range(start, end):
                row = t - start + 1
                lo, hi = low_state(t, frames, labels), high_state(t, labels)
                gather(w.y[t], w.index, w.spread, row, lo, min(hi, labels))
                alpha_step(w.m, w.e, row - 1, row, w.skip, w.spread, w.y[t, 0], lo, hi)
        for t in range(end - 1, start - 1, -1):
            row = t - start + 1
            lo, hi = low_state(t, frames, labels), high_state(t, labels)
            blanks = beta_step(
                m, e, (t + 1) % 2, t % 2, w.skip, w.spread, w.y[t, 0], lo, hi,
                w.m, w.e, row, exponent - 2046, w.occupancy,
            )  # fmt: skip
            total = blanks + add_shares(w.occupancy, w.index, w.share, lo, min(hi, labels))
            w.share[0] = blanks
            subtract(grad[t], classes, w.share, total)
            lowest, highest = min(lowest, total), max(highest, total)
    return (highest - lowest) / highest


@cached
def run_rows(version: int) -> Any:
    def rows(
        scores: Any, grads: Any, labels: Any, offsets: Any, lengths: Any, order: Any, counter: Any, blank: Any,
        prior: Any, normalize: Any, need_grad: Any, nll: Any, health: Any,
    ) -> None:  # fmt: skip
        """Do rows of scores [B, T, C] off the list `order`, which all threads share, until it is empty.

        Writes nll [B] and health [B] (both float64) and, where asked for, grads [B, T, C].
        """
        _ = version
        longest = 0
        for b in range(lengths.size):
            longest = max(longest, offsets[b + 1] - offsets[b])
        w = make_work(scores, longest, need_grad)
        while True:
            place = take_next(counter)
            if place >= order.size:
                return
            b = order[place]
            row, grad = scores[b, : lengths[b]], grads[b if need_grad else 0]
            row_labels = labels[offsets[b] : offsets[b + 1]]
            if need_grad:
                grad[lengths[b] :] = 0
            nll[b], health[b] = one_row(row, grad, row_labels, blank, prior, normalize, need_grad, w)

    return rows
