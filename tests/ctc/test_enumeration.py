"""The loss and its gradient are sums over paths: write all of them down and compare."""

from __future__ import annotations

import itertools
import math

import pytest
import torch


def collapse(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


def targets_up_to(frames: int, classes: int, blank: int) -> list[tuple[int, ...]]:
    labels = [k for k in range(classes) if k != blank]
    return [t for u in range(frames + 1) for t in itertools.product(labels, repeat=u)]


@pytest.fixture(scope="module")
def truth():
    """(T, C, blank, weight, normalize) -> batch and what enumeration says; once for all."""
    cache = {}

    def compute(frames, classes, blank, weight, normalize):
        key = (frames, classes, blank, weight, normalize)
        if key not in cache:
            rng = torch.Generator().manual_seed(frames * 10 + classes)
            targets = targets_up_to(frames, classes, blank)
            logits = torch.randn(len(targets), frames, classes, generator=rng, dtype=torch.float64)
            prior = torch.randn(classes, generator=rng, dtype=torch.float64).log_softmax(0)
            probs = logits.log_softmax(2)
            seen = (probs if normalize else logits) - weight * prior
            paths = torch.tensor(
                list(itertools.product(range(classes), repeat=frames)), dtype=torch.int64
            )
            collapsed = [collapse(tuple(path), blank) for path in paths.tolist()]
            nll, grad = [], []
            for row, target in enumerate(targets):
                mine = paths[[c == target for c in collapsed]]
                mass = (
                    seen[row].gather(1, mine.T).sum(0).exp()
                    if len(mine)
                    else torch.zeros(0, dtype=torch.float64)
                )
                nll.append(-mass.sum().log())
                occupancy = torch.zeros(frames, classes, dtype=torch.float64)
                for path, share in zip(mine, mass / mass.sum(), strict=True):
                    occupancy[torch.arange(frames), path] += share
                grad.append(
                    (probs[row].exp() if normalize else 0.0) - occupancy if len(mine) else occupancy
                )
            cache[key] = logits, targets, prior, torch.stack(nll), torch.stack(grad)
        return cache[key]

    return compute


@pytest.mark.parametrize("normalize", [True, False], ids=["logits", "scores"])
@pytest.mark.parametrize("weight", [0.0, 0.7], ids=["plain", "prior"])
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_equals_enumeration_of_all_paths(run, exact, truth, classes, weight, normalize):
    for frames in range(1, 7):
        for blank in range(classes):
            logits, targets, prior, nll, grad = truth(frames, classes, blank, weight, normalize)
            flat = torch.tensor(
                [label for target in targets for label in target], dtype=torch.int64
            )
            options = {"prior": prior, "prior_weight": weight} if weight else {}
            got, slope = run(
                logits,
                flat,
                [frames] * len(targets),
                [len(t) for t in targets],
                blank=blank,
                normalize=normalize,
                **options,
            )
            tolerance = 1e-11 if exact else 2e-6
            torch.testing.assert_close(got.double(), nll, rtol=tolerance, atol=tolerance)
            torch.testing.assert_close(slope.double(), grad, rtol=0, atol=tolerance)


def test_probabilities_of_all_targets_sum_to_one(run):
    frames, classes = 5, 3
    targets = targets_up_to(frames, classes, 0)
    logits = torch.randn(1, frames, classes, generator=torch.Generator().manual_seed(1)).expand(
        len(targets), -1, -1
    )
    flat = torch.tensor([label for target in targets for label in target])
    nll, _ = run(logits, flat, [frames] * len(targets), [len(t) for t in targets])
    assert float((-nll.double()).exp().sum()) == pytest.approx(1.0, abs=1e-5)


def test_enumeration_finds_as_many_paths_as_the_closed_form_counts():
    """binom(T + U - R, 2U) paths spell a target."""
    found = sum(collapse(path, 0) == (1, 1, 2) for path in itertools.product(range(3), repeat=6))
    assert found == math.comb(6 + 3 - 1, 2 * 3)
