"""Tables of different widths side by side."""

from __future__ import annotations

import numpy as np

from ctcasr.audit.slotarrays import SlotArrays
from ctcasr.audit.slots import SlotTable, Vocabulary

VOCABULARY = Vocabulary.of(["red", "blue", "blue"])


def test_slots_of_different_widths_are_filled_up():
    gap = SlotTable("", -1.0, np.array([0]), np.array([-5.0]))
    word = SlotTable("red", -2.0, np.array([0, 1]), np.array([-4.0, -3.0]))
    arrays = SlotArrays([[gap, word, gap], [gap]], VOCABULARY)
    assert arrays.line.tolist() == [0, 0, 0, 1] and arrays.line_count == 2
    assert arrays.gap.tolist() == [True, False, True, True]
    assert arrays.nats.tolist()[:2] == [[-5.0, -np.inf], [-4.0, -3.0]]
    assert arrays.own.tolist()[1] == [False, True]  # blue, red
    assert arrays.other.tolist()[:2] == [[True, False], [True, False]]
    assert arrays.shares[0, 1] == 0
    assert arrays.word_share == 0.25


def test_no_slots_are_no_words():
    arrays = SlotArrays([], VOCABULARY)
    assert arrays.nats.shape[0] == 0 and arrays.word_share == 0.5
