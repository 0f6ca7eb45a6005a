"""Every way to ask torch for a CTC loss passes the seam, and nothing is left behind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from threading import Thread

import pytest
import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.nn import functional
from torch.nn.functional import ctc_loss as imported_before
from torch.nn.utils import clip_grad

from ctcasr.watching.seams import (
    LossArguments,
    clipping_seen,
    ctc_losses_seen,
    scaled_steps_seen,
)

LOG_PROBS = torch.randn(6, 2, 4, generator=torch.Generator().manual_seed(0)).log_softmax(2)
TARGETS = torch.tensor([[1, 2], [3, 3]])
LENGTHS = (torch.tensor([6, 5]), torch.tensor([2, 1]))

WAYS: dict[str, Callable[[], Tensor]] = {
    "module": lambda: torch.nn.CTCLoss()(LOG_PROBS, TARGETS, *LENGTHS),
    "functional": lambda: functional.ctc_loss(LOG_PROBS, TARGETS, *LENGTHS, reduction="mean"),
    "imported before": lambda: imported_before(LOG_PROBS, TARGETS, *LENGTHS),
    "native": lambda: torch.ctc_loss(LOG_PROBS, TARGETS, *LENGTHS),
    "lengths as tuples": lambda: functional.ctc_loss(LOG_PROBS, TARGETS, (6, 5), (2, 1)),
}


def recorder(seen: list[LossArguments]) -> Callable[[Tensor, LossArguments], Tensor]:
    def observe(loss: Tensor, arguments: LossArguments) -> Tensor:
        seen.append(arguments)
        return loss

    return observe


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_seen_once_and_gives_the_same_loss(way: str) -> None:
    seen: list[LossArguments] = []
    expected = WAYS[way]()
    with ctc_losses_seen(recorder(seen)):
        assert torch.equal(WAYS[way](), expected)
    assert len(seen) == 1
    assert seen[0].log_probs is LOG_PROBS
    WAYS[way]()
    assert len(seen) == 1


def test_other_threads_are_seen_too() -> None:
    seen: list[LossArguments] = []
    with ctc_losses_seen(recorder(seen)):
        thread = Thread(target=WAYS["module"])
        thread.start()
        thread.join()
    assert len(seen) == 1


def test_what_the_observer_returns_is_handed_on() -> None:
    with ctc_losses_seen(lambda loss, arguments: loss + 1):
        assert WAYS["module"]() == WAYS["functional"]()
        larger = WAYS["module"]()
    assert larger == WAYS["module"]() + 1


def test_the_seam_is_closed_after_an_error() -> None:
    original = torch.ctc_loss
    with pytest.raises(KeyError), ctc_losses_seen(recorder([])):
        raise KeyError
    assert torch.ctc_loss is original


def test_who_came_later_is_not_thrown_out() -> None:
    def later(*args: object) -> None:
        """Somebody else's."""

    original = torch.ctc_loss
    try:
        with ctc_losses_seen(recorder([])):
            torch.ctc_loss = later  # type: ignore[assignment]
        assert torch.ctc_loss is later
    finally:
        torch.ctc_loss = original


def test_whoever_began_first_may_end_first_and_nothing_stays_replaced() -> None:
    originals = (torch.ctc_loss, clip_grad._clip_grads_with_norm_, GradScaler._maybe_opt_step)
    first: list[LossArguments] = []
    second: list[LossArguments] = []
    earlier = ExitStack()
    earlier.enter_context(ctc_losses_seen(recorder(first)))
    earlier.enter_context(clipping_seen(lambda *clipped: None))
    earlier.enter_context(scaled_steps_seen(lambda: None))
    with (
        ctc_losses_seen(recorder(second)),
        clipping_seen(lambda *clipped: None),
        scaled_steps_seen(lambda: None),
    ):
        WAYS["module"]()
        earlier.close()
        WAYS["module"]()
    assert (len(first), len(second)) == (1, 2)
    now = (torch.ctc_loss, clip_grad._clip_grads_with_norm_, GradScaler._maybe_opt_step)
    assert now == originals


def test_a_replacement_that_somebody_kept_tells_nobody_twice() -> None:
    seen: list[LossArguments] = []
    original = torch.ctc_loss
    try:
        with ctc_losses_seen(recorder(seen)):
            kept = torch.ctc_loss
            torch.ctc_loss = lambda *args: kept(*args)
        WAYS["native"]()
        assert not seen
        with ctc_losses_seen(recorder(seen)):
            WAYS["native"]()
        assert len(seen) == 1
    finally:
        torch.ctc_loss = original


def test_a_compiled_loss_is_computed_as_if_nobody_looked() -> None:
    seen: list[LossArguments] = []

    @torch.compile(backend="eager")
    def loss(log_probs: Tensor) -> Tensor:
        return functional.ctc_loss(log_probs, TARGETS, *LENGTHS)

    expected = WAYS["functional"]()
    with ctc_losses_seen(recorder(seen)), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(loss(LOG_PROBS), expected)
    assert not seen


def test_clipping_tells_the_norm_before_it() -> None:
    parameter = torch.nn.Parameter(torch.zeros(3))
    parameter.grad = torch.tensor([3.0, 0.0, 4.0])
    seen: list[tuple[float, float]] = []
    with clipping_seen(lambda _, norm, largest: seen.append((float(norm), largest))):
        torch.nn.utils.clip_grad_norm_([parameter], 1.0)
    assert seen == [(5.0, 1.0)]
    assert float(parameter.grad.norm()) == pytest.approx(1.0, abs=1e-5)


def test_a_step_that_a_scaler_leaves_out_is_counted() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    optimiser = torch.optim.SGD([parameter], lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    left_out: list[int] = []
    with scaled_steps_seen(lambda: left_out.append(1)):
        for factor in (1.0, float("inf"), 1.0):
            optimiser.zero_grad()
            scaler.scale((parameter * factor).sum()).backward()
            scaler.step(optimiser)
            scaler.update()
    assert len(left_out) == 1
    assert torch.equal(parameter.detach(), torch.full((2,), -1.0))
