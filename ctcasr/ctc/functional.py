"""Drop-in for torch's CTC loss: `ctc_loss` and `CTCLoss` with torch's own signatures.

    import ctcasr.ctc.functional as F            # instead of torch.nn.functional
    from ctcasr.ctc.functional import CTCLoss    # instead of torch.nn

The values are torch's for log-probabilities, and the gradients those of the scores as given
(torch's assume a plain log_softmax, see pytorch issue 52241). Scores that are no log-probabilities
torch takes as given, too; here they are normalised, and a warning says how to have the other.
"""

from __future__ import annotations

import warnings
from functools import cache

import torch
from torch import Tensor, nn

from ctcasr.ctc.batch import Lengths
from ctcasr.ctc.loss import LossOptions, Reduction
from ctcasr.ctc.module import loss_of_layout
from ctcasr.ctc.transforms import is_transformed

# Nats by which the log of a frame's summed probabilities may miss 0: rounding of float32, and of
# the halves.
_ROUNDING = 1e-3
_ROUNDING_OF_HALVES = 0.1

_looked_at_cuda = False


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: Reduction = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """`torch.nn.functional.ctc_loss`: log-probabilities [T, B, C], or [T, C] of one utterance.

    Raises:
        InputError: wrong lengths, labels or options; names the row.

    Example:
        >>> log_probs = torch.zeros(3, 1, 2).log_softmax(2)
        >>> loss = ctc_loss(log_probs, torch.tensor([[1]]), (3,), (1,), 0, "sum")
        >>> round(float((-loss).exp()), 4)
        0.75
    """
    _warn_of_scores(log_probs)
    return loss_of_layout(
        log_probs,
        targets,
        input_lengths,
        target_lengths,
        LossOptions(blank, reduction, zero_infinity),
        time_first=True,
    )


class CTCLoss(nn.CTCLoss):
    """`torch.nn.CTCLoss`, of which it is a subclass: log-probabilities [T, B, C] or [T, C].

    Example:
        >>> loss = CTCLoss(blank=0, reduction="sum")
        >>> log_probs = torch.zeros(3, 1, 2).log_softmax(2)
        >>> nll = loss(log_probs=log_probs, targets=torch.tensor([[1]]), input_lengths=(3,),
        ...            target_lengths=(1,))
        >>> round(float((-nll).exp()), 4)
        0.75
    """

    def forward(
        self,
        log_probs: Tensor,
        targets: Tensor,
        input_lengths: Lengths,
        target_lengths: Lengths,
    ) -> Tensor:
        """Loss of a batch, or of one utterance [T, C] with targets [S] and plain lengths.

        Raises:
            InputError: as `ctc_loss`.
        """
        reduction: Reduction = self.reduction  # type: ignore[assignment]
        return ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            reduction,
            self.zero_infinity,
        )


def _warn_of_scores(log_probs: Tensor) -> None:
    """Warn once if the scores are no log-probabilities, by a look at the first frame.

    A look waits for the device: on CUDA it is taken at the first call only.
    """
    global _looked_at_cuda
    if torch.compiler.is_compiling() or is_transformed(log_probs):
        return
    if log_probs.numel() == 0 or not log_probs.is_floating_point():
        return
    if log_probs.is_cuda:
        if _looked_at_cuda or torch.cuda.is_current_stream_capturing():
            return
        _looked_at_cuda = True
    elif log_probs.device.type != "cpu":
        return
    frame = log_probs.detach().reshape(-1, log_probs.shape[-1])[0]
    halves = log_probs.dtype.itemsize < torch.float32.itemsize
    level = float(frame.float().logsumexp(0))
    if abs(level) > (_ROUNDING_OF_HALVES if halves else _ROUNDING):
        _warn_once()


@cache
def _warn_once() -> None:
    warnings.warn(
        "ctc_loss: the scores are no log-probabilities (those of the first frame do not sum to 1). "
        "They are normalised here: the loss is that of their log_softmax, where torch "
        "takes them as given. For torch's value call ctcasr.ctc.ctc_loss(scores.transpose(0, 1), "
        "..., normalize=False); else apply log_softmax, or call ctcasr.ctc.ctc_loss, which "
        "expects logits.",
        UserWarning,
        stacklevel=4,
    )
