"""The acoustic model as a whole: exact in training too, where statistics see real frames only."""

from __future__ import annotations

import torch

from ctcasr.net import AcousticModel, ConvLayer, ConvStack, Head, RecurrentStack
from ctcasr.seq import Seq


def model(dropout: float = 0.0) -> AcousticModel:
    torch.manual_seed(0)
    conv = ConvStack([ConvLayer(1, 3, 10, (5, 5), (2, 2))], 10)
    rnn = RecurrentStack("lstm", conv.features, 4, layers=2, dropout=dropout)
    return AcousticModel(conv, rnn, Head(rnn.features, (5,), 7)).double()


def rows(*lengths: int) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(n, 10, generator=draw, dtype=torch.float64) for n in lengths]


def test_more_padding_changes_neither_loss_nor_gradient_nor_statistics_in_training() -> None:
    results = []
    for extra in (0, 13):
        net = model()
        x = Seq.stack(rows(20, 9, 3), 100)
        x = Seq(torch.nn.functional.pad(x.data, (0, 0, 0, extra)), x.lengths, x.rate)
        out = net(x)
        loss = sum(out.row(i).square().sum() for i in range(3))
        loss.backward()
        results.append([loss, *(p.grad for p in net.parameters()), *net.buffers()])
    for short, long in zip(*results, strict=True):
        assert torch.allclose(short, long, atol=1e-9)


def test_the_order_of_the_rows_is_only_an_order() -> None:
    x = rows(20, 9, 3)
    a, b = model()(Seq.stack(x, 100)), model()(Seq.stack(x[::-1], 100))
    for index in range(3):
        assert torch.allclose(a.row(index), b.row(2 - index), atol=1e-9)


def test_lengths_are_those_of_the_framings() -> None:
    net = model().eval()
    out = net(Seq.stack(rows(20, 9, 3), 100))
    (framing,) = net.framings
    assert out.lengths == tuple(framing.count(n) for n in (20, 9, 3)) and out.rate == 50


def test_every_parameter_gets_a_gradient() -> None:
    net = model(dropout=0.1)
    out = net(Seq.stack(rows(20, 9), 100))
    out.data[out.mask].square().sum().backward()
    assert [
        name for name, p in net.named_parameters() if p.grad is None or not bool(p.grad.any())
    ] == []


def test_gradient_of_the_loss_by_finite_differences() -> None:
    net, x = model(), Seq.stack(rows(12, 5), 100)
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    def loss() -> torch.Tensor:
        net.load_state_dict(state, strict=True)  # running statistics as they were
        out = net(x)
        return out.data[out.mask].sin().sum()

    loss().backward()
    draw = torch.Generator().manual_seed(5)
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        way = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
        values = []
        for sign in (1, -1):
            original = state[name]
            state[name] = original + sign * 1e-6 * way
            with torch.no_grad():
                values.append(float(loss()))
            state[name] = original
        slope, wanted = (values[0] - values[1]) / 2e-6, float((parameter.grad * way).sum())
        assert abs(slope - wanted) <= 1e-5 * max(1.0, abs(wanted)), name
