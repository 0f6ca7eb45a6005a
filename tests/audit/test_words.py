"""What single words are called, and what should stand in their place."""

from __future__ import annotations

import pytest

from ctcasr.audit.correction import correct_lines
from ctcasr.audit.kinds import MISSING, SUBSTITUTED, SUPERFLUOUS, WordVerdict
from ctcasr.audit.words import judge_words, words_of_line


def judge_all(lines, vocabulary, spelling, unknown: frozenset[int] = frozenset()) -> None:
    """Correct and judge the words of lines, of which some say nothing of the shares."""
    correct_lines(lines, lines, vocabulary, spelling)
    single = [line for number, line in enumerate(lines, start=1) if number not in unknown]
    judge_words(single, lines, vocabulary)


def test_each_kind_of_wrong_word_is_named(lines, vocabulary, spelling):
    judge_all(lines, vocabulary, spelling)
    found = {}
    for number, line in enumerate(lines, start=1):
        assert len(line.words) == 2 * len(line.heard.words) + 1
        for word in line.words:
            if word.wrong > 0.5:
                found[number] = (word.kind, word.place, word.written, word.suggestion)
    assert found == {
        12: (SUBSTITUTED, 2, "one", "two"),
        20: (SUPERFLUOUS, 2, "please", ""),
        28: (MISSING, 2, "", "two"),
    }


def test_words_of_lines_that_say_nothing_of_the_shares_are_judged_too(lines, vocabulary, spelling):
    judge_all(lines, vocabulary, spelling, unknown=frozenset({12}))
    wrong = [word.written for word in lines[11].words if word.wrong > 0.5]
    assert wrong == ["one"]


def test_of_a_swapped_line_what_differs_from_its_partner_is_wrong():
    words = []
    for place, written in enumerate(["bin", "blue", "one"]):
        words.append(WordVerdict(place, "", 0.1, MISSING, "please"))
        words.append(WordVerdict(place, written, 0.2, SUBSTITUTED, "two"))
    assert words_of_line(words, swapped=0.0, partner="set blue at one") == words
    assert words_of_line(words, swapped=0.5, partner="") == words  # nobody's
    swapped = words_of_line(words, swapped=1.0, partner="set blue at one")
    assert [word.wrong for word in swapped] == [0, 1, 0, 0, 1, 0]
    assert (swapped[1].kind, swapped[1].suggestion) == (SUBSTITUTED, "set")
    assert (swapped[4].kind, swapped[4].suggestion) == (MISSING, "at")
    perhaps = words_of_line(words, swapped=0.5, partner="bin one")
    assert [word.wrong for word in perhaps] == pytest.approx([0.05, 0.1, 0.05, 0.6, 0.05, 0.1])
    assert (perhaps[3].kind, perhaps[3].suggestion) == (SUPERFLUOUS, "")
    hardly = words_of_line(words, swapped=0.05, partner="bin one")
    assert (hardly[3].kind, hardly[3].suggestion) == (SUBSTITUTED, "two")
