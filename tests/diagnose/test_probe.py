"""Looks into networks leave no trace, and see what is there."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from ctcasr.batch import Batch, Utterance
from ctcasr.diagnose.probe import (
    Activations,
    batch_statistics,
    feature_stats,
    fingerprints,
    parameter_stats,
)
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import read_spec
from ctcasr.seq import Seq


def make_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))


def state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_statistics_of_the_batch_leave_no_trace() -> None:
    network = make_network().eval()
    network[0].train()  # modes may differ
    modes = [module.training for module in network.modules()]
    before = state(network)
    samples = torch.randn(8, 3)
    with batch_statistics(network) as layers:
        first = network(samples)
        assert layers == 1 and torch.equal(first, network(samples))  # no dropout
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in state(network).items())
    assert not torch.equal(first, network(samples))


def test_dead_units_are_seen_whoever_calls_them_and_padding_does_not_count() -> None:
    features = torch.tensor([[[1.0, -1.0, -1.0], [1.0, 1.0, -1.0]]])
    with Activations() as activations:
        nn.ReLU()(features)
        nn.functional.hardtanh(features, 0.0, 20.0)
        torch.tanh(features)
    assert activations.dead_shares((2,)) == [pytest.approx(1 / 3)] * 2
    with Activations() as activations:
        torch.relu(features.expand(2, -1, -1))
    assert activations.dead_shares((2, 1)) == [pytest.approx(1 / 3)]
    with Activations() as activations:
        torch.relu(torch.cat([features[:, :1], features[:, 1:]], 1)[:, [0, 1, 1]])
    assert activations.dead_shares((1,)) == [pytest.approx(1 / 3)]  # another length: not masked


def test_what_moved_and_what_did_not_is_told() -> None:
    network = make_network()
    before = fingerprints(network)
    trained = [p for name, p in network.named_parameters() if not name.startswith("3")]
    network(torch.randn(8, 3)).sum().backward()
    torch.optim.SGD(trained, 1.0).step()
    stats = parameter_stats(network, network.parameters(), before, fingerprints(network))
    assert stats.frozen == 0.0 and stats.left_names == ["3.weight", "3.bias"]
    assert stats.left == pytest.approx(10 / (12 + 4 + 4 + 4 + 10)) and stats.watched
    assert stats.dropout == 0.5 and set(stats.gradients) == {"0", "1", "3"}
    assert parameter_stats(network, trained, {}, {}).frozen_names == ["3.weight", "3.bias"]


def test_a_fingerprint_changes_with_any_bit_and_with_nothing_else() -> None:
    layer = nn.Linear(2, 2)
    first = fingerprints(layer)
    assert fingerprints(layer) == first
    with torch.no_grad():
        layer.bias[0] = torch.nextafter(layer.bias[0], torch.tensor(math.inf))
    assert fingerprints(layer)["weight"] == first["weight"]
    assert fingerprints(layer)["bias"] != first["bias"]
    half = nn.Linear(2, 2).to(torch.bfloat16)
    assert fingerprints(half) == fingerprints(half)


class Front(nn.Module):
    """Frames of two samples, twice as loud in training."""

    def forward(self, audio: Seq) -> Seq:
        data = audio.data.unfold(1, 2, 2) * (2.0 if self.training else 1.0)
        return Seq(data, tuple(n // 2 for n in audio.lengths), audio.rate / 2)


class Heard(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.front = Front()


def test_features_are_measured_in_both_modes() -> None:
    samples = [torch.randn(20, generator=torch.Generator().manual_seed(0)), torch.ones(8)]
    utterances = tuple(Utterance(Path(f"{name}.wav")) for name in "ab")
    audio = Seq.stack(samples, 16000)
    batch = Batch(utterances, audio, torch.zeros(0, dtype=torch.int64), (0, 0))
    network = Heard().eval()
    stats = feature_stats(network, batch)
    assert stats is not None and not network.training
    assert stats.features_mode_gap == pytest.approx(1.0) and stats.features_constant == 0.5
    assert stats.features_finite == 1.0 and stats.features_normalised == 0.0
    assert feature_stats(make_network(), batch) is None


@pytest.mark.parametrize("convs", [0, 1])
def test_pictures_that_a_trunk_scales_for_itself_are_not_expected_to_be_normalised(
    convs: int,
) -> None:
    network = build(read_spec(f"lips hidden=4 layers=1 lips.convs={convs}"), symbols=5).eval()
    video = Seq.stack([torch.full([5, 28, 40], 150, dtype=torch.uint8)], rate=25)
    batch = Batch((Utterance(Path("a.wav")),), video, torch.zeros(0, dtype=torch.int64), (0,))
    stats = feature_stats(network, batch)
    assert stats is not None and stats.features_normalised == float(convs == 0)
