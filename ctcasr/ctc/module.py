"""`CTCLoss`: `ctc_loss` as a module with the arguments of `torch.nn.CTCLoss`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctcasr.ctc.batch import Lengths
from ctcasr.ctc.loss import Backend, Reduction, ctc_loss


class CTCLoss(nn.Module):
    """Logits or log-probabilities [T, B, C], [T, C], or [B, T, C] if `batch_first`.

    Log-probabilities are logits of themselves, so both give the same loss; the gradient is that of
    the input as given.

    Example:
        >>> loss = CTCLoss(batch_first=True, reduction="sum")
        >>> nll = loss(torch.zeros(1, 3, 2), torch.tensor([[1]]), [3], [1])
        >>> round(float((-nll).exp()), 4)
        0.75
    """

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
        super().__init__()
        self.blank = blank
        self.reduction: Reduction = reduction
        self.zero_infinity = zero_infinity
        self.batch_first = batch_first
        self.normalize = normalize
        self.prior_weight = prior_weight
        self.backend: Backend = backend
        # Plain attribute, not a buffer: the prior is used on the host and must not travel along.
        self.prior = None if prior is None else prior.detach().cpu()

    def forward(
        self, logits: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths
    ) -> Tensor:
        """Loss of a batch, or of one utterance [T, C] with targets [S] and plain lengths.

        Raises:
            ValueError: as `ctc_loss`.
        """
        unbatched = logits.dim() == 2
        if unbatched:
            logits = logits[None]
            targets = targets.reshape(1, -1)
            input_lengths = _as_lengths(input_lengths)
            target_lengths = _as_lengths(target_lengths)
        elif not self.batch_first:
            logits = logits.transpose(0, 1)
        loss = ctc_loss(
            logits,
            targets,
            input_lengths,
            target_lengths,
            blank=self.blank,
            reduction=self.reduction,
            zero_infinity=self.zero_infinity,
            normalize=self.normalize,
            prior=self.prior,
            prior_weight=self.prior_weight,
            backend=self.backend,
        )
        return loss[0] if unbatched and self.reduction == "none" else loss

    def extra_repr(self) -> str:
        """Arguments for `repr`."""
        return (
            f"blank={self.blank}, reduction={self.reduction!r}, zero_infinity={self.zero_infinity}"
        )


def _as_lengths(length: Lengths | int) -> Lengths:
    """One length [1], whatever kind of number it is."""
    return torch.as_tensor(length).reshape(1)
