"""Recurrent layers read every row as torch's packed sequences do."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ctcasr.net import RecurrentLayer, RecurrentStack, SequenceBatchNorm
from ctcasr.net.rnn import _reversal, _run_turned, _turn
from ctcasr.seq import Seq

KINDS = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}


def batch(*lengths: int, features: int = 5, seed: int = 0) -> Seq:
    draw = torch.Generator().manual_seed(seed)
    return Seq.stack([torch.randn(n, features, generator=draw) for n in lengths], 100)


@pytest.mark.parametrize(("kind", "both"), list(itertools.product(KINDS, (False, True))))
def test_equals_packed_sequences_outputs_and_gradients(kind: str, both: bool) -> None:
    torch.manual_seed(1)
    ours = RecurrentLayer(kind, 5, 4, both)
    theirs = KINDS[kind](5, 4, batch_first=True, bidirectional=both)
    parts = {
        "": ours.forwards,
        **({"_reverse": ours.backwards} if ours.backwards is not None else {}),
    }
    with torch.no_grad():
        for suffix, part in parts.items():
            for name, parameter in part.named_parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))  # biases too
                getattr(theirs, name + suffix).copy_(parameter)
    x = batch(9, 3, 7, 1)
    mine, yours = x.data.clone().requires_grad_(), x.data.clone().requires_grad_()
    out = ours(x.with_data(mine)).data
    packed = pack_padded_sequence(
        yours, torch.tensor(x.lengths), batch_first=True, enforce_sorted=False
    )
    wanted = pad_packed_sequence(theirs(packed)[0], batch_first=True, total_length=9)[0]
    assert torch.allclose(out, wanted, atol=1e-5)
    assert not bool(out[~x.mask].any())
    upstream = torch.randn(wanted.shape)
    out.backward(upstream)
    wanted.backward(upstream)
    assert mine.grad is not None and yours.grad is not None
    assert torch.allclose(mine.grad, yours.grad, atol=1e-5)
    for suffix, part in parts.items():
        for name, parameter in part.named_parameters():
            assert torch.allclose(parameter.grad, getattr(theirs, name + suffix).grad, atol=1e-4), (
                name + suffix
            )


@pytest.mark.parametrize(("kind", "both"), list(itertools.product(KINDS, (False, True))))
def test_a_row_is_the_same_alone_and_whatever_the_padding_holds(kind: str, both: bool) -> None:
    torch.manual_seed(2)
    layer = RecurrentLayer(kind, 5, 4, both)
    x = batch(9, 3, 1)
    dirty = x.with_data(x.data.masked_fill(~x.mask[..., None], 50.0))
    out = layer(dirty)
    for index in range(3):
        alone = layer(Seq.stack([x.row(index)], 100))
        assert torch.allclose(out.row(index), alone.row(0), atol=1e-6)


def test_an_empty_row_gives_nothing_and_disturbs_nobody() -> None:
    torch.manual_seed(2)
    layer = RecurrentLayer("gru", 5, 4, True)
    out = layer(batch(6, 0))
    assert not bool(out.data[1].any()) and torch.allclose(
        out.row(0), layer(batch(6)).row(0), atol=1e-6
    )


@pytest.mark.parametrize(
    ("kind", "norm"), list(itertools.product(KINDS, ("every", "input", "none")))
)
def test_the_stack_normalises_where_it_says(kind: str, norm: str) -> None:
    stack = RecurrentStack(kind, 5, 4, layers=3, norm=norm)
    wanted = {"every": [5, 8, 8], "input": [5], "none": []}[norm]
    assert [m.weight.numel() for m in stack.modules() if isinstance(m, SequenceBatchNorm)] == wanted
    assert stack(batch(6, 4)).data.shape == (2, 6, stack.features)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    stack = RecurrentStack("gru", 5, 4, layers=1, norm="none", dropout=0.5)
    x = batch(20)
    assert bool((stack(x).data == 0).any())
    stack.eval()
    assert torch.equal(stack(x).data, stack(x).data) and not bool((stack(x).data == 0).any())


def test_an_lstm_begins_by_remembering() -> None:
    layer = RecurrentLayer("lstm", 5, 4, True)
    assert layer.backwards is not None
    for rnn in (layer.forwards, layer.backwards):
        assert torch.equal(
            rnn.bias_ih_l0 + rnn.bias_hh_l0, torch.tensor([0.0] * 4 + [1.0] * 4 + [0.0] * 8)
        )
        for gate in rnn.weight_hh_l0.split(4):
            assert torch.allclose(gate @ gate.T, torch.eye(4), atol=1e-5)


def test_unknown_words_raise() -> None:
    with pytest.raises(ValueError, match=r"'gru', 'lstm', 'rnn'.*'gro'"):
        RecurrentLayer("gro", 5, 4, True)
    with pytest.raises(ValueError, match=r"'every', 'input' or 'none'.*'some'"):
        RecurrentStack("gru", 5, 4, 1, norm="some")


def test_parametrised_weights_are_read_as_torch_reads_them() -> None:
    layer = RecurrentLayer("gru", 5, 32, True)
    weight_norm(layer.forwards, "weight_hh_l0")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(1.5)
    x = batch(4, 2)
    outputs = layer(x).data
    assert torch.allclose(outputs, layer.by_torch(x).data, atol=1e-5)
    outputs.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


def test_transforms_of_torch_func_see_what_autograd_sees() -> None:
    layer = RecurrentLayer("gru", 5, 32, True)
    x = batch(4, 2)

    def power(parameters: dict[str, Tensor]) -> Tensor:
        outputs: Seq = functional_call(layer, parameters, (x,))
        return outputs.data.square().sum()

    parameters = {name: value.detach() for name, value in layer.named_parameters()}
    layer(x).data.square().sum().backward()
    assert torch.allclose(power(parameters), layer(x).data.square().sum())
    for name, gradient in torch.func.grad(power)(parameters).items():
        assert torch.allclose(gradient, layer.get_parameter(name).grad, atol=1e-4), name


def test_turning_rows_around_is_undone_by_itself_also_backwards() -> None:
    x = batch(4, 2)
    data = x.data.double().requires_grad_()
    turned = _reversal(x)
    assert torch.equal(_turn(_turn(data, turned), turned), data)
    assert torch.equal(_turn(data, turned)[1, :2], data[1, :2].flip(0))
    assert torch.autograd.gradcheck(lambda values: _turn(values, turned), data)
    assert torch.autograd.gradgradcheck(lambda values: _turn(values, turned).square(), data)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_two_directions_at_once_give_what_one_after_the_other_gives(kind: str) -> None:
    torch.manual_seed(3)
    layer = RecurrentLayer(kind, 64, 64, True).cuda()
    x = batch(*[200 - 3 * row for row in range(16)], features=64).to("cuda")
    wanted: list[torch.Tensor] = []
    for _ in range(20):  # memory that was given away too early would show now and then
        data = x.data.clone().requires_grad_()
        layer.zero_grad()
        rows = x.with_data(data * 1.0)
        outputs = layer(rows).data
        outputs.square().sum().backward()
        found = [outputs.detach(), data.grad, *[p.grad for p in layer.parameters()]]
        wanted = wanted or [tensor.clone() for tensor in found]
        assert all(map(torch.equal, found, wanted))
    turned = _reversal(x)
    assert layer.backwards is not None
    alone = torch.cat(
        (layer.forwards(x.data)[0], _run_turned(layer.backwards, x.data, turned)), dim=2
    )
    assert torch.equal(x.with_data(alone).zero_padding().data, wanted[0])
