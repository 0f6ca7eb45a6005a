"""What a recogniser writes: text, words with times, tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import torch
from torch import Tensor

from ctcasr.ctc import Decoded
from ctcasr.text import Tokenizer

_MICROSECOND_DIGITS = 6
NOTHING = Decoded((), (), -math.inf)  # of a row for which a decoder has no hypothesis


@dataclass(frozen=True)
class Word:
    """One written word and when it was said, in seconds (the frames that emitted its symbols)."""

    text: str
    start_s: float
    end_s: float
    # 0..1, of its least certain symbol; None: not computed, as in streams. Two roads that write the
    # same word at the same time agree, whatever the last digit of this.
    confidence: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        # Frames times seconds leave digits that nobody measured (0.47500000000000003).
        object.__setattr__(self, "start_s", round(self.start_s, _MICROSECOND_DIGITS))
        object.__setattr__(self, "end_s", round(self.end_s, _MICROSECOND_DIGITS))


@dataclass(frozen=True)
class Hypothesis:
    """What was written: text, words with times, token ids and a log-probability.

    The score is in nats: of the best path, or as a decoder has it. The bonus is what a language
    model, a lexicon or hotwords added; the best hypothesis has the highest sum of the two.
    """

    text: str
    words: tuple[Word, ...]
    tokens: tuple[int, ...]
    score: float
    others: tuple[Hypothesis, ...] = ()  # the next best, where a decoder was asked for them
    bonus: float = 0.0

    def within(self, seconds: float) -> Hypothesis:
        """The same of a recording that lasts so long: no word, of others neither, ends later.

        The last frame of a network may stand for more than there was to hear.

        Example:
            >>> Hypothesis("yes", (Word("yes", 0.5, 1.25),), (), 0.0).within(1.0).words[0].end_s
            1.0
        """
        words = []
        for word in self.words:
            start_s = min(word.start_s, seconds)
            words.append(replace(word, start_s=start_s, end_s=min(word.end_s, seconds)))
        others = tuple(other.within(seconds) for other in self.others)
        return replace(self, words=tuple(words), others=others)


def finite_or_none(number: float, digits: int | None = None) -> float | None:
    """A score for JSON, which has no infinities: null for them, else rounded to digits, if any.

    Example:
        >>> finite_or_none(-0.12345, 3), finite_or_none(NOTHING.score)
        (-0.123, None)
    """
    if not math.isfinite(number):
        return None
    return number if digits is None else round(number, digits)


def words_of(
    tokenizer: Tokenizer,
    tokens: Sequence[int],
    frames: Sequence[tuple[int, int]],
    frame_s: float,
    confidences: Sequence[float] | None = None,
) -> tuple[Word, ...]:
    """Tokens, with first and one past the last frame of each, as words with times in seconds.

    A symbol that is shown with "_" in front begins a word. With confidences of the tokens, a word
    is as certain as the least certain of them.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> words = words_of(Alphabet("ab "), [1, 3, 2], [(0, 1), (2, 3), (4, 6)], 0.5)
        >>> [(word.text, word.start_s, word.end_s) for word in words]
        [('a', 0.0, 0.5), ('b', 2.0, 3.0)]
    """
    words: list[Word] = []
    begins = True
    for index, (token, (first, end)) in enumerate(zip(tokens, frames, strict=True)):
        symbol = tokenizer.symbol(token)
        begins = begins or symbol.startswith("_")
        text = symbol.removeprefix("_")
        if not text:
            continue
        confidence = None if confidences is None else confidences[index]
        part = Word(text, first * frame_s, end * frame_s, confidence)
        words.append(part if begins else _joined(words.pop(), part))
        begins = False
    return tuple(words)


def _joined(first: Word, second: Word) -> Word:
    """Two parts of one word."""
    confidence = None
    if first.confidence is not None and second.confidence is not None:
        confidence = min(first.confidence, second.confidence)
    return Word(first.text + second.text, first.start_s, second.end_s, confidence)


def hypothesis_of(
    tokenizer: Tokenizer, decoded: Sequence[Decoded], frame_s: float, logits: Tensor | None = None
) -> Hypothesis:
    """One row's decoded symbols, best first, as a hypothesis; the others travel with the best.

    With the row's logits [T, symbols], words get confidences.
    """
    if not decoded:
        return hypothesis_of(tokenizer, [NOTHING], frame_s)
    best = decoded[0]
    confidences = None if logits is None else token_confidences(logits, best)
    return Hypothesis(
        tokenizer.decode(best.tokens),
        words_of(tokenizer, best.tokens, best.frames, frame_s, confidences),
        best.tokens,
        best.score,
        tuple(hypothesis_of(tokenizer, [other], frame_s, logits) for other in decoded[1:]),
        best.bonus,
    )


@torch.no_grad()
def token_confidences(logits: Tensor, decoded: Decoded) -> list[float]:
    """The highest posterior of each token in the frames that emitted it, of logits [T, symbols].

    One transfer from the device, of as many numbers as there are such frames.

    Example:
        >>> logits = torch.tensor([[0.0, 2.0], [0.0, 1.0], [3.0, 0.0]])
        >>> [round(value, 3) for value in token_confidences(logits, Decoded((1,), ((0, 2),), 0.0))]
        [0.881]
    """
    frames: list[int] = []
    tokens: list[int] = []
    for token, (first, end) in zip(decoded.tokens, decoded.frames, strict=True):
        frames += range(first, end)
        tokens += [token] * (end - first)
    if not frames:
        return []
    rows = logits.detach()[torch.tensor(frames, device=logits.device)].float()
    posteriors = rows.softmax(1).gather(1, torch.tensor(tokens, device=logits.device)[:, None])
    remaining = iter(posteriors[:, 0].tolist())
    return [max(islice(remaining, end - first)) for first, end in decoded.frames]
