"""The compiled CPU kernel against float64, at every size, scale and edge."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

pytest.importorskip("numba")
from ctcasr.ctc import cpu, reference
from ctcasr.ctc.batch import CtcBatch, prepare


def batch_of(
    logits: Tensor, labels: list[list[int]], frames: list[int] | None = None, **options: object
) -> CtcBatch:
    flat = torch.tensor([label for row in labels for label in row], dtype=torch.int64)
    times = [logits.shape[1]] * logits.shape[0] if frames is None else frames
    return prepare(logits, flat, times, [len(row) for row in labels], **options)  # type: ignore[arg-type]


def exact(logits: Tensor, ctc_batch: CtcBatch) -> tuple[Tensor, Tensor]:
    """Losses and gradient in float64 by torch's own loss, fast for long rows; without a prior."""
    leaf = logits.double().requires_grad_()
    log_probs = leaf.log_softmax(-1) if ctc_batch.normalize else leaf
    nll = F.ctc_loss(
        log_probs.transpose(0, 1),
        ctc_batch.targets,
        ctc_batch.input_lengths,
        ctc_batch.target_lengths,
        blank=ctc_batch.blank,
        reduction="none",
    )
    nll.sum().backward()
    assert leaf.grad is not None
    return nll.detach(), leaf.grad


def random_labels(count: int, classes: int, seed: int) -> list[int]:
    """Labels 1..C-1, a third of which repeat their neighbour."""
    rng = torch.Generator().manual_seed(seed)
    drawn = torch.randint(1, classes, (count,), generator=rng).tolist()
    again = (torch.rand(count, generator=rng) < 1 / 3).tolist()
    for u in range(1, count):
        if again[u]:
            drawn[u] = drawn[u - 1]
    return drawn


def assert_exact(
    logits: Tensor, ctc_batch: CtcBatch, tolerance: float = 2e-6, relative: float = 2e-7
) -> None:
    nll, grad, health = cpu.forward_backward(logits, ctc_batch, True)
    want_nll, want_grad = exact(logits, ctc_batch)
    assert grad is not None
    assert ((nll - want_nll).abs() <= relative * want_nll.abs() + 1e-6).all()
    assert (grad - want_grad).abs().max() <= tolerance
    assert (health < 1e-9).all()
    assert torch.equal(cpu.forward_backward(logits, ctc_batch, False).nll, nll)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**30),
    batch=st.integers(1, 3),
    frames=st.integers(1, 300),
    classes=st.integers(2, 40),
    share=st.floats(0.0, 1.0),
    scale=st.floats(0.0, 100.0),
    blank=st.integers(0, 39),
    normalize=st.booleans(),
)
def test_agrees_with_the_reference(
    seed: int,
    batch: int,
    frames: int,
    classes: int,
    share: float,
    scale: float,
    blank: int,
    normalize: bool,
) -> None:
    blank %= classes
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, frames, classes, generator=rng) * scale
    times = torch.randint(1, frames + 1, (batch,), generator=rng).tolist()
    labels = [random_labels(int(share * t), classes, seed + t) for t in times]
    labels = [[(label + blank) % classes for label in row] for row in labels]
    prior = torch.randn(classes, generator=rng).log_softmax(0)
    ctc_batch = batch_of(
        logits, labels, times, blank=blank, prior=prior, prior_weight=0.3, normalize=normalize
    )
    nll, grad, health = cpu.forward_backward(logits, ctc_batch, True)
    want = reference.forward_backward(logits.double(), ctc_batch, True)
    assert torch.equal(nll.isinf(), want.nll.isinf())
    finite = ~nll.isinf()
    assert torch.allclose(nll[finite].double(), want.nll[finite], rtol=2e-7, atol=2e-6)
    assert grad is not None and want.grad is not None
    assert (grad - want.grad).abs().max() <= 2e-6
    assert (health < 1e-9).all()


