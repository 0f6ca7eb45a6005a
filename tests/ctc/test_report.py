"""The report against the lattice written out, closed forms, and itself in pieces."""

from __future__ import annotations

import itertools
import json
import math

import pytest
import torch

from ctcasr.ctc import ctc_loss, ctc_report
from ctcasr.ctc.report import label_times


def paths_of(logits, frames, target, blank=0):
    """Every path of the target with its posterior."""
    log_probs = logits.double().log_softmax(-1)
    found = [
        path
        for path in itertools.product(range(logits.shape[-1]), repeat=frames)
        if [k for k, _ in itertools.groupby(path) if k != blank] == target
    ]
    mass = torch.stack([log_probs[range(frames), list(path)].sum() for path in found]).exp()
    return found, mass / mass.sum()


@pytest.mark.parametrize("target", [[], [1], [1, 1], [2, 1, 2]])
def test_equals_enumeration(backend, device, target):
    frames = 6
    logits = torch.randn(1, frames, 3, generator=torch.Generator().manual_seed(len(target)))
    _, report = ctc_loss(
        logits.to(device),
        torch.tensor([target], dtype=torch.int64),
        [frames],
        [len(target)],
        backend=backend,
        return_report=True,
    )
    found, mass = paths_of(logits[0], frames, target)
    entropy = float(-(mass * mass.log()).sum())
    blanks = torch.tensor([[k == 0 for k in path] for path in found], dtype=torch.float64)
    share = (mass[:, None] * blanks).sum(0)
    assert float(report.entropy) == pytest.approx(entropy, abs=2e-5)
    assert float(report.blank_expected) == pytest.approx(float(share.mean()), abs=2e-6)
    assert float(report.blank_mass) == pytest.approx(
        float(logits[0].softmax(1)[:, 0].mean()), abs=2e-6
    )
    assert float(report.spikes) == float((share < 0.5).sum())
    assert report.slack == (
        frames - len(target) - sum(a == b for a, b in itertools.pairwise(target)),
    )
    assert float(report.health) < 1e-4 and report.infeasible == ()
    report.raise_if_bad()

    onset, duration = label_times(
        logits, torch.tensor([target], dtype=torch.int64), [frames], [len(target)]
    )
    for u in range(len(target)):
        starts, lasts = [], []
        for path in found:
            runs = [(k, len(list(group))) for k, group in itertools.groupby(path)]
            at, labels = 0, []
            for k, length in runs:
                if k:
                    labels.append((at, length))
                at += length
            starts.append(labels[u][0])
            lasts.append(labels[u][1])
        assert float(onset[0, u]) == pytest.approx(
            float((mass * torch.tensor(starts)).sum()), abs=1e-9
        )
        assert float(duration[0, u]) == pytest.approx(
            float((mass * torch.tensor(lasts)).sum()), abs=1e-9
        )


def test_blank_excess_is_the_mean_gradient_on_the_blank(backend, device):
    logits = torch.randn(3, 12, 6).to(device).requires_grad_()
    targets, times, lengths = (
        torch.tensor([[1, 2, 2, 5], [3, 1, 0, 0], [4, 0, 0, 0]]),
        [12, 9, 5],
        [4, 2, 1],
    )
    loss, report = ctc_loss(
        logits, targets, times, lengths, reduction="sum", backend=backend, return_report=True
    )
    loss.backward()
    mean = logits.grad[..., 0].sum(1).cpu() / torch.tensor(times)
    torch.testing.assert_close(
        report.blank_excess.cpu(), mean.to(report.blank_excess.dtype), rtol=0, atol=2e-6
    )


@pytest.mark.parametrize(
    ("frames", "target"), [(50, [1, 1, 1, 2, 3]), (7, [1, 1, 1, 1]), (300, list(range(1, 20)))]
)
def test_closed_forms_of_uniform_logits(backend, device, frames, target):
    """All paths weigh the same: entropy ln binom(T+U-R, 2U), R + (U+1)(T-U-R)/(2U+1) blanks."""
    u, r = len(target), sum(a == b for a, b in itertools.pairwise(target))
    _, report = ctc_loss(
        torch.zeros(1, frames, 20, device=device),
        torch.tensor([target]),
        [frames],
        [u],
        backend=backend,
        return_report=True,
    )
    assert float(report.entropy) == pytest.approx(
        math.log(math.comb(frames + u - r, 2 * u)), abs=1e-3
    )
    blanks = (r + (u + 1) * (frames - u - r) / (2 * u + 1)) / frames
    assert float(report.blank_expected) == pytest.approx(blanks, abs=1e-5)
    assert float(report.blank_mass) == pytest.approx(1 / 20, abs=1e-6)


