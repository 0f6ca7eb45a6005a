"""Findings in the transcripts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ctcasr.batch import Utterance
from ctcasr.doctor.finding import Finding, graded, lines_of
from ctcasr.scoring.figures import plural
from ctcasr.text import Tokenizer, find_marks

_NUMBER_WORDS = frozenset(
    ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
)
_SPOKEN_SIGNS = frozenset("%&@#+=°")
_NAMED = 8  # characters in a message

# A closed grammar has at most so many words, each said so often; running text has more.
_MOST_WORDS = 500
_LEAST_USES = 5

_FEW = 0.001  # of the texts: a case so rare is a name, not a way of writing

# One text outweighs all others where it is said so often, and by such a share of the lines:
_LEAST_DOMINANT = 5
_DOMINANT = 0.5
_DOMINANT_IN_RUNNING_TEXT = 0.02
_TIMES_THE_NEXT = 3  # in a closed grammar, in which the next frequent text is said about as often


class Grammar(NamedTuple):
    """How small a closed grammar is: distinct texts, and words."""

    texts: int
    words: int


def in_texts(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> list[Finding]:
    """Everything that the texts alone tell."""
    with_text = [utterance for utterance in utterances if utterance.text is not None]
    if not with_text and utterances:
        return [_no_text(utterances)]
    filled = [utterance for utterance in with_text if _text(utterance).strip()]
    return [
        *_empty(utterances),
        *_uncovered(with_text, tokenizer),
        *_case(with_text, tokenizer),
        *_digits(with_text, tokenizer),
        *_marks(with_text),
        *_repeated(filled, tokenizer),
    ]


def road(tokenizer: Tokenizer) -> Callable[[str], str]:
    """From a text to the reference that it is learnt and scored by."""
    return lambda text: tokenizer.reference(text).text


def closed_grammar(texts: Sequence[str]) -> Grammar | None:
    """The grammar where texts come from a small one, so that repeated ones are no surprise.

    Small: at most 500 words, each said five times or more. None where they do not.

    Example:
        >>> closed_grammar(["zero one", "one zero"] * 5)
        Grammar(texts=2, words=2)
    """
    words = Counter(word for text in texts for word in text.split())
    few_words = 0 < len(words) <= _MOST_WORDS
    if few_words and words.total() >= _LEAST_USES * len(words):
        return Grammar(len(set(texts)), len(words))
    return None


def _text(utterance: Utterance) -> str:
    return utterance.text or ""


def _no_text(utterances: Sequence[Utterance]) -> Finding:
    """Not one line has a text."""
    if any(utterance.label for utterance in utterances):
        return Finding(
            "no-text",
            "warning",
            "no line has a text; they have labels, so they are for classification",
            "add a text to every line, or train a classifier",
        )
    return Finding("no-text", "error", "no line has a text", "add a text to every line")


def _empty(utterances: Sequence[Utterance]) -> list[Finding]:
    """Lines without a text, and with an empty one."""
    findings = []
    missing = [utterance for utterance in utterances if utterance.text is None]
    if missing:
        findings.append(
            Finding(
                "missing-text",
                "error",
                f"{plural(len(missing), 'line', 'have')} no text and will be left out",
                "add the texts, or delete the lines",
                lines_of(missing),
                {"count": len(missing)},
            )
        )
    empty = []
    for utterance in utterances:
        if utterance.text is not None and not utterance.text.strip():
            empty.append(utterance)
    if empty:
        findings.append(
            Finding(
                "empty-text",
                graded(len(empty), len(utterances)),
                f"{plural(len(empty), 'line', 'have')} an empty text: "
                "they teach the network to write nothing",
                "right for recordings without speech; otherwise add the texts",
                lines_of(empty),
                {"count": len(empty)},
            )
        )
    return findings


@dataclass
class _Uncovered:
    """What the alphabet cannot write: characters with counts, and utterances by what is left."""

    nothing_left: list[Utterance] = field(default_factory=list)
    spoken: list[Utterance] = field(default_factory=list)
    signs: list[Utterance] = field(default_factory=list)
    spoken_characters: Counter[str] = field(default_factory=Counter)  # of the texts in `spoken`,
    sign_characters: Counter[str] = field(default_factory=Counter)  # and in `signs`

    def add(self, utterance: Utterance, tokenizer: Tokenizer) -> None:
        """Look at one text."""
        text = _text(utterance)
        reference = tokenizer.reference(text)
        missing = reference.taken_out
        spoken = [char for char in missing if _is_spoken(char)]
        if text.strip() and not reference.text:
            self.nothing_left.append(utterance)
        elif spoken:
            self.spoken.append(utterance)
            self.spoken_characters.update(spoken)
        elif missing:
            self.signs.append(utterance)
            self.sign_characters.update(missing)


def _named(characters: Counter[str]) -> str:
    """The most frequent of some characters, in a line."""
    listed = [f"{char!r} ({count})" for char, count in characters.most_common(_NAMED)]
    more = " ..." if len(characters) > _NAMED else ""
    return ", ".join(listed) + more


def _uncovered(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> list[Finding]:
    """Characters that are not in the alphabet: whole texts, spoken ones, punctuation."""
    uncovered = _Uncovered()
    for utterance in utterances:
        uncovered.add(utterance, tokenizer)
    findings = []
    if uncovered.nothing_left:
        lost = uncovered.nothing_left
        findings.append(
            Finding(
                "uncovered-text",
                graded(len(lost), len(utterances)),
                f"of {plural(len(lost), 'text')} no character is in the alphabet, as "
                f"{lost[0].text!r}",
                "choose an alphabet that has these characters, or delete the lines",
                lines_of(lost),
                {"count": len(lost)},
            )
        )
    if uncovered.spoken:
        findings.append(
            Finding(
                "uncovered-characters",
                graded(len(uncovered.spoken), len(utterances)),
                f"{plural(len(uncovered.spoken), 'text', 'hold')} characters that are spoken and "
                f"not in the alphabet: {_named(uncovered.spoken_characters)}; they are left out, "
                "so text and sound differ",
                "write them as words, or choose an alphabet that has them",
                lines_of(uncovered.spoken),
                {
                    "count": len(uncovered.spoken),
                    "characters": dict(uncovered.spoken_characters.most_common()),
                },
            )
        )
    if uncovered.signs:
        findings.append(
            Finding(
                "uncovered-signs",
                "note",
                f"{plural(len(uncovered.signs), 'text', 'hold')} punctuation that is left out: "
                f"{_named(uncovered.sign_characters)}",
                "nothing to do",
                lines_of(uncovered.signs),
                {"characters": dict(uncovered.sign_characters.most_common())},
            )
        )
    return findings


def _is_spoken(char: str) -> bool:
    """Letters with their marks, digits and currency are said aloud; punctuation is not."""
    category = unicodedata.category(char)
    return category[0] in "LMN" or category == "Sc" or char in _SPOKEN_SIGNS


def _case(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> list[Finding]:
    """Capitals in some texts, and none in others."""
    upper = []
    other = []
    for utterance in utterances:
        text = _text(utterance)
        if not any(char.isalpha() for char in text):
            continue
        if not text.isupper():
            other.append(utterance)
        elif len(text) > 1:
            upper.append(utterance)
    fewer = upper if len(upper) < len(other) else other
    if len(fewer) < max(1, _FEW * (len(upper) + len(other))):
        return []
    folded = tokenizer.normalise("Ab") == tokenizer.normalise("aB")
    message = f"{plural(len(upper), 'text')} in capitals, {len(other)} not: "
    figures = {"upper": len(upper), "other": len(other)}
    if folded:
        message += "case is folded, so that they agree"
        return [
            Finding("mixed-case", "note", message, "nothing to do", lines_of(fewer), figures),
        ]
    message += "the alphabet keeps them apart"
    cure = "write all texts in one case"
    return [Finding("mixed-case", "warning", message, cure, lines_of(fewer), figures)]


def _digits(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> list[Finding]:
    """Numbers as digits in some texts, and as words in others, where the tokenizer keeps both."""
    digits = []
    words = []
    for utterance in utterances:
        text = tokenizer.reference(_text(utterance)).text
        if re.search("[0-9]", text):
            digits.append(utterance)
        if not _NUMBER_WORDS.isdisjoint(text.casefold().split()):
            words.append(utterance)
    if not digits or not words:
        return []
    return [
        Finding(
            "digits-and-words",
            "warning",
            f"numbers are written as digits in {plural(len(digits), 'text')} ({digits[0].text!r}) "
            f"and as words in {len(words)} ({words[0].text!r}): one sound, two spellings",
            "train with --digits spell, or spell the numbers in the manifest (by the way they are "
            "read)",
            lines_of(digits if len(digits) < len(words) else words),
            {"digits": len(digits), "words": len(words)},
        )
    ]


def _marks(utterances: Sequence[Utterance]) -> list[Finding]:
    """Remarks in brackets and marks of speakers, which become targets as if somebody said them."""
    counts: Counter[str] = Counter()
    marked = []
    for utterance in utterances:
        marks = find_marks(_text(utterance))
        counts.update(marks)
        if marks:
            marked.append(utterance)
    if not marked:
        return []
    named = ", ".join(f"{mark!r} ({count})" for mark, count in counts.most_common(_NAMED))
    return [
        Finding(
            "marks-in-texts",
            graded(len(marked), len(utterances)),
            f"{plural(len(marked), 'text', 'hold')} remarks or marks of speakers: {named}; their "
            "words are learnt and scored as if somebody said them",
            "take them out of the texts; leave lines out where nothing is left",
            lines_of(marked),
            {"count": len(marked), "marks": dict(counts.most_common())},
        )
    ]


def _repeated(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> list[Finding]:
    """The same text for many recordings: the rule in a closed grammar, else worth knowing."""
    written = []
    texts = []
    for utterance in utterances:
        text = tokenizer.reference(_text(utterance)).text
        if text:  # texts of which nothing can be written are not the same for that
            written.append(utterance)
            texts.append(text)
    grammar = closed_grammar(texts)
    counts = Counter(texts)
    repeated = {text: count for text, count in counts.items() if count > 1}
    if not repeated:
        return []
    findings = []
    top_text, top_count = counts.most_common(1)[0]
    if _is_dominant(counts, grammar):
        findings.append(
            Finding(
                "dominant-text",
                "warning",
                f"{top_text!r} is the text of {top_count} of {len(texts)} lines",
                "look whether a default was written where the text was not known",
                _lines_with(written, texts, {top_text}),
                {"text": top_text, "count": top_count},
            )
        )
        del repeated[top_text]
    if grammar is not None:
        findings.append(_closed_grammar(grammar, len(texts)))
    elif repeated:
        lines = _lines_with(written, texts, set(repeated))
        example = max(repeated, key=lambda text: repeated[text])
        findings.append(
            Finding(
                "repeated-text",
                "note",
                f"{plural(len(repeated), 'text')} found more than once, as {example!r} "
                f"({repeated[example]} times)",
                "nothing to do if people said the same",
                lines,
                {"texts": len(repeated), "lines": sum(repeated.values())},
            )
        )
    return findings


def _is_dominant(counts: Counter[str], grammar: Grammar | None) -> bool:
    """Whether the most frequent text is said so often that it may be a default.

    In a closed grammar, where texts come again, it must be said far more often than the next, or
    have words that nobody else says.
    """
    (text, count), *others = counts.most_common()
    own_words = set(text.split())
    other_words = {word for other, _ in others for word in other.split()}
    next_count = others[0][1] if others else 0
    of_its_own = len(own_words) > 1 and own_words.isdisjoint(other_words)
    share = _DOMINANT
    if grammar is None or of_its_own or count > _TIMES_THE_NEXT * next_count:
        share = _DOMINANT_IN_RUNNING_TEXT
    return count >= _LEAST_DOMINANT and count > share * counts.total()


def _lines_with(
    utterances: Sequence[Utterance], texts: Sequence[str], wanted: set[str]
) -> tuple[int, ...]:
    """Lines of the utterances whose text is one of the wanted."""
    speaking = []
    for utterance, text in zip(utterances, texts, strict=True):
        if text in wanted:
            speaking.append(utterance)
    return lines_of(speaking)


def _closed_grammar(grammar: Grammar, lines: int) -> Finding:
    return Finding(
        "closed-grammar",
        "note",
        f"a closed grammar: {plural(lines, 'line')}, {plural(grammar.texts, 'distinct text')}, "
        f"{plural(grammar.words, 'word')}; a network can lower its loss by learning the grammar "
        "alone",
        "judge by WER, and expect no recognition of other words; where words come back "
        "twenty times, --doubt names those that were not said",
        (),
        {"texts": grammar.texts, "words": grammar.words},
    )
