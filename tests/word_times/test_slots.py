"""Words as states, and the slots that hold them."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.word_times import Doubts, learn_doubts
from ctcasr.word_times.fit import Spoken, spoken_of
from ctcasr.word_times.slots import NEVER, NOISE_STATES, Lexicon, Slots
from tests.word_times.tones import RATE, say


@pytest.fixture(scope="module")
def spoken() -> list[Spoken]:
    sayings = [say(seed) for seed in range(24)]
    return spoken_of([(said.samples, said.words) for said in sayings], RATE)


@pytest.fixture(scope="module")
def doubts(spoken: list[Spoken]) -> Doubts:
    learnt = learn_doubts(spoken, RATE)
    assert learnt is not None
    return learnt


def test_a_lexicon_has_the_states_of_each_word_and_ends_with_what_is_no_word(
    doubts: Doubts,
) -> None:
    lexicon = Lexicon.of(("low", "high"), doubts.aligner)
    assert lexicon.words == ("low", "high")
    for number, word in enumerate(lexicon.words):
        own = lexicon.columns[number, : lexicon.counts[number]].tolist()
        assert own == list(doubts.aligner.columns_of(word))
    assert lexicon.counts[-1] == NOISE_STATES
    assert set(lexicon.columns[-1, :NOISE_STATES].tolist()) == {lexicon.noise}


def test_a_slot_that_may_hold_any_word_holds_what_is_said(
    doubts: Doubts, spoken: list[Spoken]
) -> None:
    lexicon = Lexicon.of(("low", "high", "rise"), doubts.aligner)
    anything = np.zeros((4, 4))
    anything[:, -1] = NEVER
    for one in spoken[:4]:
        path = Slots(lexicon, anything, np.full(4, NEVER)).path(doubts.scores(one.heard))
        assert path is not None
        assert path.words == one.words


def test_what_needs_too_much_memory_has_no_path(
    doubts: Doubts, spoken: list[Spoken], monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = doubts.slots(spoken[0].words)
    scores = doubts.scores(spoken[0].heard)
    assert slots.path(scores) is not None
    monkeypatch.setattr("ctcasr.word_times.slots.MOST_CELLS", 10)
    assert slots.path(scores) is None
    assert doubts.said(spoken[0].heard, ("low",)) == ("low",)  # and is believed
