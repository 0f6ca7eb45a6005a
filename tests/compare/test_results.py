"""Systems and references: who is about which utterance, and what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.compare.results import Answer, System, references_of

PLACE = Path("results.jsonl")


def system(name: str, **texts: str) -> System:
    """Answers with hypotheses, all with the reference `a b`."""
    answers = [Answer(key, text, "a b", {"speaker": "s1"}) for key, text in texts.items()]
    return System.of(name, answers, PLACE, "jsonl")


def test_references_in_the_files_serve_where_no_other_is_given() -> None:
    references = references_of([system("A", u1="a"), system("B", u1="b", u2="c")])
    assert references.texts == {"u1": "a b", "u2": "a b"}
    assert references.known_fields() == ["speaker"]


def test_a_file_of_references_goes_before_them() -> None:
    given = [Answer("u1", "said", fields={"noise": "rain"})]
    references = references_of([system("A", u1="a")], given)
    assert references.texts == {"u1": "said"}
    assert references.fields["u1"] == {"noise": "rain", "speaker": "s1"}


def test_a_manifest_fills_gaps_and_differences_are_told() -> None:
    lone = System.of("A", [Answer("u1", "a", "a b"), Answer("u2", "c")], PLACE, "jsonl")
    manifest = [
        Answer("u1", "own", "other", {"noise": "rain"}),
        Answer("u2", "own", "said", {"noise": "wind"}),
        Answer("u3", "own"),
    ]
    references = references_of([lone], [], manifest)
    assert references.texts == {"u1": "a b", "u2": "said"}
    assert references.differing == {"--manifest": 1}
    assert references.fields["u2"] == {"noise": "wind"}
    given = [Answer("u1", "x"), Answer("u2", "y")]
    assert references_of([lone], given, manifest).texts == {"u1": "x", "u2": "y"}


def test_references_of_what_nobody_heard_are_kept() -> None:
    answers = [Answer("u1", "a", "a b"), Answer("u2", None, "c")]
    references = references_of([System.of("A", answers, PLACE, "jsonl")])
    assert references.texts == {"u1": "a b", "u2": "c"}


def test_references_that_differ_are_counted() -> None:
    other = System.of("B", [Answer("u1", "a", "another text")], PLACE, "jsonl")
    references = references_of([system("A", u1="a"), other])
    assert references.texts["u1"] == "a b"
    assert references.differing == {"B": 1}


def test_what_cannot_be_compared_is_told() -> None:
    without = System.of("A", [Answer("u1", "a")], PLACE, "text")
    with pytest.raises(ValueError, match="--reference FILE; there are none"):
        references_of([without])
    with pytest.raises(ValueError, match=r"none of 1 has one \(u1; references are for x\)"):
        references_of([without], [Answer("x", "text")])
    with pytest.raises(ValueError, match="u1 occurs twice"):
        System.of("A", [Answer("u1", "a"), Answer("u1", "b")], PLACE, "text")
    with pytest.raises(ValueError, match="expected hypotheses; found none"):
        System.of("A", [Answer("u1", None, "a")], PLACE, "jsonl")
