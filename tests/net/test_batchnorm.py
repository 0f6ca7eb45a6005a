"""SequenceBatchNorm is torch's BatchNorm1d over the real frames laid end to end."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import nn

from ctcasr.net import SequenceBatchNorm, normalise_over_all
from ctcasr.seq import Seq

FEATURES = 5


def batch(*lengths: int, pad: float = 0.0, seed: int = 0) -> Seq:
    draw = torch.Generator().manual_seed(seed)
    x = Seq.stack(
        [3 * torch.randn(n, FEATURES, generator=draw, dtype=torch.float32) + 2 for n in lengths],
        100,
    )
    return x.with_data(x.data.masked_fill(~x.mask[..., None], pad))


def pair(momentum: float = 0.1) -> tuple[SequenceBatchNorm, nn.BatchNorm1d]:
    """Ours and torch's with the same, uncommon parameters."""
    ours, theirs = (
        SequenceBatchNorm(FEATURES, momentum),
        nn.BatchNorm1d(FEATURES, momentum=momentum),
    )
    draw = torch.Generator().manual_seed(9)
    weight, bias = torch.rand(FEATURES, generator=draw) + 0.5, torch.randn(FEATURES, generator=draw)
    for module in (ours, theirs):
        module.load_state_dict({**module.state_dict(), "weight": weight, "bias": bias})
    return ours, theirs


@pytest.mark.parametrize("lengths", [(7,), (9, 4, 1), (6, 6), (5, 0, 3)])
@pytest.mark.parametrize("pad", [0.0, 1e3])
def test_equals_torch_over_the_real_frames(lengths: tuple[int, ...], pad: float) -> None:
    ours, theirs = pair()
    for step in range(3):
        x = batch(*lengths, pad=pad, seed=step)
        data = x.data.clone().requires_grad_()
        real = x.data[x.mask].clone().requires_grad_()
        out, wanted = ours(x.with_data(data)), theirs(real)
        assert torch.allclose(out.data[x.mask], wanted, atol=1e-5)
        assert not bool(out.data[~x.mask].any())
        upstream = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(step))
        for module in (ours, theirs):
            module.zero_grad()
        out.data.backward(
            torch.zeros_like(out.data).masked_scatter(
                x.mask[..., None].expand_as(out.data), upstream
            )
        )
        wanted.backward(upstream)
        assert data.grad is not None and real.grad is not None
        assert torch.allclose(data.grad[x.mask], real.grad, atol=1e-5)
        assert not bool(data.grad[~x.mask].any())
        assert torch.allclose(ours.weight.grad, theirs.weight.grad, atol=1e-4)
        assert torch.allclose(ours.bias.grad, theirs.bias.grad, atol=1e-4)
        assert torch.allclose(ours.running_mean, theirs.running_mean, atol=1e-5)
        assert torch.allclose(ours.running_var, theirs.running_var, atol=1e-4)
    ours.eval(), theirs.eval()
    assert torch.allclose(ours(x).data[x.mask], theirs(x.data[x.mask]), atol=1e-5)


def test_torchs_own_kernel_gives_the_same() -> None:
    frames = batch(40).data[0]
    results = []
    for name in ("_batch_norm", "_batch_norm_on_cuda"):
        norm = pair()[0]
        normalise = getattr(norm, name)
        data = frames.clone().requires_grad_()
        normed = normalise(data)
        normed.backward(torch.linspace(-1, 1, normed.numel()).view_as(normed))
        gradients = (data.grad, norm.weight.grad, norm.bias.grad)
        results.append((normed, *gradients, norm.running_mean, norm.running_var))
    for got, wanted in zip(*results, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-6)


def test_padding_may_hold_anything_even_nan() -> None:
    results = []
    for pad in (0.0, float("nan")):
        norm, _ = pair()
        x = batch(9, 4, 1, pad=pad)
        x.data.requires_grad_()
        out = norm(x)
        out.data.square().sum().backward()
        results.append(
            [
                out.data,
                x.data.grad,
                norm.weight.grad,
                norm.bias.grad,
                norm.running_mean,
                norm.running_var,
                norm.eval()(x).data,
            ]
        )
    for clean, dirty in zip(*results, strict=True):
        assert torch.equal(clean, dirty)


def test_evaluation_moves_no_statistics() -> None:
    norm = SequenceBatchNorm(FEATURES).eval()
    norm(batch(9, 4))
    assert torch.equal(norm.running_mean, torch.zeros(FEATURES)) and torch.equal(
        norm.running_var, torch.ones(FEATURES)
    )


