"""Numbers that other implementations published, with their inputs."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from ctcasr.ctc import ctc_loss

GRAVES = torch.tensor(
    [
        [
            [0.633766, 0.221185, 0.0917319, 0.0129757, 0.0142857, 0.0260553],
            [0.111121, 0.588392, 0.278779, 0.0055756, 0.00569609, 0.010436],
            [0.0357786, 0.633813, 0.321418, 0.00249248, 0.00272882, 0.0037688],
            [0.0663296, 0.643849, 0.280111, 0.00283995, 0.0035545, 0.00331533],
            [0.458235, 0.396634, 0.123377, 0.00648837, 0.00903441, 0.00623107],
        ],
        [
            [0.30176, 0.28562, 0.0831517, 0.0862751, 0.0816851, 0.161508],
            [0.24082, 0.397533, 0.0557226, 0.0546814, 0.0557528, 0.19549],
            [0.230246, 0.450868, 0.0389607, 0.038309, 0.0391602, 0.202456],
            [0.280884, 0.429522, 0.0326593, 0.0339046, 0.0326856, 0.190345],
            [0.423286, 0.315517, 0.0338439, 0.0393744, 0.0339315, 0.154046],
        ],
    ],
    dtype=torch.float64,
)


def test_tensorflow_basic(run):
    """tensorflow ctc_loss_op_test.py::testBasic, warp-ctc options_test: blank 5, NaN as padding."""
    probs = torch.cat([GRAVES, torch.full((2, 2, 6), torch.nan)], 1)
    nll, grad = run(
        probs.log().float(), torch.tensor([0, 1, 2, 1, 0, 0, 1, 1, 0]), [5, 5], [5, 4], blank=5
    )
    torch.testing.assert_close(
        nll, torch.tensor([3.3421125850984374, 5.422621730988235]), rtol=0, atol=3e-6
    )
    # Both targets need every one of the five frames: one path each.
    ones = torch.zeros(2, 5, 6, dtype=torch.float64)
    ones[0, range(5), [0, 1, 2, 1, 0]] = 1
    ones[1, range(5), [0, 1, 5, 1, 0]] = 1
    torch.testing.assert_close(grad[:, :5].double(), GRAVES - ones, rtol=0, atol=3e-6)
    assert (grad[:, 5:] == 0).all()


WARP = [[0.1, 0.6, 0.1, 0.1, 0.1], [0.1, 0.1, 0.6, 0.1, 0.1]]
K2_GRAD = [0.011656231, 0.031684921, 0.086128544, -0.765878343, 0.636408647]
K2_MIDDLE = [-0.988343769, 0.031684921, 0.086128544, 0.234121657, 0.636408647]
K2_CASE2 = (
    [[1.0, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15]],
    [3, 3],
    7.355743187813,
    [K2_GRAD, K2_MIDDLE, K2_GRAD],
)
K2_CASE3 = (
    [[-5.0, -4, -3, -2, -1], [-10, -9, -8, -7, -6], [-15, -14, -13, -12, -11]],
    [2, 3],
    4.938849867018,
    [
        [-0.021157989, 0.031684921, -0.881057236, 0.234121657, 0.636408647],
        [-0.021157989, 0.031684921, -0.189151788, -0.457783790, 0.636408647],
        [-0.021157989, 0.031684921, 0.086128544, -0.733064123, 0.636408647],
    ],
)
VECTORS = {
    "warp-ctc small_test": (
        WARP,
        [1, 2],
        2.462858391547,
        [
            [0.177031217, -0.708124867, 0.177031217, 0.177031217, 0.177031217],
            [0.177031217, 0.177031217, -0.708124867, 0.177031217, 0.177031217],
        ],
    ),
    "k2 case 1": ([[0.2] * 5], [1], 1.6094379425049, [[0.2, -0.8, 0.2, 0.2, 0.2]]),
    "k2 case 2": K2_CASE2,
    "k2 case 3": K2_CASE3,
    "pytorch-baidu-ctc s0": (
        [[0.0, 1, 2], [-1, -1, 1], [0, 0, 0], [0, 0, 2]],
        [1],
        5.159585528951,
        [
            [-0.265564444, -0.399676512, 0.665240956],
            [-0.232391775, -0.554594267, 0.786986042],
            [-0.107400830, -0.225932503, 0.333333333],
            [-0.554594267, -0.232391775, 0.786986042],
        ],
    ),
    "pytorch-baidu-ctc s1": (
        [[2.0, 3, 1], [-3, -2, 2], [0, 0, 1]],
        [1, 2, 1],
        1.983795568515,
        None,
    ),
    "pytorch-baidu-ctc s2": (
        [[0.0, 0, 1], [1, 0, 0], [1, 1, 1], [0, 2, 1]],
        [1, 2, 2],
        5.609107680977,
        None,
    ),
    "MXNet test_ctc_loss": (
        [[1.2, 3.4, 1.2, -0.1, -2.34], [0.1, 0.2, 0.3, 0.22, 0.123], [-15, -14, -13, -12, -11]],
        [2, 3],
        4.04789668,
        None,
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_published_row(run, name):
    logits, target, nll, grad = VECTORS[name]
    got, slope = run(torch.tensor([logits]), torch.tensor([target]), [len(logits)], [len(target)])
    assert float(got) == pytest.approx(nll, abs=2e-6)
    if grad is not None:
        torch.testing.assert_close(slope[0], torch.tensor(grad), rtol=0, atol=1e-6)


def test_k2_case_4_is_the_others_in_one_batch(run):
    logits = torch.tensor([K2_CASE3[0], K2_CASE2[0], [[0.0] * 5, [torch.nan] * 5, [torch.inf] * 5]])
    nll, grad = run(logits, torch.tensor([2, 3, 3, 3, 1]), [3, 3, 1], [2, 2, 1])
    torch.testing.assert_close(
        nll, torch.tensor([4.938849867018, 7.355743187813, 1.6094379425]), rtol=0, atol=2e-6
    )
    torch.testing.assert_close(
        grad[:2], torch.tensor([K2_CASE3[3], K2_CASE2[3]]), rtol=0, atol=1e-6
    )
    torch.testing.assert_close(
        grad[2, 0], torch.tensor([0.2, -0.8, 0.2, 0.2, 0.2]), rtol=0, atol=1e-6
    )
    assert (grad[2, 1:] == 0).all()


def test_k2_random(run, random_batch):
    """k2 compares T in [10, 200), C in [20, 30) with torch."""
    for seed in range(4):
        logits, targets, times, lengths = random_batch(
            4, 10 + 60 * seed, 20 + 3 * seed, 8, seed=seed
        )
        nll, _ = run(logits, targets, times, lengths)
        want = F.ctc_loss(
            logits.double().log_softmax(2).transpose(0, 1),
            targets,
            times,
            lengths,
            reduction="none",
        )
        torch.testing.assert_close(nll.double(), want, rtol=1e-6, atol=1e-5)


def test_warp_ctc_inf_test(run):
    """A needed class that the model rules out: the loss is beyond bounds and no gradient is NaN."""
    logits = torch.rand(1, 50, 15, generator=torch.Generator().manual_seed(0))
    logits[..., 2] = -1e30
    target = torch.tensor([[2, 1, 3, 4, 5, 6, 7, 8, 9, 10]])
    nll, grad = run(logits, target, [50], [10])
    assert (
        float(nll) > 1e29
    )  # 1e30 where scores are carried as they are, inf where they are carried as probabilities
    assert not grad.isnan().any()


@pytest.mark.parametrize(
    ("classes", "frames", "labels", "batch", "tolerance"),
    [(20, 50, 15, 1, 1e-5), (5, 10, 5, 65, 1e-4)],
)
def test_warp_ctc_grad_check(run, classes, frames, labels, batch, tolerance):
    """Central differences in float64 along random directions, as warp-ctc's grad_check does."""
    rng = torch.Generator().manual_seed(0)
    logits = torch.rand(batch, frames, classes, generator=rng, dtype=torch.float64)
    targets = torch.randint(1, classes, (batch, labels), generator=rng)
    targets[:, labels // 2] = targets[:, labels // 2 - 1]
    arguments = targets, [frames] * batch, [labels] * batch
    _, grad = run(logits, *arguments)
    for _ in range(3):
        way = torch.randn(logits.shape, generator=rng, dtype=torch.float64)
        way /= way.norm()
        up, down = (
            ctc_loss(
                logits + step * way,
                *arguments,
                reduction="sum",
                zero_infinity=True,
                backend="torch",
            )
            for step in (1e-4, -1e-4)
        )
        assert float((grad * way).sum()) == pytest.approx(float(up - down) / 2e-4, abs=tolerance)


CLOSED = [
    (4, 3, [1], 2.0918640617),
    (10, 5, [1, 2, 2, 3], 8.9343099167),
    (50, 20, [1, 1, 1, 2, 3], 126.0929795496),
    (7, 5, [1, 1, 1, 1], 11.2660653870),
]


def closed_form(frames: int, classes: int, target: list[int]) -> float:
    """T ln C - ln binom(T + U - R, 2U)."""
    u, r = len(target), sum(a == b for a, b in itertools.pairwise(target))
    n, k = frames + u - r, 2 * u
    return frames * math.log(classes) - (
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    )


@pytest.mark.parametrize(("frames", "classes", "target", "nll"), CLOSED)
def test_uniform_logits(run, frames, classes, target, nll):
    assert closed_form(frames, classes, target) == pytest.approx(nll, abs=1e-9)
    got, grad = run(
        torch.zeros(1, frames, classes), torch.tensor([target]), [frames], [len(target)]
    )
    assert float(got) == pytest.approx(nll, rel=1e-6)
    u, r = len(target), sum(a == b for a, b in itertools.pairwise(target))
    blank_frames = r + (u + 1) * (frames - u - r) / (2 * u + 1)
    assert float((1 / classes - grad[0, :, 0]).sum()) == pytest.approx(blank_frames, rel=1e-5)


@pytest.mark.parametrize("target", [[1, 2, 3, 4, 1], [1, 1, 1, 1, 1]])
def test_uniform_logits_of_twenty_thousand_frames(run, backend, target):
    frames = 2000 if backend == "reference" else 20000  # the reference loops over frames in python
    got, grad = run(torch.zeros(1, frames, 5), torch.tensor([target]), [frames], [5])
    assert float(got) == pytest.approx(closed_form(frames, 5, target), rel=1e-6)
    assert float((grad.sum(2)).abs().max()) <= 1e-5
    if backend != "reference" and target[0] != target[1]:
        assert float(got) == pytest.approx(32104.827535836, rel=1e-6)


def test_optax_diagonal(run):
    """optax CTCTest: as many frames as labels leave one path; the gradient is softmax - one_hot."""
    logits = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(3))
    target = torch.tensor([[1, 2, 3, 4, 5, 6], [7, 1, 7, 2, 7, 3]])
    nll, grad = run(logits, target, [6, 6], [6, 6])
    log_probs = logits.double().log_softmax(2)
    one_hot = F.one_hot(target, 8)
    torch.testing.assert_close(nll.double(), -(log_probs * one_hot).sum((1, 2)), rtol=1e-6, atol=0)
    torch.testing.assert_close(grad.double(), log_probs.exp() - one_hot, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ([1, 2, 2, 3], [1, 2, 0, 2, 3]),
        ([2, 3, 4, 4], [2, 3, 4, 0, 4]),
        ([1, 1, 1, 1], [1, 0, 1, 0, 1, 0, 1]),
        ([1, 1, 2, 3], [1, 0, 1, 2, 3]),
        ([1, 1, 1, 2], [1, 0, 1, 0, 1, 2]),
    ],
)
def test_optax_repeats_need_blanks(run, target, path):
    logits = torch.randn(1, len(path), 6, generator=torch.Generator().manual_seed(4))
    nll, grad = run(logits, torch.tensor([target + [0, 0]]), [len(path)], [4])
    log_probs = logits[0].double().log_softmax(1)
    assert float(nll) == pytest.approx(-float(log_probs[range(len(path)), path].sum()), rel=1e-6)
    torch.testing.assert_close(
        grad[0].double(), log_probs.exp() - F.one_hot(torch.tensor(path), 6), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    ("batch", "frames", "classes", "labels", "tolerance"),
    [
        (1, 500, 10, 256, 1e-3),  # critical_target_len
        (16, 30, 101, 15, 1e-4),  # cudnn against native
        (64, 50, 101, 15, 1e-4),
        (64, 150, 101, 15, 1e-4),  # gradcheck sizes
        (16, 50, 20, 30, 1e-4),  # OpInfo
    ],
)
def test_torch_sizes(run, random_batch, batch, frames, classes, labels, tolerance):
    logits, targets, times, lengths = random_batch(batch, frames, classes, labels)
    nll, grad = run(logits, targets, times, lengths)
    leaf = logits.double().requires_grad_()
    want = F.ctc_loss(
        leaf.log_softmax(2).transpose(0, 1), targets, times, lengths, reduction="none"
    )
    want.sum().backward()
    torch.testing.assert_close(nll.double(), want.detach(), rtol=1e-6, atol=tolerance)
    torch.testing.assert_close(grad.double(), leaf.grad, rtol=0, atol=2e-6)


