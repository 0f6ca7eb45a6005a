"""Words that are left as a whole, against every path written out."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from ctcasr.ctc import InputError, Star, ctc_loss
from tests.ctc.test_star import some_logits


def every_path(
    logits: torch.Tensor,
    segments: list[list[int] | int],
    cost: float,
    inside_cost: float = 0.0,
) -> float:
    """Probability of all ways to keep or leave each word, and of all walks through each way.

    A segment is a word (a list) or a label of none.
    """
    words = [place for place, segment in enumerate(segments) if isinstance(segment, list)]
    total = 0.0
    for kept in itertools.product([True, False], repeat=len(words)):
        states: list[int | str] = [0]
        for place, segment in enumerate(segments):
            if place in words and not kept[words.index(place)]:
                states += ["star", 0]
                continue
            for label in segment if isinstance(segment, list) else [segment]:
                states += [label, 0]
        left = len(words) - sum(kept)
        total += math.exp(-cost * left) * _walks(logits, states, inside_cost)
    return total


def _walks(logits: torch.Tensor, states: list[int | str], inside_cost: float) -> float:
    probs = logits.softmax(1)
    labels = logits.shape[1] - 1
    star = (1 - probs[:, 0]) * min(math.exp(-inside_cost) / labels, 1.0)
    total = 0.0
    for walk in itertools.product(range(len(states)), repeat=len(logits)):
        if walk[0] > 1 or walk[-1] < len(states) - 2:
            continue
        if not all(_allowed(states, *move) for move in itertools.pairwise(walk)):
            continue
        walked = 1.0
        for frame, state in enumerate(walk):
            symbol = states[state]
            if symbol == "star":
                walked *= float(probs[frame, 0] + star[frame])
            else:
                walked *= float(probs[frame, symbol])
        total += walked
    return total


def _allowed(states: list[int | str], before: int, after: int) -> bool:
    if after - before == 2:
        return states[after] != 0 and (states[after] == "star" or states[after] != states[before])
    return after - before in (0, 1)


CASES = [
    [[1]],
    [[1, 2]],
    [[1], 3, [2]],
    [[1, 2], [2]],
    [3, [1, 1], 3],
]


def words_of(segments: list[list[int] | int]) -> tuple[list[int], list[int]]:
    """Labels, and the numbers of their words."""
    labels: list[int] = []
    numbers: list[int] = []
    word = 0
    for segment in segments:
        if isinstance(segment, list):
            labels += segment
            numbers += [word] * len(segment)
            word += 1
        else:
            labels.append(segment)
            numbers.append(-1)
    return labels, numbers


@pytest.mark.parametrize("segments", CASES, ids=str)
@pytest.mark.parametrize("cost", [0.6, 3.0])
def test_sums_over_every_path(segments, cost):
    labels, numbers = words_of(segments)
    logits = some_logits(len(labels))
    loss = ctc_loss(
        logits,
        torch.tensor([labels]),
        [5],
        [len(labels)],
        reduction="sum",
        star=Star(word_cost=cost, words=torch.tensor([numbers])),
    )
    assert float((-loss).exp()) == pytest.approx(every_path(logits[0], segments, cost), rel=1e-9)


@pytest.mark.parametrize("inside_cost", [-math.inf, -9.0, -0.5, 2.0, math.inf])
def test_what_a_word_that_is_left_emits(inside_cost):
    segments = [[1, 2], 3, [2]]
    labels, numbers = words_of(segments)
    logits = some_logits(4)
    star = Star(word_cost=1.0, words=torch.tensor([numbers]), inside_cost=inside_cost)
    loss = ctc_loss(logits, torch.tensor([labels]), [5], [len(labels)], reduction="sum", star=star)
    expected = every_path(logits[0], segments, 1.0, inside_cost)
    assert float((-loss).exp()) == pytest.approx(expected, rel=1e-9)


def test_words_that_are_left_teach_little():
    pulls = []
    for inside_cost in (0.0, -math.inf):
        logits = 5 * torch.eye(4, dtype=torch.float64)[[3, 3, 0, 3, 3]][None]  # another was said
        logits.requires_grad_()
        star = Star(word_cost=-50.0, words=torch.tensor([[0, 0]]), inside_cost=inside_cost)
        ctc_loss(logits, torch.tensor([[1, 2]]), [5], [2], reduction="sum", star=star).backward()
        pulls.append(float(logits.grad.abs().sum()))
    assert pulls[1] < 0.2 * pulls[0]


def test_gradient():
    logits = some_logits(7, rows=2, frames=6).requires_grad_()
    targets = torch.tensor([[1, 2, 3], [2, 2, 0]])
    words = torch.tensor([[0, 0, 1], [0, 1, -1]])

    def loss(values):
        star = Star(1.0, 0.5, word_cost=torch.tensor([[0.5, 1.0], [2.0, 0.1]]), words=words)
        return ctc_loss(values, targets, [6, 5], [3, 2], reduction="none", star=star)

    assert torch.autograd.gradcheck(loss, logits)


def test_dear_words_are_plain_ctc(random_batch):
    logits, targets, times, lengths = random_batch(4, 20, 6, 5)
    words = torch.arange(5).expand(4, 5)
    plain = ctc_loss(logits, targets, times, lengths, reduction="none")
    star = Star(word_cost=torch.full((4, 5), math.inf), words=words)
    losses = ctc_loss(logits, targets, times, lengths, reduction="none", star=star)
    torch.testing.assert_close(losses, plain, atol=1e-4, rtol=1e-5)


def test_a_word_may_be_left_where_its_labels_have_no_room():
    logits = some_logits(1, frames=2)
    arguments = (torch.tensor([[1, 2, 1]]), [2], [3])
    assert ctc_loss(logits, *arguments, reduction="sum") == math.inf
    star = Star(word_cost=1.0, words=torch.tensor([[0, 0, 0]]))
    assert ctc_loss(logits, *arguments, reduction="sum", star=star).isfinite()


@pytest.mark.parametrize("words", [[[1, 1]], [[0, 2]], [[0, 1, 0]], [[0]]])
def test_words_that_are_not_numbered_in_order_are_refused(words):
    labels = torch.tensor([[1, 2, 3][: max(2, len(words[0]))]])
    star = Star(word_cost=1.0, words=torch.tensor(words))
    with pytest.raises(InputError, match="words"):
        ctc_loss(some_logits(0), labels, [5], [labels.shape[1]], star=star)


def test_costs_of_other_words_are_refused():
    star = Star(word_cost=torch.zeros(1, 3), words=torch.tensor([[0, 1]]))
    with pytest.raises(InputError, match="word_cost"):
        ctc_loss(some_logits(0), torch.tensor([[1, 2]]), [5], [2], star=star)
