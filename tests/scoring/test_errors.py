"""Word and character errors: jiwer's counts, tallies that add, and no text that breaks them."""

from __future__ import annotations

from functools import reduce
from operator import add

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.scoring.errors import ErrorRates, ErrorTally, alignment, char_errors, word_errors

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "cat", "sat", "mat"]), max_size=7).map(" ".join)
ANYTHING = st.text(max_size=12)


def distance(a: list[str], b: list[str]) -> int:
    """Levenshtein's recurrence, as plain as can be."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def consistent(tally: ErrorTally, said: list[str], written: list[str]) -> None:
    assert tally.total == len(said)
    assert tally.hits + tally.substitutions + tally.insertions == len(written)
    assert tally.errors == distance(said, written)
    pairs = tally.confusions
    assert sum(n for (s, w), n in pairs.items() if s and w) == tally.substitutions
    assert sum(n for (s, w), n in pairs.items() if not w) == tally.deletions
    assert sum(n for (s, w), n in pairs.items() if not s) == tally.insertions
    assert all(s != w for s, w in pairs)


@pytest.mark.parametrize(
    ("said", "written", "counts"),
    [
        ("the cat sat", "the cat sat", (3, 0, 0, 0)),
        ("the cat sat", "the bat sat", (2, 1, 0, 0)),
        ("the cat sat", "the sat", (2, 0, 1, 0)),
        ("the cat sat", "the cat sat down", (3, 0, 0, 1)),
        ("the cat sat", "", (0, 0, 3, 0)),
        ("", "the cat", (0, 0, 0, 2)),
        ("", "", (0, 0, 0, 0)),
    ],
)
def test_examples(said: str, written: str, counts: tuple[int, int, int, int]) -> None:
    tally = word_errors(said, written)
    assert (tally.hits, tally.substitutions, tally.deletions, tally.insertions) == counts


@given(WORDS, WORDS)
def test_words_agree_with_jiwer_and_with_levenshtein(said: str, written: str) -> None:
    tally = word_errors(said, written)
    consistent(tally, said.split(), written.split())
    if said:
        out = jiwer.process_words(said, written)
        assert (tally.hits, tally.substitutions, tally.deletions, tally.insertions) == (
            out.hits,
            out.substitutions,
            out.deletions,
            out.insertions,
        )
        assert tally.rate == out.wer


@given(WORDS, WORDS)
def test_characters_agree_with_jiwer_and_with_levenshtein(said: str, written: str) -> None:
    tally = char_errors(said, written)
    consistent(tally, list(said), list(written))
    if said:
        assert tally.rate == jiwer.cer(said, written)


@given(ANYTHING, ANYTHING)
def test_no_text_breaks_the_counts(said: str, written: str) -> None:
    consistent(word_errors(said, written), said.split(), written.split())
    consistent(char_errors(said, written), list(said), list(written))
    assert isinstance(alignment(said, written), str)


@pytest.mark.parametrize(
    ("said", "written", "errors"),
    [
        ("a b", "a\u2423b", 1),
        ("\u2423", " ", 1),
        ("\u2423", "\u2423", 0),
        ("a\u00a0b", "a b", 1),
        ("a\tb", "a\nb", 1),
        ("\u2003", "\u2003", 0),
    ],
)
def test_unusual_characters_are_themselves(said: str, written: str, errors: int) -> None:
    assert char_errors(said, written).errors == errors


def test_rates_of_nothing() -> None:
    assert word_errors("", "").rate is None
    assert word_errors("", "a").rate is None
    assert word_errors("a", "").rate == 1.0
    assert ErrorTally().rate is None and ErrorTally().rate_or(7.0) == 7.0
    assert word_errors("a", "").rate_or(7.0) == 1.0
    assert ErrorRates().metrics()["wer"] is None
    assert "no words" in str(ErrorRates()) and str(ErrorRates.of("a", "a")).startswith("WER 0.00 %")


@given(st.lists(st.tuples(WORDS, WORDS), max_size=5))
def test_tallies_add_and_rates_come_last(pairs: list[tuple[str, str]]) -> None:
    parts = [ErrorRates.of(said, written) for said, written in pairs]
    total = reduce(add, parts, ErrorRates())
    assert total.utterances == len(pairs)
    assert total.words.errors == sum(p.words.errors for p in parts) and total.words.total == sum(
        p.words.total for p in parts
    )
    assert total.chars.errors == sum(p.chars.errors for p in parts)
    assert total.wrong == sum(bool(p.words.errors) for p in parts)
    assert total.empty == sum(bool(said) and not written for said, written in pairs)
    assert sum(total.words.confusions.values()) == total.words.errors
    said, written = [s for s, _ in pairs if s], [w for s, w in pairs if s]
    if said and len(said) == len(pairs):
        assert total.words.rate == pytest.approx(jiwer.wer(said, written))


def test_adding_equals_concatenating_where_the_seam_is_aligned() -> None:
    one, two = ("place red at", "place bed at"), ("g nine now", "g nine soon now")
    together = word_errors(" ".join((one[0], two[0])), " ".join((one[1], two[1])))
    assert word_errors(*one) + word_errors(*two) == together


def test_metrics_are_plain_data() -> None:
    metrics = (ErrorRates.of("a b c", "a x") + ErrorRates.of("d", "")).metrics()
    assert (
        metrics["wer"] == 3 / 4
        and metrics["utterances"] == 2
        and metrics["sentences_wrong"] == 2
        and metrics["empty_hypotheses"] == 1
    )
    assert metrics["words"] == {
        "substitutions": 1,
        "deletions": 2,
        "insertions": 0,
        "hits": 1,
        "total": 4,
    }


def test_alignment_shows_both_lines_and_marks_the_errors() -> None:
    text = alignment("the cat sat", "the bat sat down")
    reference, hypothesis, marks = text.rstrip("\n").split("\n")[-3:]
    assert (
        reference.startswith("REF:")
        and "cat" in reference
        and hypothesis.startswith("HYP:")
        and "down" in hypothesis
    )
    assert "S" in marks and "I" in marks
    assert "HYP: noise" in alignment("", "noise")
    assert "cat" in alignment("the cat", "")
