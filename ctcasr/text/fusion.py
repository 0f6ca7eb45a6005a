"""What a beam search is told beside the sound: a word language model, a lexicon, hotwords; each an automaton over symbols.

All of them follow the text that the symbols write, so they serve characters and sentence pieces alike: a symbol shown with
"_" in front (or alone: the space) ends the word before it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from typing import Any, Protocol

from ctcasr.text.lexicon import Lexicon
from ctcasr.text.tokenizer import Tokenizer


class WordModel(Protocol):
    """A language model over words, in nats; contexts are hashable. `NGram` is one."""

    def start(self) -> Any: ...

    def step(self, context: Any, word: str) -> tuple[Any, float]: ...

    def end(self, context: Any) -> float: ...


class Words:
    """Language model, bonus per word, and lexicon; each of them may be left out. State: (context, the word so far)."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        model: WordModel | None = None,
        weight: float = 0.5,
        bonus: float = 0.0,
        lexicon: Lexicon | None = None,
    ) -> None:
        self.model, self.weight, self.bonus, self.lexicon = model, weight, bonus, lexicon
        self._parts = _parts(tokenizer)

    def start(self) -> Hashable:
        return (self.model.start() if self.model else None, "")

    def step(self, state: Any, token: int) -> tuple[Hashable, float]:
        (context, word), (begins, text) = state, self._parts[token]
        gain = 0.0
        if begins:
            context, gain = self._close(context, word)
            word = ""
        word += text
        if self.lexicon and word not in self.lexicon.beginnings:
            gain = -math.inf
        return (context, word), gain

    def end(self, state: Any) -> float:
        context, gain = self._close(*state)
        return gain + (self.weight * self.model.end(context) if self.model else 0.0)

    def _close(self, context: Any, word: str) -> tuple[Any, float]:
        """Context and nats after a word is finished; an empty one (a space after a space) is none."""
        if not word:
            return context, 0.0
        if self.lexicon and word not in self.lexicon.words:
            return context, -math.inf
        if self.model is None:
            return context, self.bonus
        context, value = self.model.step(context, word)
        return context, (self.weight * value if self.weight else 0.0) + self.bonus


class Hotwords:
    """`bonus` nats for every character of a phrase, given as it is written and taken back where the phrase is not finished.

    A phrase begins and ends with a word; one that lies inside a longer one counts only where the longer begins with it.
    State: (the longest end of the text that a phrase begins with, characters of it whose bonus is kept because they
    finished a phrase), or None inside a word that no phrase begins with.
    """

    def __init__(self, tokenizer: Tokenizer, phrases: Iterable[str], bonus: float = 1.0) -> None:
        self.bonus = bonus
        self.phrases = frozenset(
            text for phrase in phrases if (text := tokenizer.normalise(phrase))
        )
        if not self.phrases:
            raise ValueError("hotwords: expected at least one phrase; got none")
        self._beginnings = frozenset(
            phrase[:n] for phrase in self.phrases for n in range(len(phrase) + 1)
        )
        self._parts = _parts(tokenizer)

    def start(self) -> Hashable:
        return ("", 0)

    def step(self, state: Any, token: int) -> tuple[Hashable, float]:
        begins, text = self._parts[token]
        gain = 0.0
        for char in (" " if begins else "") + text:
            state, more = self._write(state, char)
            gain += more
        return state, gain

    def end(self, state: Any) -> float:
        matched, kept = state or ("", 0)
        return 0.0 if matched in self.phrases else -self.bonus * (len(matched) - kept)

    def _write(self, state: Any, char: str) -> tuple[Any, float]:
        matched, kept = state or ("", 0)
        if state is None:
            return (("", 0) if char == " " else None), 0.0
        if char == " " and (not matched or matched.endswith(" ")):
            return state, 0.0  # a space after a space, or before everything
        pending = self.bonus * (len(matched) - kept)
        if char == " " and matched in self.phrases:
            kept, pending = len(matched), 0.0
        whole = matched + char
        while whole not in self._beginnings:
            # What was promised is taken back; the phrase may begin with a later word of what was matched.
            cut = whole.find(" ")
            if cut < 0 or cut == len(whole) - 1:
                return (("", 0) if char == " " else None), -pending
            whole, kept = whole[cut + 1 :], max(0, kept - cut - 1)
        return (whole, kept), self.bonus * (len(whole) - kept) - pending


class ScorerSum:
    """Several automata at once: their nats add up."""

    def __init__(self, scorers: Iterable[Any]) -> None:
        self.scorers = tuple(scorers)

    def start(self) -> Hashable:
        return tuple(scorer.start() for scorer in self.scorers)

    def step(self, state: Any, token: int) -> tuple[Hashable, float]:
        steps = [scorer.step(one, token) for scorer, one in zip(self.scorers, state, strict=True)]
        return tuple(one for one, _ in steps), sum(gain for _, gain in steps)

    def end(self, state: Any) -> float:
        return float(sum(scorer.end(one) for scorer, one in zip(self.scorers, state, strict=True)))


def _parts(tokenizer: Tokenizer) -> list[tuple[bool, str]]:
    """Of every symbol: whether it ends the word before it, and what it writes."""
    symbols = [
        "" if index == tokenizer.blank else tokenizer.symbol(index)
        for index in range(tokenizer.size)
    ]
    return [(symbol.startswith("_"), symbol.removeprefix("_")) for symbol in symbols]
