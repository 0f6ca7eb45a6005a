"""Everything at the rim is defined: empty things, impossible things, wrong things, long things."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from ctcasr.ctc import ctc_loss, ctc_report, forced_align, greedy
from ctcasr.ctc.batch import prepare


def test_empty_target_is_the_blank_path(run):
    logits = torch.randn(2, 5, 4)
    nll, grad = run(logits, torch.zeros(0, dtype=torch.int64), [5, 3], [0, 0], blank=2)
    log_probs = logits.double().log_softmax(2)
    want = -torch.stack([log_probs[0, :, 2].sum(), log_probs[1, :3, 2].sum()])
    torch.testing.assert_close(nll.double(), want, rtol=1e-6, atol=0)
    hot = F.one_hot(torch.tensor(2), 4)
    torch.testing.assert_close(
        grad[1, :3].double(), log_probs[1, :3].exp() - hot, rtol=0, atol=1e-6
    )


def test_zero_input_length(run):
    nll, grad = run(torch.randn(3, 5, 4), torch.tensor([1, 2]), [0, 0, 5], [0, 1, 1])
    assert nll[0] == 0 and nll[1] == math.inf and nll[2].isfinite()
    assert (grad[:2] == 0).all()


def test_no_frames_at_all(run):
    nll, grad = run(torch.randn(2, 0, 4), torch.tensor([1]), [0, 0], [0, 1])
    assert nll.tolist() == [0, math.inf] and grad.shape == (2, 0, 4)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_empty_batch(backend, device, reduction):
    logits = torch.randn(0, 5, 4, device=device, requires_grad=True)
    for targets in (torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)):
        loss, report = ctc_loss(
            logits, targets, [], [], reduction=reduction, backend=backend, return_report=True
        )
        loss.sum().backward()
        assert float(loss.detach().sum()) == 0 and logits.grad.shape == (0, 5, 4)
        assert report.summary()["rows"] == 0
        report.raise_if_bad()


@pytest.mark.parametrize("target", [[1, 1, 2], [1, 2, 3, 1]])
def test_infeasible_row(run, target):
    """T < U + R: infinite loss, zero gradient, and nothing of it reaches the neighbours."""
    logits = torch.randn(2, 3, 4)
    flat = torch.tensor([*target, 1])
    nll, grad = run(logits, flat, [3, 3], [len(target), 1])
    alone, slope = run(logits[1:], torch.tensor([1]), [3], [1])
    assert nll[0] == math.inf and (grad[0] == 0).all()
    torch.testing.assert_close(nll[1:], alone, rtol=1e-7, atol=0)
    torch.testing.assert_close(grad[1:], slope, rtol=0, atol=1e-7)
    zeroed, _ = run(logits, flat, [3, 3], [len(target), 1], zero_infinity=True)
    assert zeroed[0] == 0 and zeroed[1] == nll[1]
    exactly, _ = run(torch.randn(1, 4, 4), torch.tensor([target]), [4], [len(target)])
    assert exactly.isfinite().all()


def test_infinite_mean_has_finite_gradient(backend, device):
    logits = torch.randn(2, 2, 4, device=device, requires_grad=True)
    loss = ctc_loss(logits, torch.tensor([1, 2, 3, 1]), [2, 2], [3, 1], backend=backend)
    loss.backward()
    assert loss.isinf() and logits.grad.isfinite().all() and logits.grad[1].abs().sum() > 0


@pytest.mark.parametrize("filling", [math.nan, math.inf, -math.inf, 1e30])
def test_padding_is_never_looked_at(backend, device, filling):
    logits = torch.randn(2, 9, 5)
    targets, times, lengths = torch.tensor([[1, 2, 2], [3, 0, 0]]), [6, 4], [3, 1]
    spoilt = logits.clone()
    for row, frames in enumerate(times):
        spoilt[row, frames:] = filling
    found = []
    for values in (logits, spoilt):
        leaf = values.to(device).requires_grad_()
        loss, report = ctc_loss(leaf, targets, times, lengths, backend=backend, return_report=True)
        loss.backward()
        found.append((loss.item(), leaf.grad.tolist(), report.summary()))
        assert all((leaf.grad[row, frames:] == 0).all() for row, frames in enumerate(times))
    assert found[0] == found[1]
    if backend == "reference":
        assert greedy(logits, times) == greedy(spoilt, times)
        assert [a.tokens for a in forced_align(logits, targets, times, lengths)] == [
            a.tokens for a in forced_align(spoilt, targets, times, lengths)
        ]


def test_batch_mates_and_order_change_nothing(run, random_batch):
    logits, targets, times, lengths = random_batch(5, 40, 7, 12)
    nll, grad = run(logits, targets, times, lengths)
    order = [3, 0, 4, 1, 2]
    moved, slope = run(
        logits[order], targets[order], [times[i] for i in order], [lengths[i] for i in order]
    )
    torch.testing.assert_close(moved, nll[order], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(slope, grad[order], rtol=0, atol=1e-6)


def test_strides_change_nothing(run):
    logits = torch.randn(3, 8, 5)
    arguments = torch.tensor([[1, 2], [3, 4], [1, 1]]), [8, 7, 6], [2, 2, 2]
    first = run(logits, *arguments)
    views = [
        logits.transpose(0, 1).contiguous().transpose(0, 1),
        logits.transpose(1, 2).contiguous().transpose(1, 2),
        torch.randn(3, 8, 10)[..., ::2].copy_(logits),
        torch.randn(6, 16, 5)[::2, ::2].copy_(logits),
    ]
    for view in views:
        assert not view.is_contiguous()
        assert all(torch.equal(a, b) for a, b in zip(first, run(view, *arguments), strict=True))
    expanded = run(logits[:1].expand(3, 8, 5), *arguments)
    assert all(
        torch.equal(a, b)
        for a, b in zip(expanded, run(logits[:1].repeat(3, 1, 1), *arguments), strict=True)
    )


def test_same_bits_twice(run, random_batch):
    arguments = random_batch(4, 60, 9, 20)
    assert all(torch.equal(a, b) for a, b in zip(run(*arguments), run(*arguments), strict=True))


@pytest.mark.parametrize("blank", range(4))
def test_blank_anywhere_is_a_permutation_of_classes(run, blank):
    logits = torch.randn(1, 7, 4)
    order = [
        *range(1, blank + 1),
        0,
        *range(blank + 1, 4),
    ]  # class k of the moved logits is class order[k]
    target = torch.tensor([[1, 3, 3]])
    moved = torch.tensor([[order.index(k) for k in target[0].tolist()]])
    nll, grad = run(logits, target, [7], [3])
    other, slope = run(logits[..., order], moved, [7], [3], blank=blank)
    torch.testing.assert_close(nll, other, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(grad[..., order], slope, rtol=0, atol=1e-6)


@pytest.mark.parametrize("labels", [0, 1, 15, 16, 127, 128, 255, 256, 257, 1023, 2047])
def test_target_lengths_around_kernel_widths(run, backend, labels):
    if backend == "reference" and labels > 300:
        pytest.skip("autograd through a python loop over thousands of frames")
    rng = torch.Generator().manual_seed(labels)
    target = torch.randint(1, 12, (1, labels), generator=rng)
    repeats = int((target[:, 1:] == target[:, :-1]).sum())
    frames = labels + repeats + 9
    logits = torch.randn(1, frames, 12, generator=rng)
    nll, grad = run(logits, target, [frames], [labels])
    leaf = logits.double().requires_grad_()
    want = F.ctc_loss(
        leaf.log_softmax(2).transpose(0, 1), target, [frames], [labels], reduction="none"
    )
    want.sum().backward()
    torch.testing.assert_close(nll.double(), want.detach(), rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(grad.double(), leaf.grad, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"targets": torch.tensor([[1, 2], [3, 4]])},
            r"row 1, position 1 has label 4, which is not in 0\.\.3",
        ),
        ({"targets": torch.tensor([[1, 2], [-1, 3]])}, r"row 1, position 0 has label -1"),
        (
            {"targets": torch.tensor([1, 2, 0, 1])},
            r"row 1, position 0 has label 0, which is the blank",
        ),
        ({"targets": torch.tensor([1, 2, 3])}, r"hold 3 labels, target_lengths sum to 4"),
        ({"targets": torch.tensor([[1, 2]])}, r"one row for each of the 2 rows"),
        ({"targets": torch.tensor([[1.0, 2], [3, 1]])}, "must be integers"),
        ({"input_lengths": [5, 6]}, r"input_lengths: row 1 has length 6, expected 0\.\.5"),
        ({"input_lengths": [-1, 5]}, r"input_lengths: row 0 has length -1"),
        ({"input_lengths": [5]}, "each of the 2 rows, got 1"),
        ({"input_lengths": [0.5, 1.0]}, "must be 2 integers"),
        ({"input_lengths": torch.tensor([0.5, 1.0])}, "must be 2 integers"),
        ({"target_lengths": [2, 3]}, r"target_lengths: row 1 has length 3, expected 0\.\.2"),
        ({"target_lengths": [-2, 2]}, r"target_lengths: row 0 has length -2"),
        ({"blank": 4}, r"blank must lie in 0\.\.3"),
        ({"blank": -1}, r"blank must lie in 0\.\.3"),
        ({"logits": torch.zeros(2, 5)}, r"\[B, T, C\]"),
        ({"logits": torch.zeros(2, 5, 4, dtype=torch.int64)}, "floating"),
        ({"prior": torch.zeros(3)}, r"prior must hold 4"),
        ({"prior": torch.tensor([0.0, -math.inf, 0, 0])}, "class 1 has -inf"),
    ],
)
def test_errors_name_what_is_wrong(change, message):
    good = {
        "logits": torch.zeros(2, 5, 4),
        "targets": torch.tensor([[1, 2], [3, 1]]),
        "input_lengths": [5, 5],
        "target_lengths": [2, 2],
    }
    ctc_loss(**good)
    with pytest.raises(ValueError, match=message):
        ctc_loss(**(good | change))


def test_labels_behind_the_target_length_do_not_matter():
    loss = ctc_loss(torch.zeros(1, 4, 3), torch.tensor([[1, 99, -7]]), [4], [1], reduction="sum")
    assert float(loss) == pytest.approx(2.0918640617, abs=1e-5)


def test_problem_counts_repeats_and_slack():
    flat = torch.tensor([1, 1, 1, 1, 2, 2, 3])
    ctc_batch = prepare(torch.zeros(5, 6, 4), flat, [6, 5, 0, 0, 4], [3, 1, 0, 0, 3])
    assert ctc_batch.offsets == (0, 3, 4, 4, 4, 7)
    assert ctc_batch.repeats == (2, 0, 0, 0, 1)
    assert ctc_batch.slack == (1, 4, 0, 0, 0) and all(ctc_batch.feasible)
    assert ctc_batch.padded().tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0], [2, 2, 3]]
    assert ctc_batch.row(4).tolist() == [2, 2, 3]


def test_nan_in_a_real_frame_is_not_hidden(run):
    logits = torch.randn(2, 5, 4)
    logits[1, 2, 1] = math.nan
    nll, grad = run(logits, torch.tensor([[1], [1]]), [5, 5], [1, 1], zero_infinity=True)
    assert nll[0].isfinite() and not nll[1].isfinite() and grad[0].isfinite().all()
    with pytest.raises(ValueError, match="CTC of utterance-b: loss"):
        ctc_report(logits, torch.tensor([[1], [1]]), [5, 5], [1, 1]).named(
            ["a", "utterance-b"]
        ).raise_if_bad()


@pytest.mark.parametrize("scale", [0.01, 1, 10, 100])
@pytest.mark.parametrize("seed", range(4))
def test_random_shapes_and_scales_against_float64(run, random_batch, seed, scale):
    rng = torch.Generator().manual_seed(1000 + seed)
    frames, classes, labels, blank = (
        int(torch.randint(low, high, (), generator=rng))
        for low, high in ((5, 150), (2, 50), (0, 60), (0, 2))
    )
    logits, targets, times, lengths = random_batch(
        3, frames, classes, labels, blank=blank, scale=scale, seed=seed
    )
    nll, grad = run(logits, targets, times, lengths, blank=blank)
    leaf = logits.double().requires_grad_()
    want = ctc_loss(
        leaf, targets, times, lengths, blank=blank, reduction="none", backend="reference"
    )
    want.sum().backward()
    torch.testing.assert_close(nll.double(), want.detach(), rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(grad.double(), leaf.grad, rtol=0, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("frames", "labels", "tolerance"), [(5000, 300, 2e-6), (20000, 500, 5e-6)])
@pytest.mark.parametrize("scale", [0.0, 1, 10])
def test_long_utterances_against_float64(
    run, exact, random_batch, frames, labels, scale, tolerance
):
    if exact:
        pytest.skip("this backend is the measure")
    logits, targets, times, lengths = random_batch(2, frames, 38, labels, scale=scale)
    nll, grad = run(logits, targets, times, lengths)
    leaf = logits.double().requires_grad_()
    want = ctc_loss(leaf, targets, times, lengths, reduction="none", backend="torch")
    want.sum().backward()
    torch.testing.assert_close(nll.double(), want.detach(), rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(grad.double(), leaf.grad, rtol=0, atol=tolerance)
