"""Findings in the transcripts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from ctcasr.batch import Utterance
from ctcasr.doctor.finding import Finding, graded, lines_of, plural
from ctcasr.text import Tokenizer

_NUMBER_WORDS = frozenset(
    ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
)
_SPOKEN_SIGNS = frozenset("%&@#+=°")


def in_texts(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> list[Finding]:
    """Everything that the texts alone tell."""
    with_text = [u for u in utterances if u.text is not None]
    if not with_text and utterances:
        labels = (
            "; they have labels, so they are for classification"
            if any(u.label for u in utterances)
            else ""
        )
        return [
            Finding(
                "no-text",
                "error" if not labels else "warning",
                f"no line has a text{labels}",
                "add a text to every line, or train a classifier"
                if labels
                else "add a text to every line",
            )
        ]
    return [
        *_empty(utterances),
        *_uncovered(with_text, tokenizer),
        *_case(with_text, tokenizer),
        *_digits(with_text),
        *_repeated([u for u in with_text if u.text and u.text.strip()], tokenizer),
    ]


def closed_grammar(texts: Sequence[str]) -> tuple[int, int] | None:
    """(distinct texts, words) where the texts come from a small grammar, so that repeated ones are no surprise; else None.

    Small: at most 500 words, each said five times or more; running text has more different words than that.
    """
    words = Counter(word for text in texts for word in text.split())
    if words and len(words) <= 500 and words.total() >= 5 * len(words):
        return len(set(texts)), len(words)
    return None


def _empty(utterances: Sequence[Utterance]) -> list[Finding]:
    found = []
    without = [u for u in utterances if u.text is None]
    if without:
        found.append(
            Finding(
                "missing-text",
                "error",
                f"{plural(len(without), 'line')} have no text and will be left out",
                "add the texts, or delete the lines",
                lines_of(without),
                {"count": len(without)},
            )
        )
    empty = [u for u in utterances if u.text is not None and not u.text.strip()]
    if empty:
        found.append(
            Finding(
                "empty-text",
                graded(len(empty), len(utterances)),
                f"{plural(len(empty), 'line')} have an empty text: "
                "they teach the network to write nothing",
                "right for recordings without speech; otherwise add the texts",
                lines_of(empty),
                {"count": len(empty)},
            )
        )
    return found


def _uncovered(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> list[Finding]:
    lost: Counter[str] = Counter()
    spoken, signs, nothing = [], [], []
    for u in utterances:
        text = u.text or ""
        missing = tokenizer.uncovered(text)
        lost.update(missing)
        left = sum(not c.isspace() for c in tokenizer.normalise(text)) - sum(
            n for c, n in missing.items() if not c.isspace()
        )
        if text.strip() and not left:
            nothing.append(u)
        elif any(_spoken(c) for c in missing):
            spoken.append(u)
        elif missing:
            signs.append(u)

    def named(keep: bool) -> str:
        listed = [f"{c!r} ({n})" for c, n in lost.most_common() if _spoken(c) == keep]
        return ", ".join(listed[:8]) + (" ..." if len(listed) > 8 else "")

    found, total = [], len(utterances)
    if nothing:
        found.append(
            Finding(
                "uncovered-text",
                graded(len(nothing), total),
                f"of {plural(len(nothing), 'text')} no character is in the "
                f"alphabet, as {nothing[0].text!r}",
                "choose an alphabet that has these characters, or delete the lines",
                lines_of(nothing),
                {"count": len(nothing)},
            )
        )
    if spoken:
        found.append(
            Finding(
                "uncovered-characters",
                graded(len(spoken), total),
                f"{plural(len(spoken), 'text')} hold characters that are "
                f"spoken and not in the alphabet: {named(True)}; they are left out, so text and sound differ",
                "write them as words, or choose an alphabet that has them",
                lines_of(spoken),
                {"count": len(spoken), "characters": {c: n for c, n in lost.items() if _spoken(c)}},
            )
        )
    if signs:
        found.append(
            Finding(
                "uncovered-signs",
                "note",
                f"{plural(len(signs), 'text')} hold punctuation that is left out: {named(False)}",
                "nothing to do",
                lines_of(signs),
                {"characters": {c: n for c, n in lost.items() if not _spoken(c)}},
            )
        )
    return found


def _spoken(char: str) -> bool:
    """Letters, digits, currency and the like are said aloud; punctuation is not."""
    return unicodedata.category(char)[0] in "LNS" or char in _SPOKEN_SIGNS


def _case(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> list[Finding]:
    cased = [u for u in utterances if u.text and any(c.isalpha() for c in u.text)]
    upper = [u for u in cased if u.text and u.text.isupper() and len(u.text) > 1]
    lower = [u for u in cased if u.text and not u.text.isupper()]
    if not upper or not lower or min(len(upper), len(lower)) / len(cased) < 0.001:
        return []
    fewer = upper if len(upper) < len(lower) else lower
    folded = tokenizer.normalise("Ab") == tokenizer.normalise("aB")
    return [
        Finding(
            "mixed-case",
            "note" if folded else "warning",
            f"{plural(len(upper), 'text')} in capitals, {len(lower)} not: "
            + ("case is folded, so that they agree" if folded else "the alphabet keeps them apart"),
            "nothing to do" if folded else "write all texts in one case",
            lines_of(fewer),
            {"upper": len(upper), "other": len(lower)},
        )
    ]


def _digits(utterances: Sequence[Utterance]) -> list[Finding]:
    digits = [u for u in utterances if re.search("[0-9]", u.text or "")]
    words = [
        u for u in utterances if not _NUMBER_WORDS.isdisjoint((u.text or "").casefold().split())
    ]
    if not digits or not words:
        return []
    return [
        Finding(
            "digits-and-words",
            "warning",
            f"numbers are written as digits in {plural(len(digits), 'text')} ({digits[0].text!r}) "
            f"and as words in {len(words)} ({words[0].text!r}): one sound, two spellings",
            "train with --digits spell, or spell "
            "the numbers in the manifest (by the way they are read)",
            lines_of(digits if len(digits) < len(words) else words),
            {"digits": len(digits), "words": len(words)},
        )
    ]


def _repeated(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> list[Finding]:
    """The same text for many recordings: the rule in a closed grammar, suspicious where one text outweighs all others."""
    texts = [tokenizer.normalise(u.text or "") for u in utterances]
    counts = Counter(texts)
    twice = {text: n for text, n in counts.items() if n > 1}
    if not twice:
        return []
    found = []
    grammar = closed_grammar(texts)
    top, often = counts.most_common(1)[0]
    if often >= 5 and (often > 0.5 * len(texts) or (grammar is None and often > 0.02 * len(texts))):
        those = [u for u, text in zip(utterances, texts, strict=True) if text == top]
        found.append(
            Finding(
                "dominant-text",
                "warning",
                f"{top!r} is the text of {often} of {len(texts)} lines",
                "look whether a default was written where the text was not known",
                lines_of(those),
                {"text": top, "count": often},
            )
        )
        del twice[top]
    if grammar is not None:
        found.append(
            Finding(
                "closed-grammar",
                "note",
                f"a closed grammar: {plural(len(texts), 'line')}, "
                f"{plural(grammar[0], 'distinct text')}, {plural(grammar[1], 'word')}; a network can lower its loss "
                "by learning the grammar alone",
                "judge by WER, and expect no recognition of other words",
                (),
                {"texts": grammar[0], "words": grammar[1]},
            )
        )
    elif twice:
        those = [u for u, text in zip(utterances, texts, strict=True) if text in twice]
        example, n = max(twice.items(), key=lambda item: item[1])
        found.append(
            Finding(
                "repeated-text",
                "note",
                f"{plural(len(twice), 'text')} occur more than once, as {example!r} ({n} times)",
                "nothing to do if people said the same",
                lines_of(those),
                {"texts": len(twice), "lines": len(those)},
            )
        )
    return found
