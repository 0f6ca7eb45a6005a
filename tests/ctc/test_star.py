"""The star against every path written out, at its limits, and its derivatives."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from ctcasr.ctc import (
    InputError,
    Star,
    ctc_loss,
    forced_align,
    star_scores,
    word_numbers,
)

TARGETS = [[], [1], [1, 1], [2, 1, 2], [1, 1, 2]]
COSTS = [(0.7, math.inf), (math.inf, 1.3), (0.4, 1.1), (-1.0, 0.0)]


def some_logits(seed: int, rows: int = 1, frames: int = 5, classes: int = 4) -> torch.Tensor:
    """Float64 [B, T, C]."""
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(rows, frames, classes, dtype=torch.float64, generator=generator)


def every_path(logits: torch.Tensor, target: list[int], label_cost: float, gap_cost: float):
    """Probability of all walks through the lattice: each frame a state, and what that emits."""
    probs = logits.softmax(1)
    star = (1 - probs[:, 0]) / (logits.shape[1] - 1)
    states = [0]
    for label in target:
        states += [label, 0]
    total = 0.0
    for walk in itertools.product(range(len(states)), repeat=len(logits)):
        if walk[0] > 1 or walk[-1] < len(states) - 2:
            continue
        moves = itertools.pairwise(walk)
        if not all(_allowed(states, before, after) for before, after in moves):
            continue
        walked = 1.0
        for frame, state in enumerate(walk):
            cost = label_cost if state % 2 else gap_cost
            walked *= float(probs[frame, states[state]] + math.exp(-cost) * star[frame])
        total += walked
    return total


def _allowed(states: list[int], before: int, after: int) -> bool:
    if after - before == 2:
        return states[after] != 0 and states[after] != states[before]
    return after - before in (0, 1)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("label_cost", "gap_cost"), COSTS)
def test_sums_over_every_path(target, label_cost, gap_cost):
    logits = some_logits(len(target))
    loss = ctc_loss(
        logits,
        torch.tensor([target], dtype=torch.int64),
        [5],
        [len(target)],
        reduction="sum",
        star=Star(label_cost, gap_cost),
    )
    expected = every_path(logits[0], target, label_cost, gap_cost)
    assert float((-loss).exp()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("backend", ["reference", "cpu", "auto"])
def test_every_kernel_has_the_same_gradient_as_small_differences(backend):
    logits = some_logits(3, rows=3, frames=6).requires_grad_()
    targets = torch.tensor([[1, 2, 2], [3, 0, 0], [1, 1, 0]])
    star = Star(torch.tensor([0.3, 1.0, 2.0]), 0.8)

    def loss(values):
        return ctc_loss(
            values, targets, [6, 4, 5], [3, 1, 2], reduction="none", star=star, backend=backend
        )

    assert torch.autograd.gradcheck(loss, logits)


def test_infinite_costs_are_plain_ctc(random_batch):
    logits, targets, times, lengths = random_batch(5, 30, 7, 8)
    plain_logits = logits.clone().requires_grad_()
    star_logits = logits.clone().requires_grad_()
    plain = ctc_loss(plain_logits, targets, times, lengths, reduction="sum")
    dear = Star(torch.full((5,), math.inf), torch.full((5,), 80.0))
    starred = ctc_loss(star_logits, targets, times, lengths, reduction="sum", star=dear)
    plain.backward()
    starred.backward()
    assert starred.item() == pytest.approx(plain.item(), rel=1e-5)
    torch.testing.assert_close(star_logits.grad, plain_logits.grad, atol=1e-5, rtol=1e-4)


def test_the_star_never_costs_probability(random_batch):
    logits, targets, times, lengths = random_batch(6, 40, 9, 10)
    losses = [
        ctc_loss(logits, targets, times, lengths, reduction="none", star=Star(cost, cost))
        for cost in (math.inf, 6.0, 3.0, 0.0)
    ]
    for dear, cheap in itertools.pairwise(losses):
        assert (cheap <= dear + 1e-4).all()


def test_a_word_nobody_said_pulls_less_at_the_network():
    heard = torch.zeros(1, 6, 4)
    for frame, label in enumerate([1, 0, 2, 0, 3, 0]):
        heard[0, frame, label] = 6.0
    wrong = torch.tensor([[1, 3, 3]])
    pulls = []
    for star in (None, Star(label_cost=1.0)):
        logits = heard.clone().requires_grad_()
        ctc_loss(logits, wrong, [6], [3], reduction="sum", star=star).backward()
        pulls.append(float(logits.grad[0, 2].abs().sum()))
    assert pulls[1] < 0.2 * pulls[0]


def test_padding_and_impossible_rows_change_nothing():
    logits = some_logits(1, rows=3, frames=7).requires_grad_()
    targets = torch.tensor([[1, 2], [1, 1], [3, 0]])
    padded = logits.detach().clone()
    padded[0, 4:] = torch.nan
    padded.requires_grad_()
    star = Star(0.5, 0.5)
    losses = ctc_loss(padded, targets, [4, 2, 7], [2, 2, 1], reduction="none", star=star)
    losses[[0, 2]].sum().backward()
    alone = ctc_loss(logits[:1, :4], targets[:1], [4], [2], reduction="none", star=star)
    assert losses[0].item() == pytest.approx(alone[0].item(), rel=1e-6)
    assert losses[1] == math.inf
    assert padded.grad.isfinite().all() and not padded.grad[0, 4:].any()


@pytest.mark.parametrize("masked", [0, 1])
def test_classes_that_are_ruled_out_give_no_nan(masked):
    logits = some_logits(2)
    logits[..., masked] = -math.inf
    logits.requires_grad_()
    loss = ctc_loss(logits, torch.tensor([[2, 1]]), [5], [2], reduction="sum", star=Star(1.0, 1.0))
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


def test_half_precision_is_computed_in_float32():
    logits = some_logits(4).to(torch.bfloat16).requires_grad_()
    star = Star(1.0, 1.0)
    arguments = (torch.tensor([[1, 2]]), [5], [2])
    loss = ctc_loss(logits, *arguments, reduction="sum", star=star)
    loss.backward()
    precise = ctc_loss(logits.detach().float(), *arguments, reduction="sum", star=star)
    assert loss.item() == pytest.approx(precise.item(), rel=1e-5)
    assert logits.grad.dtype == torch.bfloat16


def test_a_prior_is_taken_off_the_label_and_not_off_the_star():
    logits = some_logits(5)
    prior = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    log_probs = logits.log_softmax(2)
    given = torch.logaddexp(log_probs - prior, star_scores(log_probs, 0)[..., None] - 1.0)
    arguments = (torch.tensor([[1, 3]]), [5], [2])
    starred = ctc_loss(logits, *arguments, reduction="sum", star=Star(1.0, 1.0), prior=prior)
    by_hand = ctc_loss(given, *arguments, reduction="sum", normalize=False)
    assert float(starred) == pytest.approx(float(by_hand), rel=1e-6)


def test_costs_are_checked():
    arguments = (torch.zeros(2, 5, 4), torch.tensor([[1], [2]]), [5, 5], [1, 1])
    with pytest.raises(InputError, match="one for each of the 2 rows"):
        ctc_loss(*arguments, star=Star(torch.zeros(3)))
    with pytest.raises(InputError, match="expected nats"):
        Star(gap_cost=math.nan)
    with pytest.raises(InputError, match="expected `words`"):
        Star(word_cost=1.0)


def test_words_are_numbered_between_separators():
    targets = torch.tensor([[1, 5, 1, 1, 6, 7], [8, 1, 9, 0, 0, 0]])
    numbers = word_numbers(targets, [6, 3], separator=1)
    assert numbers.tolist() == [[-1, 0, -1, -1, 1, 1], [0, -1, 1, -1, -1, -1]]


def test_words_begin_with_some_labels():
    targets = torch.tensor([[5, 1, 5, 6, 2, 0], [7, 3, 6, 3, 1, 5]])
    numbers = word_numbers(targets, [5, 6], separator=3, beginnings=[5, 6])
    assert numbers.tolist() == [[0, 0, 1, 2, 2, -1], [0, -1, 1, -1, 2, 3]]


@pytest.mark.parametrize("cost", [-math.inf, math.nan, -1e30, torch.tensor([1.0, -math.inf])])
def test_costs_that_no_score_stands_beside_are_refused(cost):
    for name in ("label_cost", "gap_cost"):
        with pytest.raises(InputError, match=f"{name}: expected nats"):
            Star(**{name: cost})


@pytest.mark.parametrize("lengths", [[3], [3, 3, 3], [3, 9], [-1, 3], torch.tensor([3.0, 3.0])])
def test_lengths_are_checked_before_they_are_used(lengths):
    targets = torch.tensor([[1], [2]])
    for call in (ctc_loss, forced_align):
        with pytest.raises(InputError, match="input_lengths"):
            call(torch.zeros(2, 3, 4), targets, lengths, [1, 1], star=Star(1.0))


def test_vmap_may_go_over_costs():
    logits = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 2], [3, 3]])

    def loss(cost):
        return ctc_loss(logits, targets, [5, 4], [2, 2], star=Star(label_cost=cost))

    costs = torch.tensor([0.5, 2.0])
    expected = torch.stack([loss(cost) for cost in costs])
    torch.testing.assert_close(torch.vmap(loss)(costs), expected)


@pytest.mark.parametrize("lengths", [([4, 4], [0, 0]), ([0, 0], [0, 0])])
def test_a_report_of_rows_without_labels(lengths):
    frames, labels = lengths
    logits = some_logits(0, rows=2, frames=4)
    words = torch.zeros(2, 0, dtype=torch.int64)
    for star in (Star(1.0, 0.5), Star(1.0, 0.5, word_cost=1.0, words=words)):
        loss, report = ctc_loss(
            logits,
            torch.zeros(2, 0, dtype=torch.int64),
            frames,
            labels,
            star=star,
            reduction="none",
            return_report=True,
        )
        torch.testing.assert_close(report.nll, loss)
        assert [len(row) for row in report.gap_star] == [1, 1]
        assert [len(row) for row in report.label_star] == [0, 0]


def test_a_prior_is_checked_as_without_a_star():
    logits, targets = some_logits(0), torch.tensor([[1]])
    for prior in (torch.zeros(9), torch.full((4,), math.nan)):
        with pytest.raises(InputError, match="prior must"):
            ctc_loss(logits, targets, [5], [1], star=Star(1.0), prior=prior)


def test_a_report_inside_a_transform_is_refused_by_name():
    logits, targets = some_logits(0), torch.tensor([[1]])
    with pytest.raises(RuntimeError, match="StarReport cannot be made inside"):
        torch.func.grad(
            lambda scores: ctc_loss(scores, targets, [5], [1], star=Star(1.0), return_report=True)[
                0
            ]
        )(logits)


def test_what_is_no_cost_and_no_word_number_is_told():
    with pytest.raises(InputError, match="label_cost: expected a number"):
        Star(label_cost=[1.0, 2.0])
    with pytest.raises(InputError, match="expected padded ones"):
        word_numbers(torch.tensor([1, 2]), [2], separator=1)
    star = Star(word_cost=1.0, words=torch.zeros(1, 1))
    with pytest.raises(InputError, match="words: expected a whole number"):
        ctc_loss(some_logits(0), torch.tensor([[1]]), [5], [1], star=star)


def test_a_report_of_no_rows():
    nothing = torch.zeros(0, 0, dtype=torch.int64)
    _, report = ctc_loss(torch.zeros(0, 4, 3), nothing, [], [], star=Star(1.0), return_report=True)
    assert report.label_star == () and report.summary()["rows"] == 0
