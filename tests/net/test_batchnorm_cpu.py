"""The compiled BatchNorm is torch's over the real frames, and the clamp behind it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.net.batchnorm_cpu import Measuring, Statistics, batch_norm
from ctcasr.seq import Seq

EPS = 1e-5
NOTHING = (-math.inf, math.inf)


def batch(lengths: tuple[int, ...], features: int, mean: float = 3.0) -> tuple[Seq, Tensor]:
    """Frames whose padding is anything, and upstream gradients."""
    draw = torch.Generator().manual_seed(len(lengths) + features)
    shape = (len(lengths), max(lengths) + 2, features)
    frames = torch.randn(shape, generator=draw) * 2 + mean
    return Seq(frames, lengths, 100), torch.randn(shape, generator=draw)


def parameters(features: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    weight = torch.rand(features, generator=draw) + 0.5
    bias = torch.randn(features, generator=draw)
    return weight.requires_grad_(), bias.requires_grad_()


def alone(x: Seq) -> Measuring:
    """One process."""
    features = x.data.shape[2]
    return Measuring(Statistics(torch.zeros(features), torch.ones(features), count=0))


def run(
    x: Seq, upstream: Tensor, within: tuple[float, float]
) -> tuple[Tensor, Statistics, tuple[Tensor, ...]]:
    """Output, statistics and gradients by data, weight and bias."""
    data = x.data.clone().requires_grad_()
    weight, bias = parameters(data.shape[2])
    out, statistics = batch_norm(x.with_data(data), weight, bias, EPS, within, alone(x))
    return out, statistics, torch.autograd.grad(out, (data, weight, bias), upstream)


@pytest.mark.parametrize("within", [NOTHING, (0.0, math.inf), (0.0, 1.0)])
@pytest.mark.parametrize(
    ("lengths", "features"),
    [((7,), 1), ((900, 0, 257, 256, 1), 32), ((40, 13), 320), ((3, 2), 600), ((2000,), 7)],
)
def test_equals_torch_in_double_precision(
    lengths: tuple[int, ...], features: int, within: tuple[float, float]
) -> None:
    x, upstream = batch(lengths, features)
    out, statistics, grads = run(x, upstream, within)
    real = x.data[x.mask].double().requires_grad_()
    weight, bias = (parameter.double() for parameter in parameters(features))
    normed = functional.batch_norm(real, None, None, weight, bias, training=True, eps=EPS)
    wanted = normed.clamp(*within) if within != NOTHING else normed
    wanted_grads = torch.autograd.grad(wanted, (real, weight, bias), upstream[x.mask].double())
    torch.testing.assert_close(out[x.mask].double(), wanted, rtol=1e-5, atol=1e-5)
    assert not bool(out[~x.mask].any())
    assert not bool(grads[0][~x.mask].any())
    torch.testing.assert_close(grads[0][x.mask].double(), wanted_grads[0], rtol=1e-4, atol=1e-5)
    for grad, wanted_grad in zip(grads[1:], wanted_grads[1:], strict=True):
        torch.testing.assert_close(grad.double(), wanted_grad, rtol=1e-5, atol=1e-4)
    assert statistics.count == len(real)
    variance, mean = torch.var_mean(real, 0, unbiased=False)
    torch.testing.assert_close(statistics.mean.double(), mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(statistics.variance.double(), variance, rtol=1e-5, atol=1e-6)


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    x, upstream = batch((4000, 2999, 3500), 32)
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        out, _, grads = run(x, upstream, (0.0, math.inf))
        results.append((out, *grads))
    for other in results[1:]:
        for tensor, first in zip(other, results[0], strict=True):
            assert torch.equal(tensor, first)


def test_a_mean_far_above_the_deviation_keeps_the_variance() -> None:
    x, _ = batch((5000,), 4, mean=1000.0)
    _, statistics = batch_norm(x, *parameters(4), EPS, NOTHING, alone(x))
    wanted = x.data[0, :5000].double().var(0, unbiased=False)
    torch.testing.assert_close(statistics.variance.double(), wanted, rtol=1e-4, atol=0)


def test_nan_in_a_real_frame_is_seen_and_in_the_padding_is_not() -> None:
    x, upstream = batch((30, 20), 8)
    x.data[1, 20:] = math.nan
    out, _, grads = run(x, upstream, (0.0, math.inf))
    assert not any(bool(tensor.isnan().any()) for tensor in (out, *grads))
    x.data[0, 4, 2] = math.nan
    out, _, grads = run(x, upstream, (0.0, math.inf))
    assert bool(out[0, :30, 2].isnan().all())
    assert not bool(out[0, :30, 3].isnan().any())
    assert bool(grads[1][2].isnan())


def test_data_that_needs_no_gradient_has_none() -> None:
    x, upstream = batch((30, 20), 8)
    weight, bias = parameters(8)
    out, _ = batch_norm(x, weight, bias, EPS, NOTHING, alone(x))
    out.backward(upstream)
    assert weight.grad is not None
    assert x.data.grad is None


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Hardtanh(0.0, 2.0), nn.Hardtanh(-1.0, 1.0)])
def test_large_layers_take_it_and_give_what_small_ones_give(
    activation: nn.ReLU | nn.Hardtanh, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ctcasr.net import SequenceBatchNorm, batchnorm

    x, upstream = batch((300, 200), 8)
    results = []
    for least in (1 << 19, 1):
        monkeypatch.setattr(batchnorm, "_LEAST_COMPILED", least)
        norm = SequenceBatchNorm(8)
        data = x.data.clone().requires_grad_()
        out = norm.clamped(x.with_data(data), activation).data
        out.backward(upstream)
        assert data.grad is not None
        results.append((out, data.grad, norm.weight.grad, norm.running_mean, norm.running_var))
    for compiled, plain in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(compiled, plain, rtol=1e-5, atol=1e-5)
