"""What single words are called, and what should stand in their place."""

from __future__ import annotations

from ctcasr.audit.correction import Line, correct_lines
from ctcasr.audit.kinds import MISSING, SUBSTITUTED, SUPERFLUOUS
from ctcasr.audit.slots import Vocabulary, tables
from ctcasr.audit.textnoise import Texts, text_table
from ctcasr.audit.words import judge_words

WRONG = {
    12: ("bin blue two red now", "bin blue one red now"),
    20: ("set green two soon", "set green please two soon"),
    28: ("lay white two red again", "lay white red again"),
}


def judged_lines(corpus_of, spelling, unknown: frozenset[int] = frozenset()) -> list[Line]:
    heard = corpus_of(WRONG)
    texts = Texts.of([line.text for line in heard])
    vocabulary = Vocabulary.of(texts.texts)
    lines = []
    for one in heard:
        line = Line(one, text_table(one, texts, spelling))
        line.context = line.written
        line.slots = tables(one, line.written, line.context, vocabulary, spelling)
        lines.append(line)
    correct_lines(lines, lines, vocabulary, spelling)
    single = [line for number, line in enumerate(lines, start=1) if number not in unknown]
    judge_words(single, lines, vocabulary)
    return lines


def test_each_kind_of_wrong_word_is_named(corpus_of, spelling):
    lines = judged_lines(corpus_of, spelling)
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


def test_words_of_lines_that_say_nothing_of_the_shares_are_judged_too(corpus_of, spelling):
    lines = judged_lines(corpus_of, spelling, unknown=frozenset({12}))
    wrong = [word.written for word in lines[11].words if word.wrong > 0.5]
    assert wrong == ["one"]
