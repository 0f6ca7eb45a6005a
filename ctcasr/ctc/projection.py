"""Projection, softmax and lattice, a few frames at a time: what `ctc_loss_linear` computes.

Of the logits of a chunk of frames the lattice needs a few columns, those of the blank and of the
labels of the row. The gradient with respect to the logits is softmax less occupancy: the softmax is
there with the chunk and can be multiplied at once with all that it is to be multiplied with; the
occupancy, which is known later, has no more columns than the target has labels. So each logit is
computed once, and neither logits nor their gradient are ever kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ctcasr.ctc.backends import ForwardBackward
from ctcasr.ctc.batch import CtcBatch, CtcOutput
from ctcasr.ctc.report import CtcReport, FrameFacts, report_of_frames

_CHUNK_BYTES = {
    "cpu": 6 << 20,
    "cuda": 256 << 20,
}  # of logits: few, where all is memory; enough for a GPU
_FEWEST_FRAMES = 64  # in a chunk: fewer make slow products
_NO_OCCUPANCY = 1e-30  # and less: products with a weight of 1e-8 are still normal float32
_FRAMES_OF_A_THREAD = 2048  # in a group of rows whose lattices are computed together


@dataclass(frozen=True)
class Wanted:
    """What is asked for besides the losses."""

    hidden: bool = False
    weight: bool = False
    bias: bool = False
    report: bool = False

    @property
    def gradient(self) -> bool:
        """Whether any gradient is."""
        return self.hidden or self.weight or self.bias


@dataclass
class Walked:
    """Losses [B] of all rows, and gradients of their sum weighted by `row_weights`."""

    nll: Tensor
    hidden: Tensor | None = None  # [B, T, D]
    weight: Tensor | None = None  # [C, D]
    bias: Tensor | None = None  # [C]
    report: CtcReport | None = None

    @staticmethod
    def empty(projection: Projection, wanted: Wanted) -> Walked:
        """Zeros, for as much as is wanted, to be added to."""
        precision = projection.precision
        hidden = projection.hidden
        walked = Walked(hidden.new_zeros(len(hidden), dtype=precision))
        if wanted.hidden:
            walked.hidden = torch.zeros_like(hidden, dtype=precision)
        if wanted.weight:
            walked.weight = torch.zeros_like(projection.weight, dtype=precision)
        if wanted.bias:
            walked.bias = torch.zeros_like(projection.bias, dtype=precision)
        return walked


@dataclass(frozen=True)
class Projection:
    """The last layer: frames [B, T, D], weight [C, D] and bias [C], of one floating type."""

    hidden: Tensor
    weight: Tensor
    bias: Tensor

    @property
    def precision(self) -> torch.dtype:
        """Of losses and sums: float64 for float64, else float32."""
        if self.hidden.dtype == torch.float64:
            return torch.float64
        return torch.float32

    @property
    def frames_of_a_chunk(self) -> int:
        """As many frames as have their logits in memory together."""
        bytes_of_a_frame = self.weight.shape[0] * self.precision.itemsize
        chunk_bytes = _CHUNK_BYTES.get(self.hidden.device.type, _CHUNK_BYTES["cuda"])
        return max(_FEWEST_FRAMES, chunk_bytes // bytes_of_a_frame)

    def logits(self, frames: Tensor) -> Tensor:
        """Logits [n, C] of frames [n, D]."""
        return torch.addmm(self.bias, frames, self.weight.t()).to(self.precision)


@dataclass(frozen=True)
class RowGroup:
    """Rows `start` to `end` of a batch, whose frames lie behind each other without padding."""

    start: int
    lengths: tuple[int, ...]
    classes: Tensor  # int64 [R, N]: the blank, then the labels of each row, then the blank again
    ctc_batch: CtcBatch  # whose labels count the columns of `classes`

    @property
    def end(self) -> int:
        """One past the last row."""
        return self.start + len(self.lengths)

    @property
    def longest(self) -> int:
        """Frames of the longest row."""
        return max(self.lengths, default=0)

    @cached_property
    def rows(self) -> Tensor:
        """The row of each frame, counted from the first of the group: int64 [n]."""
        lengths = torch.tensor(self.lengths)
        numbers = torch.arange(len(self.lengths))
        return torch.repeat_interleave(numbers, lengths)

    @cached_property
    def places(self) -> Tensor:
        """The place of each frame where each row has as many as the longest: int64 [n]."""
        places = []
        for row, length in enumerate(self.lengths):
            start = row * self.longest
            places.append(torch.arange(start, start + length))
        return torch.cat(places)

    def packed(self, padded: Tensor) -> Tensor:
        """The frames [n, D] of this group's rows of [B, T, D]; a view, where that goes."""
        own_rows = padded[self.start : self.end]
        if min(self.lengths) == padded.shape[1]:
            return own_rows.flatten(0, 1)
        rows = []
        for row, length in zip(own_rows.unbind(0), self.lengths, strict=True):
            rows.append(row[:length])
        if len(rows) == 1:
            return rows[0]
        return torch.cat(rows)


