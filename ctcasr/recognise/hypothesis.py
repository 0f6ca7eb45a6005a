"""What a recogniser writes: text, words with times, tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ctcasr.ctc import Decoded
from ctcasr.text import Tokenizer

NOTHING = Decoded((), (), -math.inf)  # of a row for which a decoder has no hypothesis


@dataclass(frozen=True)
class Word:
    """One written word and when it was said, in seconds (the frames that emitted its symbols)."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Hypothesis:
    """What was written: text, words with times, token ids and a log-probability.

    The score is in nats: of the best path, or as a decoder has it.
    """

    text: str
    words: tuple[Word, ...]
    tokens: tuple[int, ...]
    score: float
    others: tuple[Hypothesis, ...] = ()  # the next best, where a decoder was asked for them


def words_of(
    tokenizer: Tokenizer, tokens: Sequence[int], frames: Sequence[tuple[int, int]], frame_s: float
) -> tuple[Word, ...]:
    """Tokens, with first and one past the last frame of each, as words with times in seconds.

    A symbol that is shown with "_" in front begins a word.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> words_of(Alphabet("ab "), [1, 3, 2], [(0, 1), (2, 3), (4, 6)], 0.5)
        (Word(text='a', start_s=0.0, end_s=0.5), Word(text='b', start_s=2.0, end_s=3.0))
    """
    words: list[Word] = []
    begins = True
    for token, (first, end) in zip(tokens, frames, strict=True):
        symbol = tokenizer.symbol(token)
        begins = begins or symbol.startswith("_")
        text = symbol.removeprefix("_")
        if not text:
            continue
        if begins:
            words.append(Word(text, first * frame_s, end * frame_s))
        else:
            open_word = words.pop()
            words.append(Word(open_word.text + text, open_word.start_s, end * frame_s))
        begins = False
    return tuple(words)


def hypothesis_of(tokenizer: Tokenizer, decoded: Sequence[Decoded], frame_s: float) -> Hypothesis:
    """One row's decoded symbols, best first, as a hypothesis; the others travel with the best."""
    if not decoded:
        return hypothesis_of(tokenizer, [NOTHING], frame_s)
    best = decoded[0]
    return Hypothesis(
        tokenizer.decode(best.tokens),
        words_of(tokenizer, best.tokens, best.frames, frame_s),
        best.tokens,
        best.score,
        tuple(hypothesis_of(tokenizer, [other], frame_s) for other in decoded[1:]),
    )
