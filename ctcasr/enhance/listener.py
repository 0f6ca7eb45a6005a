"""A frozen recogniser through which an enhancer learns what helps to understand."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from ctcasr.batch import Batch
from ctcasr.ctc import ctc_loss
from ctcasr.seq import Seq, to_device
from ctcasr.text import Tokenizer


class DifferentiableRecogniser(Protocol):
    """What a listener needs of a recogniser: `ctcasr.recognise.Recogniser` is one."""

    @property
    def model(self) -> nn.Module:
        """The network."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """What its symbols spell."""
        ...

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        ...

    def logits(self, samples: Seq) -> Seq:
        """Logits [B, T, symbols] of samples [B, N], differentiable."""
        ...


class Listener:
    """CTC loss of a recogniser that is not trained; it is no part of the checkpoint of what is.

    It must not judge the result: score with recognisers of another seed and preset.
    """

    def __init__(self, recogniser: DifferentiableRecogniser) -> None:
        self.recogniser = recogniser
        self.tokenizer = recogniser.tokenizer
        self.rate_hz = recogniser.rate_hz
        for parameter in recogniser.model.parameters():
            parameter.requires_grad_(False)

    def losses(self, samples: Seq, batch: Batch) -> Tensor:
        """CTC loss [B] in nats per token of samples [B, N]; 0 for a row without an alignment.

        Differentiable by the samples. Raises ValueError for samples of another rate.
        """
        if samples.rate != self.rate_hz:
            raise ValueError(
                f"expected an enhancer at the listener's {self.rate_hz} Hz; "
                f"got {float(samples.rate):g} Hz"
            )
        model = self.recogniser.model
        if next(model.parameters()).device != samples.device:
            model.to(samples.device)
        still(model)
        logits = self.recogniser.logits(samples)
        losses = ctc_loss(
            logits.data,
            batch.targets,
            logits.lengths,
            batch.target_lengths,
            blank=self.tokenizer.blank,
            reduction="none",
            zero_infinity=True,
        )
        tokens = [max(1, length) for length in batch.target_lengths]
        return losses / to_device(torch.tensor(tokens, dtype=losses.dtype), losses.device)


def still(model: nn.Module) -> None:
    """Evaluation mode, in which nothing is random and BatchNorm is fixed, but for RNNs.

    cuDNN's RNNs go backwards in training mode only. Raises ValueError for RNNs with dropout of
    their own.
    """
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.RNNBase):
            if module.dropout:
                raise ValueError(
                    "expected recurrent layers without dropout of their own; "
                    f"got dropout={module.dropout}"
                )
            module.train()
