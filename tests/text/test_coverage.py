"""The coverage report: counts, places, empty texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ctcasr.text import Alphabet, measure_coverage

ENGLISH = Alphabet.english38()


@given(st.lists(st.text(max_size=20), max_size=10))
def test_counts_are_those_of_the_single_texts(texts: list[str]) -> None:
    report = measure_coverage(((f"line {i}", text) for i, text in enumerate(texts)), ENGLISH)
    missing = [ENGLISH.uncovered(text) for text in texts]
    assert report.n_utterances == len(texts)
    assert report.n_affected == sum(map(bool, missing))
    assert report.characters == {
        c: sum(m.get(c, 0) for m in missing) for c in {c for m in missing for c in m}
    }
    assert report.empty == [f"line {i}" for i, text in enumerate(texts) if not ENGLISH.encode(text)]
    assert report.complete == (not any(missing))


def test_report_names_character_count_and_the_first_utterances() -> None:
    texts = [(f"u{i}", "50 %") for i in range(5)] + [("u5", "caf\u00e9 & bar"), ("u6", "?")]
    report = measure_coverage(texts, ENGLISH)
    assert report.characters == {"%": 5, "&": 1, "?": 1}
    assert next(iter(report.characters)) == "%"
    assert report.examples["%"] == ["u0", "u1", "u2"]
    assert report.empty == ["u6"]
    text = str(report)
    assert "'%' U+0025 x5, as in u0, u1, u2" in text and "1 texts are empty" in text


def test_strict_alphabets_are_reported_too() -> None:
    assert measure_coverage([("u", "a&b")], Alphabet.english38(strict=True)).characters == {"&": 1}


def test_complete() -> None:
    report = measure_coverage([("u", "plain words 7")], ENGLISH)
    assert report.complete and "every character of 1 texts" in str(report)
