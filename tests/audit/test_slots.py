"""Texts as slots, and the tables of what each slot might hold."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.audit.scorer import log_likelihoods
from ctcasr.audit.slots import Vocabulary, slots_of, tables, text_of


def test_slots_hold_a_text_and_give_it_back():
    slots = slots_of(["bin", "blue", "now"])
    assert slots == ["", "bin", "", "blue", "", "now", ""]
    assert text_of(slots) == "bin blue now"
    assert text_of(slots_of([])) == ""


def test_a_vocabulary_knows_how_frequent_words_are():
    vocabulary = Vocabulary.of(["red red blue", "red"])
    shares = dict(zip(vocabulary.words, np.exp(vocabulary.log_shares), strict=True))
    assert shares == pytest.approx({"blue": 0.25, "red": 0.75})


def test_each_slot_is_judged_with_the_others_in_place(heard_line, spelling):
    heard = heard_line("bin blue now", "bin red now")
    vocabulary = Vocabulary.of(["bin red now", "bin blue now"])
    written = slots_of(heard.words)
    made = tables(heard, written, written, vocabulary, spelling)
    assert [table.gap for table in made] == [True, False] * 3 + [True]
    red = made[3]
    assert red.written == "red"
    assert vocabulary.words[red.words[int(np.argmax(red.nats))]] == "blue"
    without = log_likelihoods(heard, ["bin now"], spelling)[0]
    assert red.nothing == pytest.approx(without)


def test_of_a_large_vocabulary_the_nearest_words_are_tried():
    words = [f"word{number}" for number in range(300)] + ["blue", "blew", "red"]
    vocabulary = Vocabulary.of([" ".join(words)])
    near = [vocabulary.words[number] for number in vocabulary.near(["bluee"], "red")]
    assert {"blue", "blew", "red"} <= set(near) and len(near) < 70
