"""Costs by hand, from shapes alone."""

from __future__ import annotations

import pytest
from torch import nn

from ctcasr.card import rules
from ctcasr.card.rules import Call, Cost


@pytest.mark.parametrize(
    ("rule", "module", "shape_in", "shape_out", "macs"),
    [
        (rules.linear, nn.Linear(8, 4), (3, 8), (3, 4), 96),
        (rules.conv, nn.Conv1d(4, 6, 3), (2, 4, 10), (2, 6, 8), 2 * 6 * 8 * 4 * 3),
        (rules.conv, nn.Conv1d(4, 4, 3, groups=4), (1, 4, 10), (1, 4, 8), 4 * 8 * 3),
        (rules.transposed, nn.ConvTranspose1d(4, 6, 3), (2, 4, 10), (2, 6, 12), 80 * 6 * 3),
        (rules.recurrent, nn.GRU(5, 7), (10, 1, 5), (10, 1, 7), 10 * 3 * 7 * 12),
        (rules.cell, nn.LSTMCell(5, 7), (2, 5), (2, 7), 2 * 4 * 7 * 12),
        (rules.nothing, nn.ReLU(), (9, 9), (9, 9), 0),
    ],
)
def test_costs_by_hand(
    rule: rules.Rule,
    module: nn.Module,
    shape_in: tuple[int, ...],
    shape_out: tuple[int, ...],
    macs: int,
) -> None:
    assert rule(Call(module, (shape_in,), (shape_out,))) == Cost(macs)


def test_two_directions_cost_twice_in_the_first_layer() -> None:
    call = Call(nn.LSTM(5, 7), ((10, 1, 5),), ((10, 1, 7),))
    both = Call(nn.LSTM(5, 7, bidirectional=True), ((10, 1, 5),), ((10, 1, 14),))
    assert rules.recurrent(both).macs == 2 * rules.recurrent(call).macs


def test_the_nearest_class_decides() -> None:
    class Mine(nn.Linear):
        pass

    ruleset = rules.RuleSet("r", "", {nn.Module: rules.nothing, nn.Linear: rules.linear})
    assert ruleset.find(Mine(2, 2), ruleset.whole) is rules.linear
    exact = rules.RuleSet("e", "", ruleset.whole, subclasses=False)
    assert exact.find(Mine(2, 2), exact.whole) is None
