"""Multiply-adds: by hand, by published numbers, and what is not known is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ctcasr.card import OWN, THOP, TORCHPROFILE, Count, RuleSet, count, find_subject
from ctcasr.seq import Seq


def own(network: nn.Module, *inputs: Tensor) -> Count:
    return count(network, lambda: network(*inputs), OWN)


@pytest.mark.parametrize(
    ("network", "shape", "macs"),
    [
        (lambda: nn.LSTM(40, 128, batch_first=True), (1, 100, 40), 8_601_600),
        (lambda: nn.GRU(40, 128, batch_first=True, bidirectional=True), (1, 100, 40), 12_902_400),
        (lambda: nn.Conv1d(40, 64, 3), (1, 40, 100), 752_640),
        (lambda: nn.ConvTranspose1d(64, 1, 16, 8), (1, 64, 100), 102_400),
        (
            lambda: nn.RNN(40, 128, 2, batch_first=True),
            (1, 100, 40),
            100 * 128 * (40 + 128 + 128 + 128),
        ),
        (
            lambda: nn.LSTM(40, 128, proj_size=32, batch_first=True),
            (1, 100, 40),
            100 * (4 * 128 * (40 + 32) + 128 * 32),
        ),
        (
            lambda: nn.Conv2d(8, 12, 3, padding=1, groups=4),
            (2, 8, 5, 7),
            2 * 5 * 7 * 12 * 2 * 9,
        ),  # taps on the padding count
        (lambda: nn.Linear(5, 7), (3, 4, 5), 3 * 4 * 5 * 7),
        (lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.BatchNorm1d(7)), (3, 5), 3 * 5 * 7),
    ],
)
def test_by_hand(network: Callable[[], nn.Module], shape: tuple[int, ...], macs: int) -> None:
    found = own(network(), torch.zeros(shape))
    assert found.macs == macs and not found.unknown


def test_attention_is_four_projections_scores_and_their_sum() -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    query, key = torch.zeros(3, 5, 8), torch.zeros(3, 7, 8)
    assert own(layer, query, key, key).macs == 3 * (2 * 5 * 64 + 2 * 7 * 64 + 2 * 5 * 7 * 8)


def test_the_fused_way_of_a_transformer_hides_nothing() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    assert own(layer, torch.zeros(1, 5, 8)).macs == 4 * 5 * 64 + 2 * 25 * 8 + 2 * 5 * 8 * 16


class Odd(nn.Module):
    """Has a weight of its own, which no rule knows."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.inside = nn.Parameter(torch.ones(3, 3)), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x) @ self.weight


def test_what_has_no_rule_is_named_and_what_is_in_it_counted() -> None:
    found = own(nn.Sequential(Odd(), nn.ReLU()), torch.zeros(2, 3))
    assert found.unknown == {"0": "Odd"} and found.macs == 2 * 9


def test_counting_leaves_no_trace() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    own(network, torch.randn(4, 3))
    assert network.training and all(
        torch.equal(before[name], tensor) for name, tensor in network.state_dict().items()
    )
    assert not any(module._forward_hooks for module in network.modules())


def enhanced(name: str, samples: int, frames: int, rules: RuleSet) -> Count:
    subject = find_subject(name)
    clip = subject.clip(samples, frames)
    return count(subject.model, lambda: subject.model(*clip), rules)


@pytest.mark.parametrize(
    ("name", "macs"), [("avse_lstm12", 10_302_633_984), ("avse_lstm8", 7_471_478_784)]
)
def test_the_published_systems_for_three_seconds(name: str, macs: int) -> None:
    found = enhanced(name, 48_000, 75, OWN)
    assert found.macs == macs and found.fft == 0 and not found.unknown


def test_torchprofile_comes_within_ten_of_the_published_number() -> None:
    assert abs(enhanced("avse_lstm12", 40_800, 75, TORCHPROFILE).macs - 10_037_545_066) <= 10


def test_thop_gives_the_published_number() -> None:
    assert enhanced("avse_lstm8", 48_000, 75, THOP).macs == 7_569_966_080


def test_fourier_transforms_stand_by_themselves() -> None:
    subject = find_subject("mask_tiny")
    found = count(subject.model, lambda: subject.model(*subject.clip(16_000)), OWN)
    frames = (16_000 + 256) // 256 + 1
    assert found.fft == 2 * frames * 512 * 9
    assert found.by_type["MaskEnhancer"] == 2 * frames * 257 * 40  # mel filters there and back
    assert found.macs == found.by_type.total() == sum(found.by_place.values())


@pytest.mark.parametrize(
    "name",
    [
        "default",
        "lifted",
        "report_v_gru",
        "kws_cnn",
        "kws_bcresnet",
        "sound_small",
        "mask",
        "dualpath_causal",
    ],
)
def test_no_network_of_ours_holds_what_we_cannot_count(name: str) -> None:
    subject = find_subject(name)
    clip: Any = subject.clip(round((subject.clip_s or 0.5) * subject.rate_hz))
    found = count(subject.model, lambda: subject.model(*clip), OWN)
    assert (found.macs > 0 and found.fft > 0) or name == "dualpath_causal"
    assert not found.unknown


def test_a_recognisers_count_is_that_of_its_layers() -> None:
    subject = find_subject("report_v_gru")
    found = count(
        subject.model, lambda: subject.model(Seq.stack([torch.zeros(16_000)], 16_000)), OWN
    )
    frames = 101
    assert found.macs == frames * (3 * 128 * (257 + 128) + 2 * 128 * 128 + 128 * 38)
