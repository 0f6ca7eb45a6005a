"""What texts alone tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.batch import Utterance
from ctcasr.doctor.finding import Finding
from ctcasr.doctor.texts import closed_grammar, in_texts, road
from ctcasr.text import Alphabet

ALPHABET = Alphabet.english38()


def lines(*texts: str | None, label: str | None = None) -> list[Utterance]:
    return [
        Utterance(Path(f"{number}.wav"), text=text, label=label, where=f"m.jsonl:{number}")
        for number, text in enumerate(texts, start=1)
    ]


def findings(*texts: str | None) -> dict[str, Finding]:
    return {finding.slug: finding for finding in in_texts(lines(*texts), ALPHABET)}


@pytest.mark.parametrize("texts", [("one day", "a longer text"), ()])
def test_plain_texts_are_no_finding(texts: tuple[str, ...]) -> None:
    assert not findings(*texts)


def test_labels_without_texts_are_for_classification() -> None:
    (error,) = in_texts(lines(None, None), ALPHABET)
    (warning,) = in_texts(lines(None, None, label="dog"), ALPHABET)
    assert (error.slug, error.severity) == ("no-text", "error")
    assert (warning.slug, warning.severity) == ("no-text", "warning")


def test_missing_and_empty_texts_are_two_things() -> None:
    result = findings("a word", None, " ")
    assert result["missing-text"].lines == (2,) and result["empty-text"].lines == (3,)


def test_what_is_lost_is_told_by_what_it_means() -> None:
    result = findings("five %", "жуки", "it is, so", "plain")
    assert result["uncovered-characters"].lines == (1,)
    assert result["uncovered-text"].lines == (2,)
    assert result["uncovered-signs"].lines == (3,) and result["uncovered-signs"].severity == "note"
    figures = result["uncovered-characters"].figures
    assert figures["characters"] == {"%": 1}, "characters of those texts, and of no others"
    assert result["uncovered-signs"].figures["characters"] == {",": 1}


def test_signs_that_nobody_says_are_punctuation() -> None:
    result = findings("so it goes <unk>", "a | b", "a ~ b", "five €", "a+b")
    assert result["uncovered-signs"].lines == (1, 2, 3)
    assert result["uncovered-characters"].lines == (4, 5)


def test_texts_of_which_nothing_is_left_are_not_one_text() -> None:
    assert set(findings(*("αβγ", "δεζ", "ηθι") * 2)) == {"uncovered-text"}


def test_digits_beside_words_name_the_fewer() -> None:
    assert findings("take 7", "take seven now", "or eight")["digits-and-words"].lines == (1,)


def test_digits_and_words_are_those_that_are_learnt() -> None:
    assert findings("call 7", "Seven, please", "or eight")["digits-and-words"].lines == (1,)
    assert "digits-and-words" not in {
        finding.slug for finding in in_texts(lines("take 7", "or seven"), Alphabet.english29())
    }


def test_digits_beside_words_are_one_thing_to_a_tokenizer_that_spells() -> None:
    spelling = Alphabet.english38(digits="spell")
    assert not in_texts(lines("take 7", "take seven now", "or eight"), spelling)


def test_remarks_and_marks_of_speakers_are_told() -> None:
    result = findings("spk1: well [noise]", "it is", "[noise] (inaudible)", "as it was")
    finding = result["marks-in-texts"]
    assert finding.lines == (1, 3) and finding.figures["marks"]["[noise]"] == 2
    assert "'[noise]' (2), 'spk1:' (1)" in finding.message


def test_invisible_characters_are_told_by_their_code() -> None:
    finding = findings("it\u200b is", "as it was")["uncovered-signs"]
    assert "'\\u200b' (1)" in finding.message


def test_a_text_with_and_without_a_full_stop_is_one_text() -> None:
    written = road(ALPHABET)
    assert written("It is so.") == written("it is\u200b so") == "it is so"


def test_capitals_in_some_texts() -> None:
    assert findings("ALL OF IT", "some of it", "and more")["mixed-case"].lines == (1,)
    assert not findings("I", "some of it")  # one letter is no way of writing


def test_one_text_for_half_of_the_lines_is_a_default() -> None:
    texts = [f"{word} is said" for word in "abcd"] + ["unknown"] * 5
    assert findings(*texts)["dominant-text"].lines == (5, 6, 7, 8, 9)


def test_a_small_grammar_repeats_itself() -> None:
    assert closed_grammar(["zero", "one"] * 5) == (2, 2)
    assert closed_grammar(["zero", "one"] * 4) is None and closed_grammar([]) is None
    assert set(findings(*["zero", "one"] * 5)) == {"closed-grammar"}
    assert set(findings("it is so", "it is so", "or not")) == {"repeated-text"}
