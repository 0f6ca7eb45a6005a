"""What a beam search is told beside the sound: a word language model, a lexicon, hotwords.

Each is an automaton over symbols. All of them follow the text that the symbols write, so they
serve characters and sentence pieces alike: a symbol shown with "_" in front (or alone: the space)
ends the word before it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple, Protocol

from ctcasr.text.lexicon import Lexicon, writable
from ctcasr.text.tokenizer import Tokenizer

_FORBIDDEN = -math.inf  # nats
# No word of a language model counts as less probable than 1e-10: one that a model without <unk>
# (1e-100 there) does not know shall not outweigh all that is heard, and leave the text empty.
_LEAST_WORD = -10 * math.log(10)  # nats


class WordModel(Protocol):
    """A language model over words, in nats; contexts are hashable. `NGram` is one."""

    def start(self) -> Any: ...

    def step(self, context: Any, word: str) -> tuple[Any, float]: ...

    def end(self, context: Any) -> float: ...


class _Part(NamedTuple):
    """What a symbol writes."""

    ends_word: bool  # the one before it
    text: str


class Words:
    """Language model, bonus per word, and lexicon; each of them may be left out.

    State: (context of the model, the word so far).

    Example:
        >>> from ctcasr.text import Alphabet
        >>> abc = Alphabet(" abc")
        >>> words = Words(abc, bonus=2.0, lexicon=Lexicon.of(["ab"], abc))
        >>> state, gain = words.step(words.start(), abc.encode("b")[0])
        >>> gain
        -inf
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        model: WordModel | None = None,
        weight: float = 0.5,
        bonus: float = 0.0,
        lexicon: Lexicon | None = None,
    ) -> None:
        self.model = model
        self.weight = weight
        self.bonus = bonus
        self.lexicon = lexicon
        self._parts = _parts_of(tokenizer)

    def start(self) -> Hashable:
        """The state before everything."""
        return (self.model.start() if self.model else None, "")

    def step(self, state: Any, token: int) -> tuple[Hashable, float]:
        """The state behind a symbol, and its nats."""
        context, word = state
        part = self._parts[token]
        gain = 0.0
        if part.ends_word:
            context, gain = self._close(context, word)
            word = ""
        word += part.text
        if self.lexicon and word not in self.lexicon.beginnings:
            gain = _FORBIDDEN
        return (context, word), gain

    def end(self, state: Any) -> float:
        """Nats of the text's end."""
        context, gain = self._close(*state)
        if self.model is None:
            return gain
        return gain + self.weight * self.model.end(context)

    def _close(self, context: Any, word: str) -> tuple[Any, float]:
        """Context and nats after a word; an empty one (a space after a space) is none."""
        if not word:
            return context, 0.0
        if self.lexicon and word not in self.lexicon.words:
            return context, _FORBIDDEN
        if self.model is None:
            return context, self.bonus
        context, nats = self.model.step(context, word)
        return context, self.weight * max(nats, _LEAST_WORD) + self.bonus


class _Match(NamedTuple):
    """How far a phrase is written."""

    text: str  # the longest end of the text that a phrase begins with
    earned: int  # characters of it whose bonus stays because they finished a phrase


_NO_MATCH = _Match("", 0)


class Hotwords:
    """`bonus` nats for every character of a phrase, given as it is written.

    It is taken back where the phrase is not finished. A phrase begins and ends with a word; one
    that lies inside a longer one counts only where the longer begins with it. State: a match, or
    None inside a word that no phrase begins with.

    Raises:
        ValueError: for no phrase, or one that the tokenizer cannot write.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> abc = Alphabet(" abc")
        >>> hotwords = Hotwords(abc, ["ab"], bonus=2.0)
        >>> state, gain = hotwords.step(hotwords.start(), abc.encode("a")[0])
        >>> gain, hotwords.end(state)
        (2.0, -2.0)
    """

    def __init__(self, tokenizer: Tokenizer, phrases: Iterable[str], bonus: float = 1.0) -> None:
        written = {writable(phrase, tokenizer, "hotwords") for phrase in phrases}
        self.bonus = bonus
        self.phrases = frozenset(written - {""})
        if not self.phrases:
            raise ValueError("hotwords: expected at least one phrase; got none")
        self._beginnings = frozenset(
            phrase[:end] for phrase in self.phrases for end in range(len(phrase) + 1)
        )
        self._parts = _parts_of(tokenizer)

    def start(self) -> Hashable:
        """The state before everything."""
        return _NO_MATCH

    def step(self, state: Any, token: int) -> tuple[Hashable, float]:
        """The state behind a symbol, and its nats."""
        part = self._parts[token]
        text = " " + part.text if part.ends_word else part.text
        gain = 0.0
        for character in text:
            state, nats = self._write(state, character)
            gain += nats
        return state, gain

    def end(self, state: Any) -> float:
        """Nats of the text's end: what was promised for an unfinished phrase is taken back."""
        match = state or _NO_MATCH
        return 0.0 if match.text in self.phrases else -self._promised(match)

    def _promised(self, match: _Match) -> float:
        """Nats given for characters that have not finished a phrase yet."""
        return self.bonus * (len(match.text) - match.earned)

    def _write(self, match: _Match | None, character: str) -> tuple[_Match | None, float]:
        word_ends = character == " "
        if match is None:
            return (_NO_MATCH if word_ends else None), 0.0
        if word_ends and (not match.text or match.text.endswith(" ")):
            return match, 0.0  # a space after a space, or before everything
        promised = self._promised(match)
        if word_ends and match.text in self.phrases:
            match = _Match(match.text, len(match.text))
            promised = 0.0
        longer = self._longest_beginning(_Match(match.text + character, match.earned))
        if longer is None:
            return (_NO_MATCH if word_ends else None), -promised
        return longer, self._promised(longer) - promised

    def _longest_beginning(self, match: _Match) -> _Match | None:
        """The match, or a phrase that begins with a later word of it; None where none does."""
        while match.text not in self._beginnings:
            cut = match.text.find(" ")
            if cut < 0 or cut == len(match.text) - 1:
                return None
            match = _Match(match.text[cut + 1 :], max(0, match.earned - cut - 1))
        return match


class ScorerSum:
    """Several automata at once: their nats add up."""

    def __init__(self, scorers: Iterable[Any]) -> None:
        self.scorers = tuple(scorers)

    def start(self) -> Hashable:
        """The states before everything."""
        return tuple(scorer.start() for scorer in self.scorers)

    def step(self, state: Any, token: int) -> tuple[Hashable, float]:
        """The states behind a symbol, and the sum of their nats."""
        states = []
        total = 0.0
        for scorer, own_state in zip(self.scorers, state, strict=True):
            next_state, nats = scorer.step(own_state, token)
            states.append(next_state)
            total += nats
        return tuple(states), total

    def end(self, state: Any) -> float:
        """The sum of the nats of the text's end."""
        ends = (scorer.end(own) for scorer, own in zip(self.scorers, state, strict=True))
        return float(sum(ends))


def _parts_of(tokenizer: Tokenizer) -> list[_Part]:
    """What every symbol writes, by its number."""
    parts = []
    for index in range(tokenizer.size):
        symbol = "" if index == tokenizer.blank else tokenizer.symbol(index)
        parts.append(_Part(symbol.startswith("_"), symbol.removeprefix("_")))
    return parts
