"""Conv layers over padded sequences: counts, clocks, and no trace of batch mates."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
import torch
from torch import nn

from ctcasr.net import ConvLayer, ConvStack, SequenceBatchNorm
from ctcasr.seq import Seq

BINS = 10


def batch(*lengths: int, seed: int = 0) -> Seq:
    draw = torch.Generator().manual_seed(seed)
    return Seq.stack([torch.randn(n, BINS, generator=draw) for n in lengths], 100)


def stack(clip: float | None = None) -> ConvStack:
    torch.manual_seed(0)
    first = ConvLayer(1, 3, BINS, (5, 3), (2, 2), clip)
    return ConvStack([first, ConvLayer(3, 4, first.bins, (4, 3), (2, 1), clip)], BINS)


@pytest.mark.parametrize("lengths", [(1,), (2, 1), (3,), (17, 8, 4, 1)])
def test_lengths_bins_and_clock_are_those_of_the_convolutions(lengths: tuple[int, ...]) -> None:
    convs, x = stack().eval(), batch(*lengths)
    out = convs(x)
    assert out.data.shape[2] == convs.features
    first, second = convs.framings
    assert out.lengths == tuple(second.count(first.count(n)) for n in lengths)
    assert out.data.shape[1] == max(out.lengths) and out.rate == Fraction(25)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_row_is_the_same_alone_and_in_a_batch(clip: float | None) -> None:
    convs = stack(clip)
    for _ in range(3):
        convs(batch(30, 20))  # running statistics that are not the initial ones
    convs.eval()
    x = batch(17, 8, 3, 1)
    out = convs(x)
    for index in range(4):
        alone = convs(Seq.stack([x.row(index)], 100))
        assert alone.lengths[0] == out.lengths[index]
        assert torch.allclose(alone.row(0), out.row(index), atol=1e-5)
    assert not bool(out.data[~out.mask].any())
    assert float(out.data.detach().min()) == 0.0 and (
        clip is None or float(out.data.detach().max()) <= clip
    )


def test_statistics_in_training_are_per_channel_over_real_frames() -> None:
    layer = ConvLayer(1, 3, BINS, (5, 3), (2, 2))
    x = batch(17, 8)
    layer(x.with_data(x.data.unsqueeze(2)))
    rows = [layer.conv(x.row(i)[None, None])[0] for i in range(2)]  # [C, T', F'] of each row alone
    flat = torch.cat([row.flatten(1) for row in rows], dim=1)
    norm = layer.norm
    assert torch.allclose(norm.running_mean, 0.1 * flat.mean(1), atol=1e-5)
    assert torch.allclose(norm.running_var, 0.9 + 0.1 * flat.var(1), atol=1e-5)


def test_equals_batchnorm2d_where_nothing_is_padded() -> None:
    layer = ConvLayer(1, 3, BINS, (5, 3), (2, 2))
    x = batch(16, 16)
    plain = torch.relu(nn.BatchNorm2d(3)(layer.conv(x.data.unsqueeze(1)))).transpose(1, 2)
    assert torch.allclose(layer(x.with_data(x.data.unsqueeze(2))).data, plain, atol=1e-5)


def test_no_layers_change_nothing() -> None:
    x = batch(5)
    empty = ConvStack([], BINS)
    assert empty(x) is x and empty.features == BINS and empty.framings == ()


def test_gradients_by_finite_differences() -> None:
    torch.manual_seed(0)
    layer = ConvLayer(1, 2, 4, (3, 3), (2, 1)).double().eval()
    data = torch.randn(2, 5, 1, 4, dtype=torch.float64, requires_grad=True)
    # Data in the padding are zero by contract; the gradient there is not asked for.
    keep = torch.ones(2, 5, 1, 1, dtype=torch.float64)
    keep[1, 3:] = 0
    assert torch.autograd.gradcheck(
        lambda d: layer(Seq(d * keep, (5, 3), Fraction(100))).data, (data,)
    )


def test_norms_are_the_sequence_kind() -> None:
    assert sum(isinstance(m, SequenceBatchNorm) for m in stack().modules()) == 2


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Products may be rounded, on a processor that multiplies bfloat16."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


def convolved(convs: ConvStack, x: Seq) -> list[torch.Tensor]:
    """Output and gradients, all float32."""
    out = convs(x).data
    draw = torch.Generator().manual_seed(5)
    parameters = list(convs.parameters())
    grads = torch.autograd.grad(out, parameters, torch.randn(out.shape, generator=draw))
    return [out.detach(), *grads]


def test_products_of_many_channels_are_rounded_where_they_may_be(half: None) -> None:
    x = batch(40, 31)
    rounded = convolved(stack(), x)
    torch.set_float32_matmul_precision("highest")
    exact = convolved(stack(), x)
    assert not torch.equal(rounded[0], exact[0])
    for mine, wanted in zip(rounded, exact, strict=True):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, wanted, rtol=0, atol=0.03 * float(wanted.abs().max()))


def test_the_first_channel_and_what_is_listened_to_are_not_rounded(half: None) -> None:
    x = batch(40, 31).with_data(batch(40, 31).data.unsqueeze(2))
    first, second = stack().layers
    heard: list[torch.Tensor] = []
    with torch.no_grad():
        y = first(x)
        rounded = second(y).data
        second.get_submodule("conv").register_forward_hook(lambda *seen: heard.append(seen[2]))
        exact = second(y).data
        torch.set_float32_matmul_precision("highest")
        assert torch.equal(first(x).data, y.data)
        assert torch.equal(second(y).data, exact)
    assert len(heard) == 2
    assert not torch.equal(rounded, exact)
