"""Loss modules of ESPnet and NeMo: what they are handed passes the watch, in a plain loop."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ctcasr.watching.session import Watch, watch
from tools.bench.strangers import FEATURES, SYMBOLS, Digits, Fault, spectra

UNITS = 24

LossOf = Callable[[Tensor, Digits], Tensor]
"""From states [B, T, 2 * UNITS] and a batch to a loss."""


def part_of(module: str, name: str) -> Any:
    """A class of a framework; skips where the framework, or what it needs, is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return getattr(importlib.import_module(module), name)
        except Exception as error:  # whatever a half-installed framework raises
            pytest.skip(f"{module} cannot be imported: {error!r}"[:120])


def espnet_loss() -> tuple[nn.Module, LossOf]:
    """ESPnet's module holds the last layer, and takes padded targets."""
    module = part_of("espnet2.asr.ctc", "CTC")(SYMBOLS, 2 * UNITS)

    def loss_of(states: Tensor, digits: Digits) -> Tensor:
        loss: Tensor = module(states, digits.input_lengths, digits.targets, digits.target_lengths)
        return loss

    return module, loss_of


def nemo_loss() -> tuple[nn.Module, LossOf]:
    """NeMo's loss has the blank behind all symbols."""
    loss_class = part_of("nemo.collections.asr.losses.ctc", "CTCLoss")
    loss_module = loss_class(num_classes=SYMBOLS - 1, zero_infinity=True)
    head = nn.Linear(2 * UNITS, SYMBOLS)

    def loss_of(states: Tensor, digits: Digits) -> Tensor:
        loss: Tensor = loss_module(
            log_probs=head(states).log_softmax(2),
            targets=digits.targets - 1,
            input_lengths=digits.input_lengths,
            target_lengths=digits.target_lengths,
        )
        return loss

    return head, loss_of


def trained(make_loss: Callable[[], tuple[nn.Module, LossOf]], session: Watch, lr: float) -> None:
    """`for batch in loader`, with somebody's loss module."""
    torch.manual_seed(0)
    head, loss_of = make_loss()
    rnn = nn.LSTM(FEATURES, UNITS, bidirectional=True, batch_first=True)
    optimiser = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=lr)
    draw = torch.Generator().manual_seed(1)
    with session:
        for step in range(1, 61):
            batch = spectra(8, draw, Fault())
            loss = loss_of(rnn(batch.inputs)[0], batch)
            optimiser.zero_grad()
            loss.mean().backward()
            optimiser.step()
            if step % 20 == 0:
                with torch.no_grad():
                    held_out = spectra(32, draw, Fault())
                    loss_of(rnn(held_out.inputs)[0], held_out)


@pytest.mark.slow
@pytest.mark.parametrize("make_loss", [espnet_loss, nemo_loss])
@pytest.mark.parametrize(
    ("lr", "slugs"), [(1e-2, []), (0.0, ["learning-rate-zero"]), (1e-6, ["learning-rate-too-low"])]
)
def test_a_loss_module_is_seen_through(
    make_loss: Callable[[], tuple[nn.Module, LossOf]], lr: float, slugs: list[str]
) -> None:
    session = watch(say=None)
    trained(make_loss, session, lr)
    assert session.step == 60 and session._calls.count == 63
    assert session.verdict is not None
    assert [cause.slug for cause in session.verdict.causes] == slugs
    assert not session._care.broken