@pytest.mark.parametrize(
    "options", [{"normalize": False}, {"prior": torch.tensor([-0.1, -2.0, -3.0])}]
)
def test_entropy_with_options(options):
    logits = torch.randn(1, 5, 3, dtype=torch.float64)
    _, report = ctc_loss(
        logits, torch.tensor([[1, 2]]), [5], [2], backend="reference", return_report=True, **options
    )
    seen = logits[0] if "normalize" in options else logits[0].log_softmax(1) - options["prior"]
    found = [
        p
        for p in itertools.product(range(3), repeat=5)
        if [k for k, _ in itertools.groupby(p) if k] == [1, 2]
    ]
    mass = torch.stack([seen[range(5), list(p)].sum() for p in found]).softmax(0)
    assert float(report.entropy) == pytest.approx(float(-(mass * mass.log()).sum()), abs=1e-9)


def test_a_sharp_model_has_one_path():
    logits = torch.zeros(1, 8, 4)
    logits[0, range(8), [0, 1, 0, 2, 2, 0, 3, 0]] = 40
    report = ctc_report(logits, torch.tensor([[1, 2, 3]]), [8], [3])
    summary = report.summary()
    assert summary["entropy"] == pytest.approx(0, abs=1e-4)
    assert (
        summary["spikes_per_target"] == pytest.approx(4 / 3) and summary["emitted_per_target"] == 1
    )
    assert summary["blank_argmax"] == summary["blank_mass"] == 0.5
    assert summary["blank_excess"] == pytest.approx(0, abs=1e-5)


def test_parts_add_up_to_the_whole():
    logits = torch.randn(4, 10, 5)
    targets, times, lengths = torch.randint(1, 5, (4, 3)), [10, 8, 2, 7], [3, 2, 3, 0]
    whole = ctc_report(logits, targets, times, lengths)
    parts = [
        ctc_report(logits[rows], targets[rows], times[rows], lengths[rows])
        for rows in (slice(0, 1), slice(1, 4))
    ]
    joined = parts[0] + parts[1]
    assert joined.summary() == pytest.approx(whole.summary(), rel=1e-6, abs=1e-7)
    assert joined.infeasible == whole.infeasible == (2,)
    assert json.loads(json.dumps(whole.summary()))["infeasible"] == 1
    assert all(math.isfinite(value) for value in whole.summary().values())


def test_infeasible_rows_are_kept_out_and_named():
    logits = torch.randn(2, 3, 4)
    report = ctc_report(logits, torch.tensor([[1, 1, 1], [2, 3, 0]]), [3, 3], [3, 2])
    alone = ctc_report(logits[1:], torch.tensor([[2, 3]]), [3], [2]).summary()
    assert report.infeasible == (0,) and report.slack == (-2, 1)
    assert report.blank_expected[0].isnan() and report.entropy[0].isnan() and report.nll[0].isinf()
    assert {
        k: v for k, v in report.summary().items() if k not in ("rows", "infeasible")
    } == pytest.approx(
        {k: v for k, v in alone.items() if k not in ("rows", "infeasible")}, rel=1e-6, abs=1e-6
    )
    report.raise_if_bad()  # having no path is not a fault of the numbers


def test_half_precision_logits_do_not_coarsen_the_report():
    logits = torch.randn(2, 30, 6).bfloat16()
    arguments = torch.tensor([[1, 2, 2], [3, 4, 5]]), [30, 20], [3, 3]
    _, half = ctc_loss(logits, *arguments, return_report=True)
    full = ctc_report(logits.double(), *arguments)
    torch.testing.assert_close(half.entropy.double(), full.entropy, rtol=0, atol=1e-4)
    torch.testing.assert_close(half.blank_expected.double(), full.blank_expected, rtol=0, atol=1e-6)


def test_ids_must_fit():
    report = ctc_report(torch.randn(1, 4, 3), torch.tensor([[1]]), [4], [1])
    with pytest.raises(ValueError, match="name 1 rows, got 2"):
        report.named(["a", "b"])
