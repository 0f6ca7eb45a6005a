"""Utterances scored, by system."""

from __future__ import annotations

from ctcasr.compare.scores import score, shared_utterances


def test_endless_hypotheses_are_marked() -> None:
    assert score("a b c", "thank you " * 12).is_loop
    assert not score("a b c", "a b c").is_loop


def test_utterances_of_one_system_alone_are_not_shared() -> None:
    one = score("a", "a")
    scores = {"A": {"u1": one, "u2": one}, "B": {"u2": one, "u3": one}, "C": {"u3": one}}
    assert shared_utterances(scores) == {"u2", "u3"}