def row_groups(ctc_batch: CtcBatch, device: torch.device) -> Iterator[RowGroup]:
    """A checked batch in groups of neighbouring rows, small where the kernel has few threads."""
    lengths = ctc_batch.input_lengths
    most_frames = sum(lengths)
    if device.type == "cpu":
        most_frames = _FRAMES_OF_A_THREAD * torch.get_num_threads()
    start = 0
    frames = 0
    for row, length in enumerate(lengths):
        is_full = frames + length > most_frames
        if is_full and row > start:
            yield _group(ctc_batch, start, row)
            start = row
            frames = 0
        frames += length
    if start < len(lengths):
        yield _group(ctc_batch, start, len(lengths))


def _group(ctc_batch: CtcBatch, start: int, end: int) -> RowGroup:
    """Rows start..end, their labels numbered by the columns that the lattice will see."""
    labels_of_rows = []
    columns_of_rows = []
    for row in range(start, end):
        labels = ctc_batch.row(row).numpy()
        distinct, places = np.unique(labels, return_inverse=True)
        labels_of_rows.append(distinct)
        columns_of_rows.append(places.reshape(-1) + 1)  # behind the blank's
    width = 1 + max(len(distinct) for distinct in labels_of_rows)
    classes = np.full((end - start, width), ctc_batch.blank, dtype=np.int64)
    for row, distinct in enumerate(labels_of_rows):
        classes[row, 1 : 1 + len(distinct)] = distinct
    targets = np.concatenate(columns_of_rows).astype(np.int64)
    seen_by_lattice = replace(
        ctc_batch.rows(start, end),
        targets=torch.from_numpy(targets),
        blank=0,
        prior=None,
        normalize=False,
    )
    return RowGroup(
        start,
        lengths=seen_by_lattice.input_lengths,
        classes=torch.from_numpy(classes),
        ctc_batch=seen_by_lattice,
    )


class FramePlaces(NamedTuple):
    """Where each of n frames belongs, int64 [n], and how much its row weighs, float64 [n]."""

    rows: Tensor
    places: Tensor  # in the arrays by row and frame, flat
    weights: Tensor

    def to(self, device: torch.device) -> FramePlaces:
        """The same on a device."""
        return FramePlaces(*(column.to(device) for column in self))

    def part(self, chunk: slice) -> FramePlaces:
        """Of some of the frames."""
        return FramePlaces(*(column[chunk] for column in self))


class _Columns:
    """What the lattice and the report see of the frames of a group, by row and frame."""

    def __init__(self, group: RowGroup, projection: Projection, ctc_batch: CtcBatch) -> None:
        device = projection.hidden.device
        rows, width = group.classes.shape
        places = rows * group.longest
        precision = projection.precision
        if device.type == "cpu":  # room and time for float64; CUDA kernels take float32
            precision = torch.float64
        self.shape = (rows, group.longest)
        self.scores = torch.zeros(places, width, dtype=precision, device=device)
        self.blank_probs = torch.zeros(places, dtype=precision, device=device)
        self.best = torch.zeros(places, dtype=torch.int64, device=device)
        self.classes = group.classes.to(device)
        self.prior = None
        if ctc_batch.prior is not None:
            self.prior = ctc_batch.prior[group.classes].to(device, precision)

    def seen(self) -> Tensor:
        """The scores of the lattice [R, T, N]: log-probabilities less the prior."""
        scores = self.scores.view(*self.shape, self.classes.shape[1])
        if self.prior is None:
            return scores
        return scores.sub_(self.prior[:, None])

    def take(self, logits: Tensor, places: FramePlaces, need_best: bool) -> None:
        """Note a chunk of logits [n, C], which become their softmax times the rows' weights."""
        if logits.device.type == "cpu" and _has_numba():
            from ctcasr.ctc._cpu_projection import softmax_chunk

            softmax_chunk(
                logits,
                self.classes,
                places,
                self.scores,
                self.blank_probs,
                self.best,
                need_best,
            )
            return
        norm = logits.logsumexp(1, keepdim=True)
        classes = self.classes[places.rows]
        of_classes = logits.gather(1, classes).to(self.scores.dtype)
        log_probs = of_classes - norm
        self.scores[places.places] = log_probs
        self.blank_probs[places.places] = log_probs[:, 0].exp()
        if need_best:
            self.best[places.places] = logits.argmax(1)
        weights = places.weights.to(logits.dtype)
        probs = logits.sub_(norm).exp_()  # in place: the caller goes on with them
        probs *= weights[:, None]

    def facts(self, scores: Tensor, output: CtcOutput) -> FrameFacts:
        """What the report wants to know of each frame, of the lattice's scores and output."""
        assert output.grad is not None
        least = torch.finfo(scores.dtype).min
        finite_scores = scores.clamp_min(least)  # 0 * -inf is 0 here
        slopes = (output.grad * finite_scores).sum(2)  # the gradient is minus the occupancy
        return FrameFacts(
            best=self.best.view(self.shape),
            blank_probs=self.blank_probs.view(self.shape),
            blank_occupancy=-output.grad[..., 0],
            expected_scores=-slopes,
        )


def _has_numba() -> bool:
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