@pytest.mark.parametrize("count", [0, 1, 7, 8, 15, 16, 127, 128, 255, 256, 257, 1023, 2047])
def test_every_number_of_labels(count: int) -> None:
    labels = random_labels(count, 9, count)
    shortest = count + sum(a == b for a, b in pairwise(labels))
    logits = torch.randn(2, shortest + 40, 9, generator=torch.Generator().manual_seed(count))
    assert_exact(logits, batch_of(logits, [labels, labels], [shortest + 40, max(shortest, 1)]))


@pytest.mark.parametrize("scale", [0.1, 10.0, 100.0])
def test_long_rows(scale: float) -> None:
    logits = torch.randn(1, 5000, 20, generator=torch.Generator().manual_seed(0)) * scale
    assert_exact(logits, batch_of(logits, [random_labels(30, 20, 0)]))


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0])
def test_very_long_rows(scale: float) -> None:
    logits = torch.randn(1, 20000, 38, generator=torch.Generator().manual_seed(0)) * scale
    assert_exact(logits, batch_of(logits, [random_labels(400, 38, 0)]), tolerance=5e-6)


@pytest.mark.parametrize(("frames", "classes", "labels"), [
    (4, 3, [1]), (10, 5, [1, 2, 2, 3]), (50, 20, [1, 1, 1, 2, 3]), (7, 5, [1, 1, 1, 1]),
    (20000, 5, [1, 2, 3, 4, 1]),
])  # fmt: skip
def test_uniform_logits_have_a_closed_form(frames: int, classes: int, labels: list[int]) -> None:
    u, r = len(labels), sum(a == b for a, b in pairwise(labels))
    paths = (
        math.lgamma(frames + u - r + 1) - math.lgamma(2 * u + 1) - math.lgamma(frames - u - r + 1)
    )
    logits = torch.zeros(1, frames, classes, dtype=torch.float64)
    nll, grad, _ = cpu.forward_backward(logits, batch_of(logits, [labels]), True)
    assert nll.item() == pytest.approx(frames * math.log(classes) - paths, rel=1e-12)
    assert grad is not None
    blanks = -float((grad[..., 0] - 1 / classes).sum())
    assert blanks == pytest.approx(r + (u + 1) * (frames - u - r) / (2 * u + 1), rel=1e-9)


def test_model_that_never_emits() -> None:
    """A label costs 20 nats, a blank nothing: alpha and beta lie thousands of nats apart."""
    logits = torch.zeros(1, 1000, 30)
    logits[..., 0] = 20.0
    assert_exact(logits, batch_of(logits, [random_labels(200, 30, 1)]))


def test_model_that_is_sure_of_something_else() -> None:
    logits = torch.zeros(2, 400, 12)
    logits[..., 11] = 60.0
    logits[:, ::30, 3] = 60.0
    assert_exact(logits, batch_of(logits, [random_labels(40, 11, 1), random_labels(60, 11, 2)]))


def refuse(*arguments: object) -> None:
    raise AssertionError("log space was asked for")


@pytest.mark.parametrize("held", [1, 40])
@pytest.mark.parametrize("scale", [0.1, 1.0, 8.0, 20.0])
def test_what_networks_write_needs_no_log_space(
    scale: float, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu._logspace, "run", refuse)
    rng = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 600 // held, 30, generator=rng).repeat_interleave(held, 1) * scale
    labels = [random_labels(count, 30, count) for count in (20, 90)]
    assert_exact(logits, batch_of(logits, labels))


@pytest.mark.parametrize("prior", [-40.0, -5.0, 0.0, 40.0])
def test_a_prior_of_any_size_needs_no_log_space(
    prior: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu._logspace, "run", refuse)
    logits = torch.randn(1, 200, 9, generator=torch.Generator().manual_seed(6))
    log_prior = torch.full((9,), prior)
    labels = [random_labels(30, 9, 0)]
    plain = cpu.forward_backward(logits, batch_of(logits, labels), True)
    with_prior = batch_of(logits, labels, prior=log_prior, prior_weight=1.0)
    shifted = cpu.forward_backward(logits, with_prior, True)
    assert torch.allclose(shifted.nll, plain.nll + 200 * prior, rtol=1e-6)
    assert torch.allclose(shifted.grad, plain.grad, atol=1e-7)


