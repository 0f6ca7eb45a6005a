"""One optimiser step: accumulation is exact, clipping bounds, what is not finite moves nothing."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from ctcasr.records import Reason
from ctcasr.train.config import TrainConfig
from ctcasr.train.schedule import make_optimiser
from ctcasr.train.stepper import Decision, Stepper, StepResult, decisions
from ctcasr.train.world import World


def take_step(
    task: Any, optimiser: Any, batches: Any, step: int, lr: float, clip: float
) -> StepResult | None:
    return Stepper(task, optimiser, clip).take(batches, step=step, lr=lr)


def sgd(task: Any, **settings: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(task.network.parameters(), lr=123.0, **settings)


def weights(task: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in task.network.parameters()])


def test_accumulation_equals_one_big_batch(toy: Any, make_batch: Any) -> None:
    parts = [
        make_batch("a", "b", seed=1),
        make_batch("a", seed=2),
        make_batch("a", "left out", "c", seed=3),
    ]
    whole = make_batch(*(u.text for b in parts for u in b.utterances))
    whole = type(whole)(
        whole.utterances,
        whole.audio.with_data(torch.cat([b.audio.data for b in parts])),
        whole.targets,
        whole.target_lengths,
    )
    one, many = toy(), toy()
    a = take_step(one, sgd(one), [whole], 0, 0.1, 0.0)
    b = take_step(many, sgd(many), parts, 0, 0.1, 0.0)
    assert a is not None and b is not None
    assert torch.allclose(weights(one), weights(many), rtol=1e-12, atol=1e-14) and not torch.equal(
        weights(one), weights(toy())
    )
    assert (
        a.weight == b.weight == 5
        and a.loss == pytest.approx(b.loss, rel=1e-12)
        and a.grad_norm == pytest.approx(b.grad_norm, rel=1e-12)
    )
    assert a.left_out == ("u4",) and b.left_out == ("u1",)


def test_a_step_is_that_of_the_mean_loss_at_the_rate_given(toy: Any, make_batch: Any) -> None:
    batch, task, plain = make_batch("a", "b", "c"), toy(), toy()
    loss = plain.network(batch.audio.data).square().sum(1).mean()
    loss.backward()
    outcome = take_step(task, sgd(task), [batch], 0, 0.05, 0.0)
    wanted = weights(plain) - 0.05 * torch.cat(
        [p.grad.flatten() for p in plain.network.parameters()]
    )
    assert outcome is not None and torch.allclose(weights(task), wanted, rtol=1e-12)
    assert (
        outcome.loss == pytest.approx(float(loss.detach()), rel=1e-12) and outcome.problem is None
    )


def test_what_a_task_tells_is_recorded_and_its_sum_is_learnt(toy: Any, make_batch: Any) -> None:
    batch = make_batch("a", "b", "c")
    plain = toy()
    telling = toy()
    step = telling.step
    telling.step = lambda batch, number: replace(step(batch, number), told=torch.tensor(6.0))
    wanted = take_step(plain, sgd(plain), [batch], 0, 0.05, 0.0)
    outcome = take_step(telling, sgd(telling), [batch], 0, 0.05, 0.0)
    assert wanted is not None and outcome is not None
    assert outcome.loss == 2.0 and outcome.grad_norm == wanted.grad_norm
    assert torch.equal(weights(telling), weights(plain))


@pytest.mark.parametrize("clip", [0.01, 0.5, 1e6])
def test_clipping_bounds_the_step_and_keeps_its_direction(
    clip: float, toy: Any, make_batch: Any
) -> None:
    free, bound = toy(), toy()
    before = weights(free)
    unclipped = take_step(free, sgd(free), [make_batch("a", "b")], 0, 1.0, 0.0)
    outcome = take_step(bound, sgd(bound), [make_batch("a", "b")], 0, 1.0, clip)
    assert outcome is not None and unclipped is not None
    assert outcome.grad_norm == unclipped.grad_norm  # told as it was before clipping
    moved, wanted = weights(bound) - before, weights(free) - before
    assert float(moved.norm()) == pytest.approx(min(clip, outcome.grad_norm), rel=1e-3)
    assert float(torch.nn.functional.cosine_similarity(moved, wanted, dim=0)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("nan loss", Reason.LOSS_NOT_FINITE), ("inf gradient", Reason.GRADIENT_NOT_FINITE)],
)
def test_what_is_not_finite_moves_nothing_and_is_named(
    text: str, problem: Reason, toy: Any, make_batch: Any
) -> None:
    task = toy()
    optimiser = make_optimiser(TrainConfig(), task.parameters())
    take_step(
        task, optimiser, [make_batch("a", "b")], 0, 0.1, 1.0
    )  # so that the optimiser has a state
    before, state = weights(task), copy.deepcopy(optimiser.state_dict())
    outcome = take_step(
        task, optimiser, [make_batch("a", name="x"), make_batch("b", text, name="y")], 1, 0.1, 1.0
    )
    assert outcome is not None and outcome.problem is problem
    assert torch.equal(weights(task), before)
    for index, moments in optimiser.state_dict()["state"].items():
        assert all(
            torch.equal(value, state["state"][index][name]) for name, value in moments.items()
        )
    # A row whose own loss is not finite is told; else every row is suspect.
    assert outcome.suspects == (("y1",) if text == "nan loss" else ("x0", "y0", "y1"))
    good = take_step(task, optimiser, [make_batch("a", "b")], 2, 0.1, 1.0)
    assert (
        good is not None
        and not good.problem
        and bool(torch.isfinite(weights(task)).all())
        and not torch.equal(weights(task), before)
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [("nan loss", Reason.LOSS_NOT_FINITE), ("inf gradient", Reason.GRADIENT_NOT_FINITE)],
)
def test_the_device_may_decide_that_nothing_moves_and_is_asked_later(
    text: str, problem: Reason, toy: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stepper, "_device_decides", True)  # as on CUDA
    taken, skipped = toy(), toy()
    optimisers = [torch.optim.AdamW(t.parameters(), fused=True) for t in (taken, skipped)]
    for task, optimiser in zip((taken, skipped), optimisers, strict=True):
        take_step(task, optimiser, [make_batch("a", "b")], 0, 0.1, 1.0)
    bad = take_step(skipped, optimisers[1], [make_batch("b", text, name="y")], 1, 0.1, 1.0)
    assert bad is not None and bad.problem is None and bad.undecided is not None
    results = [
        take_step(task, optimiser, [make_batch("c", seed=2)], 2, 0.1, 1.0)
        for task, optimiser in zip((taken, skipped), optimisers, strict=True)
    ]
    assert torch.equal(weights(taken), weights(skipped))  # moments and counts stayed too
    assert results[1] is not None and results[1].undecided is not None
    suspects = ("y1",) if text == "nan loss" else ("y0", "y1")
    assert decisions([bad.undecided, results[1].undecided], World()) == [
        Decision(problem, suspects),
        Decision(),
    ]


def test_a_left_out_row_may_be_anything(toy: Any, make_batch: Any) -> None:
    task, alone = toy(), toy()
    batch = make_batch("a", "left out")
    batch.audio.data[1] = 1e200
    take_step(task, sgd(task), [batch], 0, 0.1, 0.0)
    take_step(alone, sgd(alone), [make_batch("a", "left out")], 0, 0.1, 0.0)
    assert torch.equal(weights(task), weights(alone))


def test_nothing_but_left_out_rows_is_a_problem_that_moves_nothing(
    toy: Any, make_batch: Any
) -> None:
    task = toy()
    before = weights(task)
    outcome = take_step(task, sgd(task), [make_batch("left out", "left out")], 0, 0.1, 0.0)
    assert (
        outcome is not None
        and outcome.problem is Reason.NO_ALIGNMENT
        and outcome.left_out == ("u0", "u1")
    )
    assert torch.equal(weights(task), before)


def test_no_batch_is_no_step(toy: Any) -> None:
    task = toy()
    assert take_step(task, sgd(task), [], 0, 0.1, 0.0) is None


def test_a_network_without_gradient_is_a_clear_error(toy: Any, make_batch: Any) -> None:
    task = toy(frozen=True)
    with pytest.raises(ValueError, match="no trained parameter received a gradient"):
        take_step(task, sgd(task), [make_batch("a")], 0, 0.1, 0.0)


# memory ---------------------------------------------------------------------------------------


def fragile(task: Any, most: int, backward: bool = False) -> Any:
    """The task, but with memory for `most` rows only."""
    step = task.step

    def stepped(batch: Any, number: int) -> Any:
        loss = step(batch, number)
        task.sizes.append(len(batch))
        if len(batch) > most and not backward:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 EiB")
        if len(batch) > most:

            def fail(grad: torch.Tensor) -> None:  # in the middle of the backward pass
                handle.remove()
                raise RuntimeError(
                    "[enforce fail at alloc_cpu.cpp:121] err == 0. "
                    "DefaultCPUAllocator: can't allocate memory"
                )

            handle = task.network.bias.register_hook(fail)
        return loss

    task.step, task.sizes = stepped, []
    return task


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(("most", "times"), [(7, 0), (6, 1), (3, 2), (1, 8)])
def test_what_does_not_fit_into_memory_is_halved_and_the_step_is_the_same(
    most: int, times: int, backward: bool, toy: Any, make_batch: Any
) -> None:
    texts = ("a", "b", "left out", "c", "d", "e", "f")
    free, bound = toy(), fragile(toy(), most, backward)
    a = take_step(
        free, sgd(free), [make_batch(*texts), make_batch("x", "y", "z", seed=4)], 0, 0.1, 1.0
    )
    b = take_step(
        bound, sgd(bound), [make_batch(*texts), make_batch("x", "y", "z", seed=4)], 0, 0.1, 1.0
    )
    assert a is not None and b is not None and not b.problem
    assert torch.allclose(weights(free), weights(bound), rtol=1e-12, atol=1e-14)
    assert (a.weight, a.left_out, a.audio_s, a.halved) == (
        b.weight,
        b.left_out,
        b.audio_s,
        0,
    ) and b.halved == times
    assert a.loss == pytest.approx(b.loss, rel=1e-12) and all(
        size <= most for size in bound.sizes[len(bound.sizes) - 1 :]
    )


def test_an_utterance_that_does_not_fit_even_alone_is_left_out_and_named(
    toy: Any, make_batch: Any
) -> None:
    task, without = toy(), toy()
    batch = make_batch("a", "b", "c", "d")
    step = task.step

    def stepped(part: Any, number: int) -> Any:
        if "u2" in part.ids:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return step(part, number)

    task.step = stepped
    outcome = take_step(task, sgd(task), [batch], 0, 0.1, 0.0)
    take_step(without, sgd(without), [batch.rows([0, 1, 3])], 0, 0.1, 0.0)
    assert (
        outcome is not None
        and outcome.too_large == ("u2",)
        and outcome.weight == 3
        and not outcome.problem
    )
    assert torch.allclose(weights(task), weights(without), rtol=1e-12)


def test_where_nothing_fits_nothing_moves(toy: Any, make_batch: Any) -> None:
    task = fragile(toy(), 0)
    before = weights(task)
    outcome = take_step(task, sgd(task), [make_batch("a", "b")], 0, 0.1, 0.0)
    assert (
        outcome is not None
        and outcome.problem is Reason.NOTHING_FITS
        and outcome.too_large == ("u0", "u1")
    )
    assert torch.equal(weights(task), before)


def test_other_errors_are_not_taken_for_a_lack_of_memory(toy: Any, make_batch: Any) -> None:
    task = toy()

    def broken(batch: Any, step: int) -> Any:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    task.step = broken
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        take_step(task, sgd(task), [make_batch("a")], 0, 0.1, 0.0)


def test_rows_of_a_batch_are_the_batch_of_these_rows(make_batch: Any) -> None:
    batch = make_batch("a", "b", "c")
    batch = type(batch)(
        batch.utterances,
        batch.audio,
        torch.arange(6),
        (1, 3, 2),
        seeds=(7, 8, 9),
        clean=batch.audio,
        labels=torch.tensor([4, 5, 6]),
    )
    part = batch.rows([2, 0])
    assert (
        part.ids == ("u2", "u0")
        and part.targets.tolist() == [4, 5, 0]
        and part.target_lengths == (2, 1)
        and part.seeds == (9, 7)
    )
    assert (
        part.labels is not None
        and part.labels.tolist() == [6, 4]
        and part.clean is not None
        and part.video is None
    )
    assert torch.equal(part.audio.data, batch.audio.data[[2, 0]]) and torch.equal(
        part.clean.data, part.audio.data
    )