class Walk:
    """One walk over the frames of a batch: `run` computes the lattices of a group of rows."""

    def __init__(
        self,
        projection: Projection,
        ctc_batch: CtcBatch,
        row_weights: Tensor,
        run: ForwardBackward,
        wanted: Wanted,
    ) -> None:
        """`row_weights` [B] on the host: what each row's loss counts in the gradients."""
        self.projection = projection
        self.ctc_batch = ctc_batch
        self.row_weights = row_weights
        self.run = run
        self.wanted = wanted
        self.walked = Walked.empty(projection, wanted)

    def __call__(self) -> Walked:
        """Losses, gradients and report of all rows."""
        walked = self.walked
        wanted = self.wanted
        need_occupancy = wanted.gradient or wanted.report
        hidden = self.projection.hidden
        reports = []
        for group in row_groups(self.ctc_batch, hidden.device):
            packed = group.packed(hidden)
            columns = self._project(group, packed)
            scores = columns.seen()
            output = self.run(scores, group.ctc_batch, need_occupancy)
            rows = slice(group.start, group.end)
            walked.nll[rows] = output.nll.to(walked.nll.dtype)
            if wanted.gradient:
                self._take_occupancies(group, packed, columns, output)
            if wanted.report:
                group_batch = self.ctc_batch.rows(group.start, group.end)
                facts = columns.facts(scores, output)
                reports.append(report_of_frames(facts, group_batch, output))
        if wanted.report:
            added_up = reduce(add, reports)
            report = replace(added_up, batches=(self.ctc_batch,))
            walked.report = report.rounded(walked.nll.dtype)
        return walked

    def _project(self, group: RowGroup, packed: Tensor) -> _Columns:
        """Columns of a group's frames [n, D]; adds what the softmax has to do with gradients."""
        columns = _Columns(group, self.projection, self.ctc_batch)
        group_weights = self.row_weights[group.start : group.end]
        places = FramePlaces(group.rows, group.places, group_weights[group.rows])
        on_device = places.to(packed.device)
        frames = self.projection.frames_of_a_chunk
        for begin in range(0, packed.shape[0], frames):
            chunk = slice(begin, begin + frames)
            logits = self.projection.logits(packed[chunk])
            columns.take(logits, on_device.part(chunk), self.wanted.report)
            if self.wanted.gradient:
                self._take_softmax(logits, group, packed, chunk)
        return columns

    def _take_softmax(self, softmax: Tensor, group: RowGroup, packed: Tensor, chunk: slice) -> None:
        """Add to the gradients what comes of the weighted softmax [n, C] of a chunk."""
        walked = self.walked
        rounded = softmax.to(packed.dtype)
        if walked.hidden is not None:
            product = rounded @ self.projection.weight
            _scatter_rows(walked.hidden, group, chunk, product)
        if walked.weight is not None:
            _add_product(walked.weight, rounded.t(), packed[chunk])
        if walked.bias is not None:
            walked.bias += softmax.sum(0)

    def _take_occupancies(
        self, group: RowGroup, packed: Tensor, columns: _Columns, output: CtcOutput
    ) -> None:
        """Take off the gradients what comes of the occupancies of a group's rows."""
        assert output.grad is not None
        walked = self.walked
        frames_of_rows = packed.split(group.lengths)
        for row, frames in enumerate(frames_of_rows):
            number = group.start + row
            length = frames.shape[0]
            row_weight = float(self.row_weights[number])
            slope = without_subnormals(output.grad[row, :length] * row_weight).to(walked.nll.dtype)
            rounded = slope.to(packed.dtype)
            classes = columns.classes[row]
            if walked.hidden is not None:
                own_weights = self.projection.weight[classes]
                walked.hidden[number, :length] += rounded @ own_weights
            if walked.weight is not None:
                product = rounded.t() @ frames
                walked.weight.index_add_(0, classes, product.to(walked.weight.dtype))
            if walked.bias is not None:
                walked.bias.index_add_(0, classes, slope.sum(0))


def without_subnormals(slopes: Tensor) -> Tensor:
    """The same with zeros for what is nothing in float32, and makes its products ten times slower.

    Example:
        >>> without_subnormals(torch.tensor([1e-40, -0.5], dtype=torch.float64)).tolist()
        [0.0, -0.5]
    """
    return F.hardshrink(slopes, _NO_OCCUPANCY)


def _scatter_rows(padded: Tensor, group: RowGroup, chunk: slice, values: Tensor) -> None:
    """Write the values of a chunk of a group's frames to their rows of padded [B, T, D]."""
    row_start = 0  # places among the frames of the group, which lie behind each other
    chunk_end = chunk.start + values.shape[0]
    for row, length in enumerate(group.lengths):
        row_end = row_start + length
        start = max(chunk.start, row_start)
        end = min(chunk_end, row_end)
        if start < end:
            of_chunk = slice(start - chunk.start, end - chunk.start)
            of_row = slice(start - row_start, end - row_start)
            padded[group.start + row, of_row] = values[of_chunk]
        row_start = row_end


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right, in the precision of the total."""
    if left.dtype == total.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right
