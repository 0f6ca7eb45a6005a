"""`CTCLoss`: `ctc_loss` as a module with the arguments of `torch.nn.CTCLoss`, for logits."""

from __future__ import annotations

import reprlib

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from ctcasr.ctc.batch import Lengths
from ctcasr.ctc.errors import InputError
from ctcasr.ctc.loss import Backend, LossOptions, Reduction, loss_and_report


class CTCLoss(_Loss):
    """Logits or log-probabilities [T, B, C], [T, C], or [B, T, C] if `batch_first`.

    Log-probabilities are logits of themselves, so both give the same loss; the gradient is that of
    the input as given. `ctcasr.ctc.functional.CTCLoss` has torch's own argument names.

    Raises:
        InputError: unknown reduction.

    Example:
        >>> loss = CTCLoss(batch_first=True, reduction="sum")
        >>> nll = loss(torch.zeros(1, 3, 2), torch.tensor([[1]]), [3], [1])
        >>> round(float((-nll).exp()), 4)
        0.75
    """

    reduction: Reduction
    prior: Tensor | None

    def __init__(
        self,
        blank: int = 0,
        reduction: Reduction = "mean",
        zero_infinity: bool = False,
        *,
        batch_first: bool = False,
        normalize: bool = True,
        prior: Tensor | None = None,
        prior_weight: float = 1.0,
        backend: Backend = "auto",
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity
        self.batch_first = batch_first
        self.normalize = normalize
        self.prior_weight = prior_weight
        self.backend: Backend = backend
        # Plain attribute, not a buffer: the prior is used on the host and must not travel along.
        self.prior = None if prior is None else prior.detach().cpu()
        self._options()

    def _options(self) -> LossOptions:
        return LossOptions(
            blank=self.blank,
            reduction=self.reduction,
            zero_infinity=self.zero_infinity,
            normalize=self.normalize,
            prior=self.prior,
            prior_weight=self.prior_weight,
            backend=self.backend,
        )

    def forward(
        self, logits: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths
    ) -> Tensor:
        """Loss of a batch, or of one utterance [T, C] with targets [S] and plain lengths.

        Raises:
            InputError: as `ctc_loss`.
        """
        return loss_of_layout(
            logits,
            targets,
            input_lengths,
            target_lengths,
            self._options(),
            time_first=not self.batch_first,
        )

    def extra_repr(self) -> str:
        """Arguments for `repr`."""
        return (
            f"blank={self.blank}, reduction={self.reduction!r}, zero_infinity={self.zero_infinity}"
        )


def loss_of_layout(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    options: LossOptions,
    *,
    time_first: bool,
) -> Tensor:
    """The loss of [T, B, C] (if `time_first`), [B, T, C], or of one utterance [T, C].

    The latter has targets [S] and plain lengths; with reduction "none" its loss is a scalar.

    Raises:
        InputError: as `ctc_loss`.
    """
    if logits.dim() != 2:
        loss, _ = loss_and_report(
            logits, targets, input_lengths, target_lengths, options, time_first=time_first
        )
        return loss
    loss, _ = loss_and_report(
        logits[None],
        targets.reshape(1, -1),
        _as_lengths(input_lengths, "input_lengths"),
        _as_lengths(target_lengths, "target_lengths"),
        options,
    )
    return loss[0] if options.reduction == "none" else loss


def _as_lengths(length: Lengths | int, name: str) -> Lengths:
    """One length [1], whatever kind of number it is; InputError for what is none."""
    try:
        return torch.as_tensor(length).reshape(1)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"{name} must be one integer for one utterance [T, C], got {reprlib.repr(length)}"
        ) from None
