"""What a recogniser writes: text, words with times, tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctcasr.text import Tokenizer


@dataclass(frozen=True)
class Word:
    """One written word and when it was said, in seconds (the frames in which its symbols were emitted)."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Hypothesis:
    """What was written: text, words with times, token ids, and a log-probability in nats (of the best path, or as a decoder has it)."""

    text: str
    words: tuple[Word, ...]
    tokens: tuple[int, ...]
    score: float
    others: tuple[Hypothesis, ...] = ()  # the next best, where a decoder was asked for them


def words_of(
    tokenizer: Tokenizer, tokens: Sequence[int], frames: Sequence[tuple[int, int]], frame_s: float
) -> tuple[Word, ...]:
    """Tokens, with first and one past the last frame of each, as words: a symbol that is shown with "_" in front begins one."""
    words = list[Word]()
    begin = True
    for token, (first, last) in zip(tokens, frames, strict=True):
        symbol = tokenizer.symbol(token)
        begin = begin or symbol.startswith("_")
        if text := symbol.removeprefix("_"):
            if begin:
                words.append(Word(text, first * frame_s, last * frame_s))
            else:
                words[-1] = Word(words[-1].text + text, words[-1].start_s, last * frame_s)
            begin = False
    return tuple(words)
