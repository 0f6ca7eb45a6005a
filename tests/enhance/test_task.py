"""The enhancement task: its loss is capped, silent targets are named, a listener is not taught."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ctcasr.batch import Batch, Utterance
from ctcasr.enhance import Enhance, Listener
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import ENHANCERS, enhancer_to
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import PRESETS, spec_to
from ctcasr.seq import Seq
from ctcasr.text import Alphabet

SPEC = ENHANCERS["mask_tiny"]


def batch(*clean: torch.Tensor, noise: float = 0.05, tokens: int = 2) -> Batch:
    draw = torch.Generator().manual_seed(3)
    noisy = [row + noise * torch.randn(row.shape, generator=draw) for row in clean]
    names = tuple(Utterance(Path(f"u{k}.wav")) for k in range(len(clean)))
    return Batch(
        names,
        Seq.stack(noisy, 16000),
        torch.tensor([3, 4, 5, 6][:tokens] * len(clean)),
        (tokens,) * len(clean),
        seeds=tuple(range(len(clean))),
        clean=Seq.stack(list(clean), 16000),
    )


def speech(count: int, seed: int = 0) -> torch.Tensor:
    t = torch.arange(count) / 16000
    return (
        0.2
        * torch.sin(2 * torch.pi * (200 + 50 * seed) * t)
        * (1 + torch.sin(2 * torch.pi * 4 * t))
    )


class Same(nn.Module):
    """Gives back what it hears."""

    rate_hz, sees = 16000, False

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, samples: Seq, video: Seq | None = None) -> Seq:
        return samples.with_data(samples.data * self.gain)


def task(listener: Listener | None = None, listening: float = 1.0) -> Enhance:
    torch.manual_seed(0)
    return Enhance(build_enhancer(SPEC), enhancer_to(SPEC), listener, listening)


def test_it_learns_in_a_few_steps() -> None:
    one, data = task(), batch(speech(8000), speech(6000, 1))
    optimiser = torch.optim.Adam(one.parameters(), 3e-3)
    losses = []
    for step in range(12):
        optimiser.zero_grad()
        loss = one.step(data, step)
        (loss.sum / loss.weight).backward()
        optimiser.step()
        losses.append(float(loss.sum.detach()))
    assert losses[-1] < losses[0] - 2


def test_thirty_decibels_are_enough() -> None:
    one = Enhance(Same(), enhancer_to(SPEC))  # type: ignore[arg-type]
    loss = one.step(batch(speech(4000), noise=1e-6), 0)
    assert float(loss.sum) == -30.0 and loss.sum.requires_grad


def test_a_silent_target_is_in_neither_sum_nor_weight() -> None:
    one = Enhance(Same(), enhancer_to(SPEC))  # type: ignore[arg-type]
    alone, both = (
        one.step(batch(speech(4000)), 0),
        one.step(batch(speech(4000), torch.zeros(4000)), 0),
    )
    assert both.weight == 1 and both.left_out == ("u1: its target is silent",)
    assert float(both.sum) == pytest.approx(float(alone.sum), abs=1e-3)


def test_check_scores_before_and_after_and_leaves_the_network_training() -> None:
    one, data = task(), batch(speech(4000), speech(3000, 1))
    one.network.train()
    score = one.check([data])
    assert one.network.training and score.key == (score.metrics["loss"],)
    assert score.metrics["si_sdr_improvement"] == pytest.approx(
        score.metrics["si_sdr"] - score.metrics["si_sdr_input"]
    )
    assert score.metrics["files"] == 2 and len(score.samples) == 2


def listener() -> Listener:
    torch.manual_seed(1)
    spec, tokenizer = PRESETS["report_v_gru"], Alphabet.english38()
    return Listener(Recogniser(build(spec, tokenizer.size), tokenizer, spec_to(spec), {}))


def test_the_listener_teaches_and_is_not_taught() -> None:
    heard = listener()
    one, data = task(heard), batch(speech(8000), speech(8000, 1))
    before = {name: tensor.clone() for name, tensor in heard.recogniser.model.state_dict().items()}
    loss = one.step(data, 0)
    loss.sum.backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in one.parameters())
    assert all(p.grad is None for p in heard.recogniser.model.parameters())
    assert all(
        torch.equal(before[name], tensor)
        for name, tensor in heard.recogniser.model.state_dict().items()
    )
    assert not set(map(id, one.parameters())) & set(map(id, heard.recogniser.model.parameters()))
    assert not any("listener" in name for name in one.export()["network"])
    plain = task(None).step(data, 0)
    assert float(loss.sum) > float(plain.sum) and loss.evidence()["listener_loss"] > 0


def test_the_listeners_gradient_is_that_of_its_loss() -> None:
    heard, data = listener(), batch(speech(4000))
    samples = data.audio.data.clone().requires_grad_()
    heard.losses(data.audio.with_data(samples), data).sum().backward()
    assert samples.grad is not None
    push = 1e-3 * samples.grad / samples.grad.norm()
    with torch.no_grad():
        up, down = (
            float(heard.losses(data.audio.with_data(samples + sign * push), data).sum())
            for sign in (1, -1)
        )
    assert (up - down) / 2e-3 == pytest.approx(float(samples.grad.norm()), rel=0.1)


def test_recurrent_layers_train_and_nothing_else_does() -> None:
    heard, data = listener(), batch(speech(4000))
    heard.losses(data.audio, data)
    for module in heard.recogniser.model.modules():
        if not list(module.children()):
            assert module.training == isinstance(module, nn.RNNBase)


def test_another_rate_is_refused() -> None:
    heard = listener()
    heard.rate_hz = 8000
    with pytest.raises(ValueError, match="8000 Hz"):
        task(heard)


def test_a_batch_without_the_clean_speech_is_refused() -> None:
    data = batch(speech(4000))
    with pytest.raises(ValueError, match="MixtureCorpus"):
        task().step(Batch(data.utterances, data.audio, data.targets, data.target_lengths), 0)