@pytest.mark.parametrize("scale", [20.0, 40.0, 60.0, 150.0])
def test_scores_at_the_limit_of_float64(scale: float) -> None:
    """Of some rows the forward sweep holds all, and the backward sweep not: one loss for both."""
    rng = torch.Generator().manual_seed(7)
    logits = torch.randn(24, 70, 20, generator=rng) * scale
    labels = [random_labels(10 + count, 20, count) for count in range(24)]
    ctc_batch = batch_of(logits, labels)
    nll, grad, health = cpu.forward_backward(logits, ctc_batch, True)
    want = reference.forward_backward(logits.double(), ctc_batch, True)
    assert torch.allclose(nll.double(), want.nll, rtol=2e-7)
    assert (grad - want.grad).abs().max() <= 2e-6 and (health < 1e-9).all()
    assert torch.equal(cpu.forward_backward(logits, ctc_batch, False).nll, nll)
    for row in range(24):
        alone = logits[row : row + 1]
        one = cpu.forward_backward(alone, batch_of(alone, labels[row : row + 1]), True)
        assert torch.equal(one.nll[0], nll[row]) and torch.equal(one.grad[0], grad[row])


@pytest.mark.parametrize("spread", [2000.0, 1e30, math.inf])
def test_scores_that_float64_cannot_hold_go_through_log_space(spread: float) -> None:
    logits = torch.randn(2, 30, 6, generator=torch.Generator().manual_seed(3))
    logits[0, 4, 1] = -spread
    logits[0, 9:12, 0] = -spread
    ctc_batch = batch_of(logits, [[1, 2, 2], [3]])
    got, want = (f(x, ctc_batch, True) for f, x in (
        (cpu.forward_backward, logits), (reference.forward_backward, logits.double())))  # fmt: skip
    assert torch.allclose(got.nll.double(), want.nll, rtol=2e-7)
    assert (got.grad - want.grad).abs().max() <= 2e-6


def test_no_path_with_a_probability() -> None:
    logits = torch.zeros(3, 4, 3)
    logits[0, :, 1] = -math.inf
    ctc_batch = batch_of(logits, [[1], [1, 1, 1], [2]], [4, 4, 0])
    nll, grad, health = cpu.forward_backward(logits, ctc_batch, True)
    assert nll.isinf().all() and (nll > 0).all()
    assert grad is not None and not grad.any() and not health.any()


def test_no_frames_and_no_rows() -> None:
    logits = torch.randn(2, 3, 4)
    rows = cpu.forward_backward(logits, batch_of(logits, [[], [1]], [0, 0]), True)
    assert rows.nll.tolist() == [0.0, math.inf] and not rows.grad.any()
    none = cpu.forward_backward(logits[:0], batch_of(logits[:0], []), True)
    assert none.nll.shape == (0,) and none.grad.shape == (0, 3, 4) and none.health.shape == (0,)
    short = cpu.forward_backward(logits[:, :0], batch_of(logits[:, :0], [[], []]), True)
    assert short.nll.tolist() == [0.0, 0.0] and short.grad.shape == (2, 0, 4)


def test_padding_is_never_read() -> None:
    logits = torch.randn(3, 20, 5, generator=torch.Generator().manual_seed(1))
    ctc_batch = batch_of(logits, [[1, 2], [3], [4, 4]], [12, 20, 7])
    clean = cpu.forward_backward(logits, ctc_batch, True)
    for row, frames in enumerate(ctc_batch.input_lengths):
        logits[row, frames:] = math.nan if row else math.inf
    dirty = cpu.forward_backward(logits, ctc_batch, True)
    assert torch.equal(clean.nll, dirty.nll) and torch.equal(clean.grad, dirty.grad)
    assert not any(
        dirty.grad[row, frames:].any() for row, frames in enumerate(ctc_batch.input_lengths)
    )


def test_nan_stays_in_its_row() -> None:
    logits = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(1))
    logits[0, 2, 3] = math.nan
    nll, grad, _ = cpu.forward_backward(logits, batch_of(logits, [[1], [1]]), True)
    assert nll[0].isnan() and nll[1].isfinite() and grad is not None and grad[1].isfinite().all()


