from __future__ import annotations

import numpy as np
import pytest

from ctcasr.decoding.token_graph import TokenGraph
from ctcasr.text import Alphabet, InGrammar, grammar_of

ENGLISH = Alphabet.english38()


def graph_of(text: str) -> TokenGraph | None:
    return TokenGraph.of(InGrammar(grammar_of(text, ENGLISH), ENGLISH), ENGLISH)


def log_probs_of(text: str) -> np.ndarray:
    path = []
    for token in ENGLISH.encode(text):
        path += [token, ENGLISH.blank]
    return np.log(np.eye(ENGLISH.size)[path] * 0.9 + 0.1 / ENGLISH.size)


@pytest.mark.parametrize("heard", ["turn the lamp of", "the lanp on", "seventeen"])
def test_whatever_is_heard_a_sentence_is_written(heard: str) -> None:
    graph = graph_of("turn the lamp on\nturn the lamp off")
    assert graph is not None
    tokens = graph.best(np.repeat(log_probs_of(heard), 3, axis=0))
    assert tokens is not None
    assert ENGLISH.decode(tokens) in ("turn the lamp on", "turn the lamp off")


def test_repetition_is_followed() -> None:
    graph = graph_of("#JSGF; public <s> = (one | two)+ ;")
    assert graph is not None
    tokens = graph.best(log_probs_of("two one one two two one"))
    assert tokens is not None
    assert ENGLISH.decode(tokens) == "two one one two two one"


def test_common_ends_are_shared() -> None:
    long = "#JSGF; public <s> = (a | b | c) (on | off) (a | b | c) (on | off);"
    graph = graph_of(long)
    assert graph is not None
    assert len(graph.labels) < 25


def test_too_short_a_sound_has_none() -> None:
    graph = graph_of("turn the lamp on")
    assert graph is not None
    assert graph.best(log_probs_of("on")) is None
    assert graph.best(np.zeros((0, ENGLISH.size))) is None


def test_graphs_that_are_too_large_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctcasr.decoding.token_graph.MOST_PLACES", 10)
    assert graph_of("turn the lamp on") is None
