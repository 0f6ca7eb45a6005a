"""Random texts to be said: words as they follow each other in given lines, letters and digits."""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from random import Random

from ctcasr.data.synth import DIGITS, sentence, spoken_form

# What share of the words are letters and digits, and in what share of the texts it is that.
_SYMBOL_SHARES = {0.0: 0.7, 0.5: 0.2, 1.0: 0.1}
_LETTER_SHARE = 0.5  # of letters and digits, how many are letters
_ZED_SHARE = 0.5  # how often z is "zed" rather than "zee"
# eSpeak NG takes a lone "a" for the article; both names of z shall sound.
_NAMES_OF_LETTERS = {"a": "eh", "z": "zed"}
_EXAMPLES = 300  # sentences that tell the words of a grammar
_ENDS = ""  # stands before a text's first word and behind its last


class WordTexts:
    """Texts of a first-order word chain over `lines`; `symbols` turns letters and digits on.

    Lines are transcripts, a word list with one word a line, or prose. A line's first words begin a
    text, its end is followed by another beginning.

    Raises:
        ValueError: for lines without a word.

    Example:
        >>> texts = WordTexts(["place blue now"], symbols=False)
        >>> texts(Random(0), 4)
        ('place blue now place', 'place blue now place')
    """

    def __init__(self, lines: Iterable[str], symbols: bool = True) -> None:
        followers: dict[str, list[str]] = defaultdict(list)
        for line in lines:
            previous = _ENDS
            for word in [*line.lower().split(), _ENDS]:
                followers[previous].append(word)
                previous = word
        self.followers = {word: tuple(after) for word, after in followers.items()}
        self.symbols = symbols
        if set(self.followers.get(_ENDS, (_ENDS,))) == {_ENDS}:
            raise ValueError("texts: expected lines with words in them; got none")

    def __call__(self, draw: Random, count: int) -> tuple[str, str]:
        """A text of `count` words as it is written, and as eSpeak NG is asked to say it."""
        share = 0.0
        if self.symbols:
            (share,) = draw.choices(list(_SYMBOL_SHARES), list(_SYMBOL_SHARES.values()))
        written: list[str] = []
        spoken: list[str] = []
        previous = _ENDS
        while len(written) < count:
            if draw.random() < share:
                symbol = self._symbol(draw)
                written.append(symbol)
                spoken.append(_name_of(symbol, draw))
                continue
            previous = draw.choice(self.followers[previous])
            if previous != _ENDS:
                written.append(previous)
                spoken.append(previous)
        return " ".join(written), " ".join(spoken)

    @staticmethod
    def _symbol(draw: Random) -> str:
        """A letter, or the word of a digit."""
        if draw.random() < _LETTER_SHARE:
            return draw.choice(string.ascii_lowercase)
        return draw.choice(DIGITS)


def _name_of(symbol: str, draw: Random) -> str:
    """What eSpeak NG is asked to say for a letter."""
    if symbol == "z" and draw.random() >= _ZED_SHARE:
        return symbol
    return _NAMES_OF_LETTERS.get(symbol, symbol)


class SentenceTexts:
    """Sentences that `draw_sentence` draws; a share `foreign_share` is anything else in English.

    What else may be said teaches a recogniser of few words what they are not: so it never is of
    their words alone, and writes numbers as they do, in digits or in words. A share `near_share` of
    it are sentences in which one word or some are others: who hears only whole sentences of one
    kind or another takes a word for the one that belongs there. Letters that stand alone are said
    by their names.

    Example:
        >>> texts = SentenceTexts(lambda draw: "place a 4")
        >>> texts(Random(0), 3)
        ('place a 4', 'place eh four')
    """

    def __init__(
        self,
        draw_sentence: Callable[[Random], str],
        foreign_share: float = 0.0,
        near_share: float = 0.0,
    ) -> None:
        self.draw_sentence = draw_sentence
        self.foreign_share = foreign_share
        self.near_share = near_share

    def __call__(self, draw: Random, count: int) -> tuple[str, str]:
        """A text as it is written, and as it is said; sentences have the words that they have."""
        if draw.random() < self.foreign_share:
            written = self._foreign(draw)
        else:
            written = self.draw_sentence(draw)
        words = []
        for word in written.split():
            is_letter = len(word) == 1 and word.isalpha()
            words.append(_name_of(word, draw) if is_letter else spoken_form(word))
        return written, " ".join(words)

    @cached_property
    def _examples(self) -> list[str]:
        """Sentences of its own; most corpora say nothing else and do not ask."""
        return [self.draw_sentence(Random(number)) for number in range(_EXAMPLES)]

    @cached_property
    def _has_digits(self) -> bool:
        """Whether its sentences write numbers in digits."""
        return any(character.isdigit() for text in self._examples for character in text)

    @cached_property
    def _own_words(self) -> set[str]:
        """The words that its sentences say."""
        return {word for text in self._examples for word in spoken_form(text.lower()).split()}

    def _foreign(self, draw: Random) -> str:
        """A sentence with a word that no sentence of the grammar has."""
        while True:
            is_near = self.near_share > 0 and draw.random() < self.near_share
            written = self._near_sentence(draw) if is_near else foreign_sentence(draw)
            said = spoken_form(written)
            if not self._own_words.issuperset(said.split()):
                return written if self._has_digits else said

    def _near_sentence(self, draw: Random) -> str:
        """A sentence of its own in which one word is another, or up to half of them."""
        words = self.draw_sentence(draw).split()
        most = max(1, len(words) // 2)
        for place in draw.sample(range(len(words)), draw.randint(1, most)):
            words[place] = draw.choice(foreign_sentence(draw).split())
        return " ".join(words)


# What made-up words are made of, so that every letter and most sounds of English are heard.
_ONSETS = (
    *"bcdfghjklmnprstvwyz",
    *("bl", "br", "ch", "cl", "cr", "dr", "fl", "fr", "gl", "gr", "pl", "pr", "qu", "sc", "sh"),
    *("sl", "sm", "sn", "sp", "st", "str", "sw", "th", "tr", "wh"),
)
_VOWELS = (
    "a",
    "e",
    "i",
    "o",
    "u",
    "ai",
    "ay",
    "ea",
    "ee",
    "ie",
    "oa",
    "oo",
    "ou",
    "ow",
    "ar",
    "or",
)
_CODAS = (
    "",
    "",
    "b",
    "ck",
    "d",
    "ft",
    "g",
    "ll",
    "m",
    "n",
    "nd",
    "ng",
    "nt",
    "p",
    "rd",
    "s",
    "sh",
    "t",
    "x",
)
_MADE_UP_SHARE = 0.5  # of foreign sentences; the others are those of `synth.sentence`
_MOST_WORDS = 6
_SYLLABLES = (1, 3)


def foreign_sentence(draw: Random) -> str:
    """A sentence of the built-in grammar, or some words that do not exist.

    Example:
        >>> foreign_sentence(Random(5))
        'wash the yellow mirror just now'
    """
    if draw.random() >= _MADE_UP_SHARE:
        return sentence(draw)
    words = []
    for _ in range(draw.randint(1, _MOST_WORDS)):
        word = ""
        for _ in range(draw.randint(*_SYLLABLES)):
            word += draw.choice(_ONSETS) + draw.choice(_VOWELS)
        words.append(word + draw.choice(_CODAS))
    return " ".join(words)