def test_gradients_by_finite_differences() -> None:
    norm = SequenceBatchNorm(FEATURES).double()
    lengths = (4, 2)

    def forward(data: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        changed = {
            "weight": weight,
            "bias": bias,
            "running_mean": norm.running_mean.clone(),
            "running_var": norm.running_var.clone(),
        }
        return torch.func.functional_call(norm, changed, (Seq(data, lengths, Fraction(100)),)).data

    draw = torch.Generator().manual_seed(3)
    inputs = [
        torch.randn(shape, generator=draw, dtype=torch.float64).requires_grad_()
        for shape in ((2, 4, FEATURES), (FEATURES,), (FEATURES,))
    ]
    assert torch.autograd.gradcheck(forward, inputs)


@pytest.mark.parametrize("lengths", [(1,), (0, 1), (0,)])
def test_a_single_frame_is_normalised_as_in_evaluation(lengths: tuple[int, ...]) -> None:
    x = Seq(torch.zeros(len(lengths), 1, FEATURES), lengths, Fraction(100))
    norm = SequenceBatchNorm(FEATURES)
    norm(batch(9, 4))
    before = norm.running_mean.clone()
    out = norm(x)
    assert torch.equal(out.data, norm.eval()(x).data) and torch.equal(before, norm.running_mean)


class Meeting:
    """Threads that stand for processes: each gets the sum over all, forward and backward."""

    def __init__(self, size: int) -> None:
        self.size, self.barrier, self.brought = (
            size,
            threading.Barrier(size, timeout=60),
            list[torch.Tensor](),
        )

    def add(self, own: torch.Tensor) -> torch.Tensor:
        self.brought.append(own.detach().clone())
        self.barrier.wait()
        total = torch.stack(self.brought).sum(0)
        if self.barrier.wait() == 0:
            self.brought.clear()
        self.barrier.wait()
        return total

    def world_sum(self, own: torch.Tensor) -> torch.Tensor:
        return Met.apply(own, self)

    def run(self, work: Callable[[int], Any]) -> list[Any]:
        with ThreadPoolExecutor(self.size) as pool:
            return list(pool.map(work, range(self.size)))


class Met(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: torch.Tensor, meeting: Meeting) -> torch.Tensor:
        ctx.meeting = meeting
        return meeting.add(own)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.meeting.add(grads[0]), None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])  # torch's operations, and loops
@pytest.mark.parametrize(
    "shares", [[(9, 4), (6,)], [(9, 4, 1), (0,), (2, 5)], [(1,), (1,)], [(0,), (1,)], [(0,), (0,)]]
)
def test_several_processes_normalise_by_the_batch_that_they_share(
    shares: list[tuple[int, ...]], dtype: torch.dtype
) -> None:
    exact = {"rtol": 1e-9, "atol": 1e-12}
    close = exact if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    whole, _ = pair()
    whole.double()
    x = batch(*(n for share in shares for n in share))
    data = x.data.double().requires_grad_()
    wanted = whole(x.with_data(data))
    upstream = torch.randn(
        wanted.data.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    wanted.data.backward(upstream)
    meeting, firsts = Meeting(len(shares)), [sum(map(len, shares[:k])) for k in range(len(shares))]

    def process(rank: int) -> tuple[torch.Tensor, torch.Tensor, SequenceBatchNorm]:
        norm = copy.deepcopy(pair()[0]).to(dtype)
        norm.world_sum = meeting.world_sum
        rows = slice(firsts[rank], firsts[rank] + len(shares[rank]))
        own = x.data[rows].to(dtype).requires_grad_()
        out = norm(Seq(own, shares[rank], x.rate))
        out.data.backward(upstream[rows].to(dtype))
        assert own.grad is not None
        return out.data.detach().double(), own.grad.double(), norm.double()

    found = meeting.run(process)
    assert torch.allclose(torch.cat([out for out, _, _ in found]), wanted.data, **close)
    assert torch.allclose(torch.cat([grad for _, grad, _ in found]), data.grad, **close)
    for name in ("weight", "bias"):
        assert torch.allclose(
            sum(getattr(norm, name).grad for _, _, norm in found),
            getattr(whole, name).grad,
            **close,
        )
    for _, _, norm in found:
        assert torch.allclose(norm.running_mean, whole.running_mean) and torch.allclose(
            norm.running_var, whole.running_var
        )


@pytest.mark.parametrize("shape", [(5, 3, 4, 2), (5, 3), (5, 3, 7)])
def test_torch_norms_are_shared_too(shape: tuple[int, ...]) -> None:
    norm: nn.Module = nn.BatchNorm2d(3) if len(shape) == 4 else nn.BatchNorm1d(3)
    whole = copy.deepcopy(norm).double()
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=draw, dtype=torch.float64).requires_grad_()
    upstream = torch.randn(shape, generator=draw, dtype=torch.float64)
    wanted = whole(x)
    wanted.backward(upstream)
    meeting = Meeting(2)

    def process(rank: int) -> tuple[torch.Tensor, torch.Tensor, nn.Module]:
        mine, rows = copy.deepcopy(norm).double(), slice(0, 2) if rank == 0 else slice(2, 5)
        own = x.detach()[rows].clone().requires_grad_()
        out = normalise_over_all(mine, meeting.world_sum, own)  # type: ignore[arg-type]
        out.backward(upstream[rows])
        assert own.grad is not None
        return out.detach(), own.grad, mine

    found = meeting.run(process)
    assert torch.allclose(torch.cat([out for out, _, _ in found]), wanted, rtol=1e-10, atol=1e-12)
    assert torch.allclose(torch.cat([grad for _, grad, _ in found]), x.grad, rtol=1e-9, atol=1e-12)
    for _, _, mine in found:
        assert all(
            torch.allclose(a, b) for a, b in zip(mine.buffers(), whole.buffers(), strict=True)
        )
    alone = normalise_over_all(whole.eval(), meeting.world_sum, x)  # type: ignore[arg-type]
    assert torch.equal(alone, whole(x))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_normalises_as_a_cpu_does() -> None:
    results = []
    for device in ("cpu", "cuda"):
        norm = pair()[0].to(device)
        x = batch(900, 400, 7).to(device)
        data = x.data.clone().requires_grad_()
        out = norm(x.with_data(data)).data
        out.backward(torch.linspace(-1, 1, out.numel(), device=device).view_as(out))
        found = (out, data.grad, norm.weight.grad, norm.bias.grad, norm.running_var)
        results.append([tensor.detach().cpu() for tensor in found if tensor is not None])
    # The gradients of weight and bias are sums over all frames, whose terms cancel.
    tolerances = (1e-5, 1e-5, 1e-3, 1e-3, 1e-5)
    for got, wanted, atol in zip(*results, tolerances, strict=True):
        torch.testing.assert_close(got, wanted, atol=atol, rtol=1e-5)
