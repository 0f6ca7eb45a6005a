from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.decoding.commands import Commands, accepted_share, choose_threshold
from ctcasr.seq import Seq
from ctcasr.text import Alphabet

ALPHABET = Alphabet.english38()
CERTAINTIES = st.lists(st.floats(-50, 0), min_size=1, max_size=30)


def logits_of(*texts: str) -> Seq:
    """Logits of a network that is sure of these texts: each symbol, then a blank."""
    rows = []
    for text in texts:
        path = []
        for token in ALPHABET.encode(text):
            path += [token, ALPHABET.blank]
        rows.append(10.0 * torch.eye(ALPHABET.size)[path or [ALPHABET.blank] * 4])
    return Seq.stack(rows, 25)


def test_a_sentence_is_written_and_another_refused() -> None:
    decoder = Commands("turn it on\nturn it off", threshold=-2.0).decoder(ALPHABET)
    on, other, nearly, silence = decoder(
        logits_of("turn it on", "where am i going now", "turn it onn", "")
    )
    assert ALPHABET.decode(on[0].tokens) == "turn it on"
    assert other == []
    assert ALPHABET.decode(nearly[0].tokens) == "turn it on"
    assert silence == []


def test_without_a_threshold_the_best_sentence_is_always_written() -> None:
    decoder = Commands("turn it on\nturn it off").decoder(ALPHABET)
    ((best, *_),) = decoder(logits_of("where am i going now"))
    assert ALPHABET.decode(best.tokens).startswith("turn it")


def test_certainties_order_by_likeness() -> None:
    decoder = Commands("turn it on").decoder(ALPHABET)
    logits = logits_of("turn it on", "turn it in", "seventy green")
    certainties = []
    for row, sentence in enumerate(decoder.best(logits)):
        assert sentence is not None
        certainties.append(decoder.certainty(decoder.spelled(sentence.tokens, [logits.row(row)])))
    same, near, far = certainties
    assert same == pytest.approx(0.0, abs=0.1)
    assert same > near > far


def test_what_the_network_is_not_sure_of_is_refused_even_where_it_has_no_better_idea() -> None:
    decoder = Commands("turn it on\nturn it off", threshold=-1.0).decoder(ALPHABET)
    sure = logits_of("turn it on")
    doubtful = sure.with_data(0.2 * sure.data)  # the same best path, hardly better than others
    assert [len(row) for row in (*decoder(sure), *decoder(doubtful))] == [1, 0]


@given(CERTAINTIES, CERTAINTIES, st.floats(0, 1))
def test_no_more_is_falsely_accepted_than_asked(
    wanted: list[float], foreign: list[float], share: float
) -> None:
    threshold = choose_threshold(wanted, foreign, share)
    assert accepted_share(foreign, threshold) <= share


def test_what_can_be_told_apart_is() -> None:
    threshold = choose_threshold([-0.5, -1.0], [-3.0, -9.0], 0.0)
    assert threshold == -2.0
    assert choose_threshold([-0.5], [-3.0], 1.0) == -1.75


def test_as_few_as_can_be_are_missed_and_falsely_accepted_together() -> None:
    wanted, foreign = [-0.1, -0.6, -0.7, -0.8], [-0.4, -3.0, -3.0, -3.0]
    assert choose_threshold(wanted, foreign, 0.5) == pytest.approx(-1.9)
    assert choose_threshold(wanted, foreign, 0.0) == pytest.approx(-0.25)  # if none may be


def test_what_cannot_be_told_apart_is_refused() -> None:
    threshold = choose_threshold([-2.0, -2.0], [-1.0], 0.0)
    assert accepted_share([-2.0, -1.0], threshold) == 0.0
    assert math.isfinite(choose_threshold([-math.inf], [-math.inf], 0.0))


def test_no_certainties_are_refused() -> None:
    with pytest.raises(ValueError, match="certainties of both kinds"):
        choose_threshold([], [-1.0], 0.1)


def test_state_makes_the_same() -> None:
    commands = Commands("on\noff", -1.5, speeds=(0.9, 1.0, 1.1))
    assert Commands.from_state(commands.to_state()) == commands


def test_a_state_of_before_there_were_speeds_is_heard_at_one() -> None:
    state = Commands("on\noff", -1.5).to_state()
    del state["speeds"]
    assert Commands.from_state(state) == Commands("on\noff", -1.5)


def test_a_threshold_of_another_measure_is_left_out_and_told() -> None:
    with pytest.warns(UserWarning, match="teach it anew"):
        commands = Commands.from_state({"grammar": "on\noff", "threshold": 0.4})
    assert commands == Commands("on\noff")