def test_torch_zero_lengths(run):
    logits = torch.randn(3, 1, 200)
    nll, grad = run(logits, torch.ones(3, 1, dtype=torch.int64), [0, 0, 0], [0, 0, 0])
    assert nll.tolist() == [0, 0, 0] and (grad == 0).all()
    nll, grad = run(logits, torch.ones(3, 1, dtype=torch.int64), [0, 0, 0], [1, 1, 1])
    assert nll.tolist() == [math.inf] * 3 and (grad == 0).all()


def test_torch_zero_infinity(run):
    targets = torch.arange(1, 61).repeat(3, 1)
    logits = torch.randn(3, 50, 80)
    nll, grad = run(logits, targets, [50] * 3, [60, 25, 20], zero_infinity=True)
    want = F.ctc_loss(
        logits.double().log_softmax(2).transpose(0, 1),
        targets,
        [50] * 3,
        [60, 25, 20],
        reduction="none",
        zero_infinity=True,
    )
    torch.testing.assert_close(nll.double(), want, rtol=1e-5, atol=1e-4)
    assert nll[0] == 0 and (grad[0] == 0).all() and not grad.isnan().any()


def test_tensorflow_blank_in_the_middle_and_single_class(run, random_batch):
    for blank in (2, 8):
        logits, targets, _, _ = random_batch(8, 17, 9, 5, blank=blank)
        times, lengths = list(range(10, 18)), [5, 4, 3, 2, 1, 0, 5, 5]
        nll, _ = run(logits, targets, times, lengths, blank=blank)
        want = F.ctc_loss(
            logits.double().log_softmax(2).transpose(0, 1), targets, times, lengths, blank, "none"
        )
        torch.testing.assert_close(nll.double(), want, rtol=1e-6, atol=1e-5)
    nll, grad = run(torch.randn(2, 4, 1), torch.zeros(2, 0, dtype=torch.int64), [4, 2], [0, 0])
    assert nll.tolist() == [0, 0] and float(grad.abs().max()) <= 1e-6


@pytest.mark.parametrize("kind", ["never emits", "wrong transcript", "100 randn"])
def test_stress(run, exact, kind):
    """Models that put next to nothing on the target."""
    rng = torch.Generator().manual_seed(5)
    logits = torch.randn(2, 120, 30, generator=rng)
    if kind == "never emits":
        logits[..., 0] += 30
    elif kind == "wrong transcript":
        logits[..., 1:15] += 30
    else:
        logits *= 100
    targets = torch.randint(15, 30, (2, 40), generator=rng)
    arguments = targets, [120, 100], [40, 30]
    nll, grad = run(logits, *arguments)
    leaf = logits.double().requires_grad_()
    want = ctc_loss(leaf, *arguments, reduction="none", backend="reference")
    want.sum().backward()
    torch.testing.assert_close(nll.double(), want.detach(), rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(grad.double(), leaf.grad, rtol=0, atol=2e-6)
