"""Forced alignment: the best path through the CTC lattice that spells the target (Viterbi)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctcasr.ctc.backends import select
from ctcasr.ctc.batch import CtcBatch, Lengths, prepare
from ctcasr.ctc.errors import InputError
from ctcasr.ctc.reference import scores as lattice_scores
from ctcasr.ctc.star import Star, log_probs_and_stars


class Span(NamedTuple):
    """Where one label lies: frames start..end-1, and the mean log-probability of its frames."""

    label: int
    start: int
    end: int
    score: float


class Alignment(NamedTuple):
    """Best path of one row; a row without any path has empty fields, score -inf and posterior 0."""

    labels: Tensor  # int64 [T], host: class of every frame
    states: Tensor  # int64 [T], host: lattice state of every frame; label u is state 2u + 1
    tokens: tuple[Span, ...]  # one for each target label
    score: float  # log-probability of the path, nats
    posterior: float  # share of this path among all paths that spell the target


@dataclass(frozen=True)
class _Paths:
    """What the kernel writes, for a whole batch."""

    classes: NDArray[np.int64]  # [B, T]
    states: NDArray[np.int64]  # [B, T]
    spans: NDArray[np.int64]  # [sum U, 2]
    means: NDArray[np.float64]  # [sum U]
    totals: NDArray[np.float64]  # [B]


def forced_align(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = 0,
    star: Star | None = None,
) -> list[Alignment]:
    """Viterbi alignment of logits [B, T, C] to targets [B, S] or [sum S], one for each row.

    Float64 inside. Rows without a path are returned empty, with score -inf. With a star, speech
    that is not in the text falls into the gaps between its labels (W-CTC, Cai et al. 2022).

    Raises:
        InputError: as `ctc_loss`; or names a row with NaN; or a star for whole words.

    Example:
        >>> logits = 5 * torch.eye(3)[[1, 1, 0, 2, 2]][None]    # a a - b b
        >>> (alignment,) = forced_align(logits, torch.tensor([[1, 2]]), [5], [2])
        >>> [(span.label, span.start, span.end) for span in alignment.tokens]
        [(1, 0, 2), (2, 3, 5)]
        >>> alignment.labels.tolist()
        [1, 1, 0, 2, 2]
    """
    logits = logits.detach()
    normalize = star is None
    if star is not None:
        logits = _with_star(logits, input_lengths, blank, star)
    ctc_batch = prepare(logits, targets, input_lengths, target_lengths, blank, normalize=normalize)
    nll = select("auto", logits.device)(logits, ctc_batch, False).nll.tolist()
    paths = _best_paths(logits, ctc_batch)
    classes = torch.from_numpy(paths.classes)
    states = torch.from_numpy(paths.states)
    labels = ctc_batch.targets.tolist()
    spans = paths.spans.tolist()
    means = paths.means.tolist()
    alignments = []
    for row, total in enumerate(paths.totals.tolist()):
        if math.isnan(total):
            raise InputError(
                f"logits: row {row} holds NaN (or only -inf in a frame); nothing can be aligned "
                f"to it"
            )
        if total == -math.inf:
            none = torch.zeros(0, dtype=torch.int64)
            alignments.append(Alignment(none, none, (), total, 0.0))
            continue
        tokens = []
        for place in range(ctc_batch.offsets[row], ctc_batch.offsets[row + 1]):
            start, end = spans[place]
            tokens.append(Span(labels[place], start, end, means[place]))
        frames = ctc_batch.input_lengths[row]
        posterior = math.exp(min(total + nll[row], 0.0))
        alignments.append(
            Alignment(classes[row, :frames], states[row, :frames], tuple(tokens), total, posterior)
        )
    return alignments


def _with_star(logits: Tensor, input_lengths: Lengths, blank: int, star: Star) -> Tensor:
    """Scores [B, T, C] in which the star has its share; 0 on padding."""
    if star.bypasses_words:
        raise InputError("star: alignment leaves labels and gaps, no whole words; got a word cost")
    log_probs, stars = log_probs_and_stars(logits, input_lengths, blank)
    return star.scores(log_probs, blank, stars)


def _best_paths(logits: Tensor, ctc_batch: CtcBatch) -> _Paths:
    """By the compiled kernel on the host, with as many threads as torch uses."""
    from ctcasr.ctc import _cpu_align as kernel
    from ctcasr.kernels.pool import kernel_pool

    rows, frames, _ = logits.shape
    labels = ctc_batch.targets.numpy()
    scores = logits
    columns = labels
    blank_column = ctc_batch.blank
    if logits.device.type != "cpu":
        scores, columns = _scores_of_labels(logits, ctc_batch)
        blank_column = 0
    elif logits.dtype not in (torch.float32, torch.float64):
        scores = logits.float()
    paths = _Paths(
        classes=np.zeros((rows, frames), np.int64),
        states=np.zeros((rows, frames), np.int64),
        spans=np.full((len(labels), 2), kernel.NO_FRAME),
        means=np.zeros(len(labels)),
        totals=np.zeros(rows),
    )
    arguments: tuple[Any, ...] = (
        scores.numpy(),
        labels,
        columns,
        np.array(ctc_batch.offsets, dtype=np.int64),
        np.array(ctc_batch.input_lengths, dtype=np.int64),
        np.zeros(1, dtype=np.int64),  # how many rows have been taken
        ctc_batch.blank,
        blank_column,
        ctc_batch.normalize and logits.device.type == "cpu",
        paths.states,
        paths.classes,
        paths.spans,
        paths.means,
        paths.totals,
    )
    helpers = []
    threads = min(torch.get_num_threads(), rows)
    for _ in range(threads - 1):
        helpers.append(kernel_pool(threads - 1).submit(kernel.align_rows, *arguments))
    kernel.align_rows(*arguments)
    for helper in helpers:
        helper.result()
    return paths


def _scores_of_labels(logits: Tensor, ctc_batch: CtcBatch) -> tuple[Tensor, NDArray[np.int64]]:
    """Of logits on a device, what the lattice needs on the host: float64 [B, T, 1 + max U].

    Column 0 is the blank's log-probability, column 1 + u that of label u; with the column of every
    label [sum U].
    """
    rows = len(ctc_batch.target_lengths)
    blanks = torch.full((rows, 1), ctc_batch.blank, dtype=torch.int64)
    classes = torch.cat([blanks, ctc_batch.padded()], 1).to(logits.device)
    log_probs = lattice_scores(logits, ctc_batch)
    wanted = classes[:, None].expand(-1, logits.shape[1], -1)
    columns = [np.arange(1, count + 1) for count in ctc_batch.target_lengths]
    no_columns = np.zeros(0, np.int64)
    return log_probs.gather(2, wanted).cpu(), np.concatenate([no_columns, *columns])
