"""The compiled RNN gives what torch gives, with gradients, and is taken where it can be."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from ctcasr.net import RecurrentLayer
from ctcasr.seq import Seq

CASES = list(itertools.product(("gru", "lstm", "rnn"), (False, True)))


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def half() -> Iterator[None]:
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision("highest")


def make(kind: str, both: bool, hidden: int = 64, features: int = 5) -> RecurrentLayer:
    torch.manual_seed(1)
    layer = RecurrentLayer(kind, features, hidden, both)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # biases too
    return layer


def batch(*lengths: int, features: int = 5) -> Seq:
    draw = torch.Generator().manual_seed(0)
    return Seq.stack([torch.randn(n, features, generator=draw) for n in lengths], 100)


def gradients(layer: RecurrentLayer, x: Seq, out: Tensor, data: Tensor) -> dict[str, Tensor]:
    upstream = torch.randn(out.shape, generator=torch.Generator().manual_seed(3)).to(out.dtype)
    names, leaves = zip(("x", data), *layer.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(out, leaves, upstream), strict=True))


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).detach().norm() / b.detach().norm().clamp(min=1e-30))


@pytest.mark.parametrize(("kind", "both"), CASES)
@pytest.mark.parametrize(
    "lengths",
    [(9,), (20, 3, 0, 20, 1), (5,) * 27, (12, 12, 11, 11, 10, 3, 3, 2, 2, 1, 1, 1, 1)],
    ids=len,
)
def test_equals_torch_in_float64(kind: str, both: bool, lengths: tuple[int, ...]) -> None:
    layer, x = make(kind, both), batch(*lengths)
    exact = copy.deepcopy(layer).double()
    mine, yours = x.data.clone().requires_grad_(), x.data.double().requires_grad_()
    out, wanted = layer(x.with_data(mine)).data, exact.by_torch(x.with_data(yours)).data
    assert distance(out, wanted) < 1e-6 and not bool(out[~x.mask].any())
    found, right = gradients(layer, x, out, mine), gradients(exact, x, wanted, yours)
    assert max(distance(found[name], right[name]) for name in right) < 5e-6


@pytest.mark.parametrize(("kind", "both"), CASES)
def test_a_row_has_the_same_bits_whatever_its_mates_and_its_padding_hold(
    kind: str, both: bool
) -> None:
    layer, x = make(kind, both), batch(14, 9, 3, 1)
    out = layer(x)
    dirty = layer(x.with_data(x.data.masked_fill(~x.mask[..., None], torch.nan)))
    assert torch.equal(out.data, dirty.data)
    sick = x.data.clone()
    sick[1, 4] = torch.nan
    ill = layer(x.with_data(sick))
    assert bool(ill.row(1).isnan().any()) and all(
        torch.equal(ill.row(i), out.row(i)) for i in (0, 2, 3)
    )
    for index in range(4):
        assert torch.allclose(
            out.row(index), layer(Seq.stack([x.row(index)], 100)).row(0), atol=1e-6
        )


@pytest.mark.parametrize(("kind", "both"), CASES)
def test_twice_and_on_more_threads_it_is_the_same(kind: str, both: bool, threads: None) -> None:
    layer, x = make(kind, both), batch(14, 9, 9, 3, 1)
    data = x.data.clone().requires_grad_()
    runs = []
    for count in (1, 1, 2, 5):
        torch.set_num_threads(count)
        out = layer(x.with_data(data)).data
        runs.append({"out": out.detach(), **gradients(layer, x, out, data)})
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert all(distance(run[name], runs[0][name]) < 1e-6 for run in runs[2:] for name in run)


@pytest.mark.parametrize("kind", ["gru", "lstm", "rnn"])
def test_far_from_zero_gates_are_open_or_shut(kind: str) -> None:
    layer, x = make(kind, True), batch(6, 4)
    far = x.with_data(x.data * 1e4)
    assert torch.allclose(layer(far).data, layer.by_torch(far).data, atol=1e-6)


def test_a_graph_that_is_kept_gives_the_same_gradient_twice() -> None:
    layer, x = make("gru", True), batch(7, 5)
    total = layer(x).data.square().sum()
    first = torch.autograd.grad(total, list(layer.parameters()), retain_graph=True)
    second = torch.autograd.grad(total, list(layer.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_what_needs_no_gradient_gets_none() -> None:
    layer, x = make("lstm", True), batch(7, 5)
    data = x.data.clone().requires_grad_()
    (whole,) = torch.autograd.grad(layer(x.with_data(data)).data.sum(), [data])
    layer.requires_grad_(False)
    layer(x.with_data(data)).data.sum().backward()
    assert (
        data.grad is not None
        and torch.equal(data.grad, whole)
        and all(p.grad is None for p in layer.parameters())
    )
    assert not layer(x).data.requires_grad


def test_a_second_derivative_raises() -> None:
    layer, x = make("gru", False), batch(7, 5)
    (first,) = torch.autograd.grad(
        layer(x).data.square().sum(), [layer.forwards.weight_hh_l0], create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_nothing_to_read_gives_nothing() -> None:
    layer = make("gru", True)
    assert layer(batch(0, 0)).data.shape == (2, 0, 128)


@pytest.mark.parametrize(("kind", "both"), CASES)
def test_medium_precision_rounds_large_products_only(kind: str, both: bool, half: None) -> None:
    layer, x = make(kind, both), batch(14, 9)
    data = x.data.clone().requires_grad_()
    out, wanted = layer(x.with_data(data)).data, layer.by_torch(x.with_data(data)).data
    found, right = gradients(layer, x, out, data), gradients(layer, x, wanted, data)
    assert out.dtype == torch.float32 and distance(out, wanted) < 1e-2
    assert max(distance(found[name], right[name]) for name in right) < 3e-2


class Bare(nn.Module):
    """A layer that takes a tensor [1, 6, 5], for exporters."""

    def __init__(self, layer: RecurrentLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, data: Tensor) -> Tensor:
        return self.layer(Seq(data, (6,), 100)).data  # type: ignore[arg-type]


def taken(layer: RecurrentLayer, x: Seq, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the compiled loops are what runs."""
    calls = []
    monkeypatch.setattr(layer, "compiled", lambda x: calls.append(1) or layer.by_torch(x))
    layer(x)
    return bool(calls)


def test_torch_serves_what_the_loops_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    x = batch(6)
    assert taken(make("gru", True), x, monkeypatch)
    assert not taken(make("gru", True, hidden=24), x, monkeypatch)
    assert not taken(make("gru", True).double(), x.with_data(x.data.double()), monkeypatch)
    watched = make("gru", True)
    watched.forwards.register_forward_hook(lambda *_: None)
    assert not taken(watched, x, monkeypatch)
    with torch.autocast("cpu", torch.bfloat16):
        assert not taken(make("gru", True), x, monkeypatch)


@pytest.mark.filterwarnings("ignore")
def test_exporters_and_tracers_see_torchs_own_layer() -> None:
    layer, x = make("gru", True), batch(6)
    with torch.no_grad():
        wanted = layer(x).data
        traced = torch.jit.trace(Bare(layer), x.data)
        exported = torch.export.export(Bare(layer), (x.data,)).module()
        assert torch.allclose(traced(x.data), wanted, atol=1e-6) and torch.allclose(
            exported(x.data), wanted, atol=1e-6
        )
        assert any("gru" in str(node.kind()) for node in traced.inlined_graph.nodes())
