"""A listener gives CTC losses and gradients, is not taught, and wants its own rate."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ctcasr.batch import Batch, Utterance
from ctcasr.enhance.listener import Listener, still
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from ctcasr.specs import NetSpec
from ctcasr.text import Alphabet

RATE = 8000
ABC = Alphabet("abc ")


@pytest.fixture(scope="module")
def listener() -> Listener:
    torch.manual_seed(0)
    spec = NetSpec(FrontSpec(RATE, bands=20, n_fft=256), layers=1, hidden=8, dropout=0.5)
    return Listener(Recogniser(build(spec, ABC.size), ABC, spec_to(spec), {}))


def batch(*texts: str) -> Batch:
    draw = torch.Generator().manual_seed(0)
    tokens = [ABC.encode(text) for text in texts]
    return Batch(
        tuple(Utterance(Path(f"{text}.wav"), text=text) for text in texts),
        Seq.stack([0.1 * torch.randn(4000, generator=draw) for _ in texts], RATE),
        torch.tensor([token for row in tokens for token in row]),
        tuple(len(row) for row in tokens),
    )


def test_nats_per_token_and_nothing_without_an_alignment(listener: Listener) -> None:
    data = batch("ab", "abc" * 40)
    losses = listener.losses(data.audio, data)
    logits = listener.recogniser.logits(data.audio)
    wanted = nn.functional.ctc_loss(
        logits.data[:1].log_softmax(2).transpose(0, 1),
        torch.tensor([[1, 2]]),
        logits.lengths[:1],
        (2,),
    )
    assert float(losses[0].detach()) == pytest.approx(float(wanted.detach()), rel=1e-4)
    assert float(losses[1].detach()) == 0.0


def test_gradients_reach_the_samples_and_not_the_network(listener: Listener) -> None:
    data = batch("ab")
    samples = data.audio.data.clone().requires_grad_()
    listener.losses(data.audio.with_data(samples), data).sum().backward()
    assert samples.grad is not None and bool(samples.grad.any())
    parameters = list(listener.recogniser.model.parameters())
    assert not any(parameter.requires_grad for parameter in parameters)


def test_it_is_never_random(listener: Listener) -> None:
    data = batch("ab", "c")
    first, second = (listener.losses(data.audio, data) for _ in range(2))
    assert torch.equal(first, second)


def test_another_rate_and_dropout_inside_of_rnns_are_told(listener: Listener) -> None:
    data = batch("ab")
    with pytest.raises(ValueError, match="at the listener's 8000 Hz; got 16000 Hz"):
        listener.losses(Seq(data.audio.data, data.audio.lengths, data.audio.rate * 2), data)
    with pytest.raises(ValueError, match=r"without dropout of their own; got dropout=0\.3"):
        still(nn.GRU(4, 4, num_layers=2, dropout=0.3))
