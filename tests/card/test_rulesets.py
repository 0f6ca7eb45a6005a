"""Other tools' ways to count, on layers that they count unlike us."""

from __future__ import annotations

import torch
from torch import nn

from ctcasr.card import OWN, RULESETS, THOP, TORCHPROFILE, count


def test_they_are_found_by_their_names() -> None:
    assert RULESETS["own"] is OWN and RULESETS["thop"] is THOP
    assert all(ruleset.explanation.endswith(".") for ruleset in RULESETS.values())


def test_recurrent_layers_are_counted_in_three_ways() -> None:
    layer = nn.LSTM(5, 7)
    macs = {}
    for name, ruleset in RULESETS.items():
        macs[name] = count(layer, lambda: layer(torch.zeros(10, 1, 5)), ruleset).macs
    assert macs["own"] == 10 * 4 * 7 * 12
    assert macs["thop"] == 10 * (4 * (12 * 7 + 2 * 7 + 7) + 4 * 7)
    assert macs[TORCHPROFILE.name] == 0