def many() -> tuple[Tensor, CtcBatch]:
    rng = torch.Generator().manual_seed(5)
    logits = torch.randn(9, 120, 21, generator=rng)
    frames = torch.randint(60, 121, (9,), generator=rng).tolist()
    return logits, batch_of(logits, [random_labels(n, 21, n) for n in range(0, 27, 3)], frames)


@pytest.fixture
def threads() -> Callable[[int], None]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_same_bits_whatever_the_threads(threads: Callable[[int], None]) -> None:
    logits, ctc_batch = many()
    first = cpu.forward_backward(logits, ctc_batch, True)
    for count in (1, 2, 3, 1, 2):
        threads(count)
        again = cpu.forward_backward(logits, ctc_batch, True)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_row_does_not_depend_on_its_batch() -> None:
    logits, ctc_batch = many()
    together = cpu.forward_backward(logits, ctc_batch, True)
    for row in range(logits.shape[0]):
        frames, labels = ctc_batch.input_lengths[row], ctc_batch.row(row).tolist()
        alone = logits[row : row + 1, :frames]
        nll, grad, _ = cpu.forward_backward(alone, batch_of(alone, [labels]), True)
        assert torch.equal(nll[0], together.nll[row]) and torch.equal(
            grad[0], together.grad[row, :frames]
        )


def test_strides_do_not_matter() -> None:
    logits, ctc_batch = many()
    first = cpu.forward_backward(logits, ctc_batch, True)
    for view in (
        logits.transpose(0, 1).contiguous().transpose(0, 1),
        logits.transpose(1, 2).contiguous().mT,
        torch.stack([logits, logits], -1)[..., 1],
    ):
        again = cpu.forward_backward(view, ctc_batch, True)
        assert torch.equal(first.nll, again.nll) and torch.equal(first.grad, again.grad)


def test_more_scores_than_int32_counts() -> None:
    """Expanded logits [3, 800, 10^6] of one number; forward only takes no memory for them."""
    logits = torch.zeros(1).expand(3, 800, 1_000_000)
    labels = [[1], [999_999, 999_999], []]
    nll, grad, _ = cpu.forward_backward(logits, batch_of(logits, labels, [2, 40, 1]), False)
    paths = [math.comb(3, 2), math.comb(41, 4), 1]
    want = [t * math.log(1e6) - math.log(n) for t, n in zip([2, 40, 1], paths, strict=True)]
    assert grad is None
    assert nll.tolist() == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    logits, ctc_batch = many()
    half = logits.to(dtype)
    got, want = (cpu.forward_backward(x, ctc_batch, True) for x in (half, half.float()))
    assert got.nll.dtype == torch.float32 and torch.equal(got.nll, want.nll)
    assert got.grad.dtype == dtype and torch.equal(got.grad, want.grad.to(dtype))


def test_float64_is_float64() -> None:
    logits, ctc_batch = many()
    logits = logits.double() * 5
    nll, grad, _ = cpu.forward_backward(logits, ctc_batch, True)
    want_nll, want_grad = exact(logits, ctc_batch)
    assert nll.dtype == grad.dtype == torch.float64
    assert torch.allclose(nll, want_nll, rtol=1e-13) and (grad - want_grad).abs().max() < 1e-11


def test_two_python_threads_at_once() -> None:
    logits, ctc_batch = many()
    want = cpu.forward_backward(logits, ctc_batch, True)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(cpu.forward_backward, logits, ctc_batch, True) for _ in range(20)]
        for job in jobs:
            assert torch.equal(job.result().grad, want.grad)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_computes_too(threads: Callable[[int], None]) -> None:
    threads(2)
    logits, ctc_batch = many()
    want = cpu.forward_backward(logits, ctc_batch, True)
    child = os.fork()
    if child == 0:
        got = cpu.forward_backward(logits, ctc_batch, True)
        os._exit(0 if torch.equal(got.grad, want.grad) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
