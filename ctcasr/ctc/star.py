"""A star beside blanks and labels: CTC of transcripts that are wrong here and there.

The star stands for any symbol. Its score at frame t is the mean of the non-blank probabilities,
star_t = log((1 - p_t(blank)) / (C - 1)) (Omni-temporal Classification, Gao et al. 2023,
arXiv 2309.15796). In the lattice of `reference.py`

    a label's state emits     log( p_t(label) + e^-label_cost e^star_t )     said instead, or not
    a blank's state emits     log( p_t(blank) + e^-gap_cost   e^star_t )     said, but not written

Both are functions of one column of the scores, so that every kernel of the loss computes it with
`normalize=False`, and autograd does the rest. With infinite costs it is plain CTC.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ctcasr.ctc.batch import (
    Lengths,
    check_blank,
    check_lengths,
    prepare,
    to_device,
    weighted_prior,
)
from ctcasr.ctc.errors import InputError
from ctcasr.ctc.transforms import is_transformed

if TYPE_CHECKING:
    from ctcasr.ctc.loss import LossOptions
    from ctcasr.ctc.star_report import StarReport

Cost = float | Tensor
"""Nats: one for the whole batch, or one for each row [B]."""

NEVER = 1e30  # nats; a cost or a score that stays finite, so that its derivative is 0 and not NaN
MOST = 1e4  # nats that a star may earn in a frame; beside more float32 would keep no scores
_FAINT = -1e4  # nats; what is less likely adds nothing to the star


@dataclass(frozen=True, eq=False)
class Star:
    """What it costs, in nats, to leave the transcript; infinite costs are plain CTC.

    `label_cost` and `gap_cost` are paid for each frame in which the star is emitted. With `words`,
    each word may be left as a whole, once for `word_cost`; any number of frames then emit blank or,
    at `inside_cost`, the star. `words` [B, max U] holds the number of each label's word in its row,
    -1 for a label of none (see `word_numbers`).

    With an `inside_cost` of -inf such a frame emits any symbol at its own probability, one in all:
    it teaches nothing. That is what a word costs which was said as another one, whichever.

    Raises:
        InputError: costs that are NaN or of the wrong shape, or a word cost without words.

    Example:
        >>> from ctcasr.ctc import ctc_loss
        >>> logits = 5 * torch.eye(4)[[1, 0, 3, 0]][None]      # heard: 1 3
        >>> lengths = ([4], [2])
        >>> float(ctc_loss(logits, torch.tensor([[1, 2]]), *lengths, reduction="sum")) > 4
        True
        >>> star = Star(label_cost=1.0, gap_cost=1.0)
        >>> loss, report = ctc_loss(
        ...     logits, torch.tensor([[1, 2]]), *lengths, star=star, return_report=True
        ... )
        >>> [round(float(share), 2) for share in report.label_star[0]]     # of its frames
        [0.11, 0.92]
    """

    label_cost: Cost = math.inf
    gap_cost: Cost = math.inf
    word_cost: Cost = math.inf  # or one for each word [B, max W]
    words: Tensor | None = None
    inside_cost: float = 0.0

    def __post_init__(self) -> None:
        for name in ("label_cost", "gap_cost", "word_cost"):
            given = getattr(self, name)
            if not isinstance(given, Tensor | Real):
                raise InputError(f"{name}: expected a number of nats, or a tensor; got {given!r}")
            cost = torch.as_tensor(given)
            most_dimensions = 2 if name == "word_cost" else 1
            if cost.dim() > most_dimensions:
                raise InputError(f"{name}: expected one number, or one for each row; got {cost}")
            if cost.is_cuda or is_transformed(cost):  # a look would wait, or cannot be had
                continue
            if not bool((cost >= -MOST).all()):
                raise InputError(
                    f"{name}: expected nats, {-MOST:g} or more (inf: never); got {cost}"
                )
        if math.isnan(self.inside_cost):
            raise InputError("inside_cost: expected nats, or -inf; got NaN")
        if self.words is None and not _is_never(self.word_cost):
            raise InputError("word_cost: expected `words` with it, the number of each label's word")

    @property
    def bypasses_words(self) -> bool:
        """Whether words can be left as a whole."""
        return self.words is not None and not _is_never(self.word_cost)

    def scores(self, log_probs: Tensor, blank: int, stars: Tensor) -> Tensor:
        """What the lattice emits [B, T, C], of log-probabilities and `star_scores` [B, T]."""
        columns = log_probs
        is_blank = torch.arange(log_probs.shape[2], device=log_probs.device) == blank
        if not _is_never(self.label_cost):
            starred = torch.logaddexp(columns, self._beside(stars, self.label_cost))
            columns = torch.where(is_blank, columns, starred)
        if not _is_never(self.gap_cost):
            starred = torch.logaddexp(columns, self._beside(stars, self.gap_cost))
            columns = torch.where(is_blank, starred, columns)
        return columns

    def inside_words(self, blank_scores: Tensor, stars: Tensor, classes: int) -> Tensor:
        """What a word that is left emits [B, T], of log-probabilities of the blank and the star."""
        labels = math.log(max(classes - 1, 1))
        if self.inside_cost <= -labels:
            return torch.zeros_like(blank_scores)
        return torch.logaddexp(blank_scores, stars - min(self.inside_cost, NEVER))

    def _beside(self, stars: Tensor, cost: Cost) -> Tensor:
        """Star scores [B, T, 1] at a cost."""
        return (stars - of_rows(cost, stars)[:, None])[..., None]


def _is_never(cost: Cost) -> bool:
    return not isinstance(cost, Tensor) and cost == math.inf


def of_rows(cost: Cost, like: Tensor) -> Tensor:
    """A finite cost for each row [B] of `like`.

    Raises:
        InputError: not one for each row.
    """
    if not isinstance(cost, Tensor):
        return like.new_full((like.shape[0],), min(cost, NEVER))  # nothing waits for a device
    given = cost.to(like)
    if given.dim() == 1 and given.shape[0] != like.shape[0]:
        raise InputError(
            f"costs of the star: expected one for each of the {like.shape[0]} rows; "
            f"got {given.shape[0]}"
        )
    return given.clamp_max(NEVER).expand(like.shape[0])


def star_scores(log_probs: Tensor, blank: int) -> Tensor:
    """log of the mean non-blank probability [B, T] of log-probabilities [B, T, C].

    Example:
        >>> log_probs = torch.tensor([[[0.4, 0.1, 0.5]]]).log()
        >>> round(float(star_scores(log_probs, blank=0).exp()), 3)
        0.3
    """
    classes = log_probs.shape[2]
    labels = torch.arange(classes, device=log_probs.device) != blank
    # Of a frame without any label the derivative would be NaN.
    audible = log_probs.clamp_min(_FAINT).masked_fill(~labels, -NEVER)
    return audible.logsumexp(2) - math.log(max(classes - 1, 1))


def word_numbers(
    targets: Tensor,
    target_lengths: Lengths,
    separator: int | None = None,
    beginnings: Collection[int] = (),
) -> Tensor:
    """Numbers of words in padded targets [B, S]: int64 [B, S], -1 for separators and padding.

    A separator stands between words; a label of `beginnings` begins one.

    Example:
        >>> word_numbers(torch.tensor([[5, 6, 1, 7]]), [4], separator=1)
        tensor([[ 0,  0, -1,  1]])
        >>> word_numbers(torch.tensor([[5, 6, 5, 7]]), [4], beginnings={5})
        tensor([[0, 0, 1, 1]])
    """
    if targets.dim() != 2:
        raise InputError(f"targets: expected padded ones [B, S]; got {list(targets.shape)}")
    rows, width = targets.shape
    counts = check_lengths(target_lengths, "target_lengths", rows, width, "columns of targets")
    numbers = torch.full((rows, width), -1, dtype=torch.int64)
    for row, count in enumerate(counts):
        word = 0
        inside = False
        for place, label in enumerate(targets[row, :count].tolist()):
            if inside and (label == separator or label in beginnings):
                word += 1
            inside = label != separator
            if inside:
                numbers[row, place] = word
    return numbers


def log_probs_and_stars(
    logits: Tensor, input_lengths: Lengths, blank: int, *, normalize: bool = True
) -> tuple[Tensor, Tensor]:
    """Log-probabilities [B, T, C] and the star's scores [B, T] of logits; 0 on padding.

    Float32, or float64 for float64 logits.

    Raises:
        InputError: logits that are none, or a blank that is none of the classes.
    """
    if logits.dim() != 3 or not logits.is_floating_point():
        raise InputError(
            f"logits must be a floating point tensor [B, T, C], "
            f"got {logits.dtype} {list(logits.shape)}"
        )
    check_blank(blank, logits.shape[2])
    rows, frames, _ = logits.shape
    counts = check_lengths(input_lengths, "input_lengths", rows, frames, "frames of the logits")
    precise = logits.float() if logits.dtype.itemsize < torch.float32.itemsize else logits
    lengths = to_device(counts, logits.device)
    padding = torch.arange(logits.shape[1], device=logits.device) >= lengths[:, None]
    # Padding is replaced before the softmax: a NaN there reaches neither the loss nor a gradient.
    log_probs = precise.masked_fill(padding[..., None], 0.0)
    if normalize:
        log_probs = log_probs.log_softmax(2)
    return log_probs, star_scores(log_probs, blank)


def loss_with_star(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    options: LossOptions,
    *,
    return_report: bool,
) -> tuple[Tensor, StarReport | None]:
    """The loss of logits [B, T, C] with `options.star`, and its report where it is wanted.

    Observers of the loss see the scores with the star in them.

    Raises:
        InputError: as `ctc_loss`.
    """
    from ctcasr.ctc import loss
    from ctcasr.ctc.star_report import report_of
    from ctcasr.ctc.star_words import loss_of_words

    star = options.star
    assert star is not None
    if return_report and is_transformed(logits):
        raise RuntimeError(
            "a StarReport cannot be made inside torch.func: ask for it outside of the transform"
        )
    log_probs, stars = log_probs_and_stars(
        logits, input_lengths, options.blank, normalize=options.normalize
    )
    if options.prior is not None:
        classes = log_probs.shape[2]
        prior = weighted_prior(options.prior, options.prior_weight, classes, logits.device)
        assert prior is not None
        log_probs = log_probs - prior.to(log_probs)
    scores = star.scores(log_probs, options.blank, stars)
    plain = replace(options, star=None, normalize=False, prior=None)
    if star.bypasses_words:
        ctc_batch = prepare(
            scores, targets, input_lengths, target_lengths, options.blank, normalize=False
        )
        nll = loss_of_words(scores, log_probs, stars, ctc_batch, star)
        if options.zero_infinity:
            nll = nll.masked_fill(nll == torch.inf, 0.0)
        total = loss.reduced(nll, ctc_batch.target_lengths, plain.reduction)
    else:
        total, _ = loss.loss_and_report(scores, targets, input_lengths, target_lengths, plain)
    if not return_report:
        return total, None
    ctc_batch = prepare(
        scores, targets, input_lengths, target_lengths, options.blank, normalize=False
    )
    return total, report_of(scores, log_probs, stars, ctc_batch, star)
