"""Random texts to be said: words as they follow each other in given lines, single letters and digits among them."""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Iterable
from random import Random

from ctcasr.data.synth import DIGITS

# How many of the words are letters and digits, and in what share of the texts.
_SYMBOLS = ((0.0, 0.7), (0.5, 0.2), (1.0, 0.1))
_SPOKEN = {
    "a": "eh",
    "z": "zed",
}  # eSpeak NG takes a lone "a" for the article; both names of z are heard


class WordTexts:
    """Texts of a first-order word chain over `lines` (transcripts, a word list with one word a line, prose); `symbols` turns letters on.

    A line's first words begin a text, its end is followed by another beginning. ValueError for lines without a word.
    """

    def __init__(self, lines: Iterable[str], symbols: bool = True) -> None:
        follow: dict[str, list[str]] = defaultdict(list)
        for line in lines:
            words = line.lower().split()
            for word, after in zip(["", *words], [*words, ""], strict=True):
                follow[word].append(after)
        self.follow = {word: tuple(after) for word, after in follow.items()}
        self.symbols = symbols
        if set(self.follow.get("", ("",))) == {""}:
            raise ValueError("texts: expected lines with words in them; got none")

    def __call__(self, draw: Random, count: int) -> tuple[str, str]:
        """A text of `count` words as it is written, and as eSpeak NG is asked to say it."""
        share = (
            draw.choices([s for s, _ in _SYMBOLS], [w for _, w in _SYMBOLS])[0]
            if self.symbols
            else 0.0
        )
        written: list[str] = []
        spoken: list[str] = []
        word = ""
        while len(written) < count:
            if draw.random() < share:
                symbol = (
                    draw.choice(string.ascii_lowercase)
                    if draw.random() < 0.5
                    else draw.choice(DIGITS)
                )
                written.append(symbol)
                spoken.append(
                    _SPOKEN[symbol]
                    if symbol in _SPOKEN and (symbol != "z" or draw.random() < 0.5)
                    else symbol
                )
                continue
            word = draw.choice(self.follow[word])
            if word:
                written.append(word)
                spoken.append(word)
        return " ".join(written), " ".join(spoken)
