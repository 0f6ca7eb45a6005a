"""The entropy of the alignments: against enumeration and the reference lattice's derivatives."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from ctcasr.ctc import alignment_entropy, ctc_report


def enumerated(logits: torch.Tensor, target: list[int]) -> float:
    """Entropy over all paths of logits [T, C] that collapse to `target`."""
    frames, classes = logits.shape
    scores = logits.log_softmax(1)
    found = []
    for path in itertools.product(range(classes), repeat=frames):
        if [k for k, _ in itertools.groupby(path) if k] == target:
            found.append(sum(float(scores[t, k]) for t, k in enumerate(path)))
    top = max(found)
    total = sum(math.exp(f - top) for f in found)
    return -sum(math.exp(f - top) / total * (f - top - math.log(total)) for f in found)


@pytest.mark.parametrize("target", [[1], [1, 2], [2, 2], []])
@pytest.mark.parametrize("scale", [0.0, 1.0, 5.0])
def test_equals_the_sum_over_all_paths(target: list[int], scale: float) -> None:
    logits = scale * torch.randn(
        1, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(len(target))
    )
    found = alignment_entropy(logits, torch.tensor(target, dtype=torch.int64), (5,), (len(target),))
    assert float(found) == pytest.approx(enumerated(logits[0], target), abs=1e-9)


def test_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 7, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    targets = torch.tensor([1, 2, 3, 3, 1, 1])
    torch.autograd.gradcheck(
        lambda x: alignment_entropy(x, targets, (7, 5, 2), (3, 2, 1)),
        logits,
        eps=1e-5,
        atol=1e-5,
        rtol=1e-4,
    )


def test_is_what_the_report_says_and_zero_without_a_path() -> None:
    logits = torch.randn(3, 9, 5, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([1, 1, 2, 3, 4, 4, 4, 4, 4])
    lengths = (9, 9, 6), (2, 2, 5)
    found = alignment_entropy(logits, targets, *lengths)
    report = ctc_report(logits, targets, *lengths)
    torch.testing.assert_close(found[:2], report.entropy[:2].float(), rtol=1e-4, atol=1e-4)
    assert float(found[2]) == 0.0


def test_training_on_it_flattens_the_alignments() -> None:
    logits = (
        4 * torch.randn(2, 12, 4, generator=torch.Generator().manual_seed(2))
    ).requires_grad_()
    targets = torch.tensor([1, 2, 3, 1])
    first = alignment_entropy(logits, targets, (12, 10), (2, 2)).sum()
    (slope,) = torch.autograd.grad(first, logits)
    second = alignment_entropy(logits.detach() + 0.1 * slope, targets, (12, 10), (2, 2)).sum()
    assert float(second) > float(first)
