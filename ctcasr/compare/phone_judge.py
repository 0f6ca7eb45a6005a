"""A recogniser of phones as a judge: how much of the sounds of speech is left, words aside.

Its rate is the phone error rate; one less it is the Levenshtein phone similarity of an utterance
(Pirklbauer et al., "Evaluation metrics for generative speech enhancement methods", 2023), here by
phones that were said instead of those that a network hears in the clean file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ctcasr.compare.judge import JudgeError
from ctcasr.compare.own_judge import OwnJudge
from ctcasr.text import Reference, plain_words

PREFIX = "phones:"
NAMED = 5  # words that are not in a lexicon
_COMMENT = ";;;"
_VARIANT = re.compile(r"\(\d+\)$")  # of a word's second pronunciation
_STRESS = re.compile(r"\d+$")  # of a vowel


@dataclass(frozen=True)
class PhoneLexicon:
    """Phones of words, by the first pronunciation of a CMUdict-style file.

    Lines are `word PHONE PHONE ...`; stress digits and second pronunciations, `word(2)`, go.
    """

    phones: Mapping[str, tuple[str, ...]]
    path: Path

    @staticmethod
    def read(path: Path | str) -> PhoneLexicon:
        """The lexicon of a file.

        Raises:
            ValueError: where there is no file, or no pronunciation in it.
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(
                f"{path}: expected a lexicon, `word PHONE PHONE` a line; there is none"
            )
        phones: dict[str, tuple[str, ...]] = {}
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            columns = line.split()
            if line.startswith(_COMMENT) or len(columns) < 2:
                continue
            word = _VARIANT.sub("", columns[0])
            key = plain_words(word).text
            said = tuple(_STRESS.sub("", phone).lower() for phone in columns[1:])
            phones.setdefault(key, said)
        if not phones:
            raise ValueError(f"{path}: expected lines `word PHONE PHONE`; found none")
        return PhoneLexicon(phones, path)

    def spell(self, text: str) -> str:
        """The phones of a text with spaces between.

        Raises:
            JudgeError: for words that are not in the lexicon.

        Example:
            >>> lexicon = PhoneLexicon({"blue": ("b", "l", "uw"), "at": ("ae", "t")}, Path())
            >>> lexicon.spell("Blue at!")
            'b l uw ae t'
        """
        words = plain_words(text).text.split()
        missing = [word for word in words if word not in self.phones]
        if missing:
            raise JudgeError(
                f"{self.path}: expected the words of all texts; {', '.join(missing[:NAMED])} are "
                "not there: add them"
            )
        spelled: list[str] = []
        for word in words:
            spelled.extend(self.phones[word])
        return " ".join(spelled)


@dataclass
class PhoneJudge:
    """A recogniser that was trained on texts of phones (`b l uw`), and their lexicon."""

    name: str
    own: OwnJudge
    lexicon: PhoneLexicon
    fingerprint: str = ""
    heard: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()

    @staticmethod
    def load(target: str, name: str = "", device: str | torch.device = "cpu") -> PhoneJudge:
        """From `phones:LEXICON,CHECKPOINT`.

        Raises:
            JudgeError: where it is no such pair, or may not judge.
            ValueError: where the lexicon cannot be read.
        """
        lexicon, comma, checkpoint = target.removeprefix(PREFIX).partition(",")
        if not comma:
            raise JudgeError(f"expected {PREFIX}LEXICON,CHECKPOINT; got {target!r}")
        phones = PhoneLexicon.read(lexicon)
        own = OwnJudge.load(checkpoint, name, device)
        remarks = (*own.remarks, f"its rates are phone error rates by {phones.path.name}")
        return PhoneJudge(own.name, own, phones, own.fingerprint, own.heard, remarks)

    def reference(self, text: str) -> Reference:
        """Phones `/b/ /l/`: of a text by the lexicon, of a hypothesis as it is."""
        if text.startswith("/") or not text.strip():
            return Reference(text)
        return Reference(_marked(self.lexicon.spell(text)))

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Phones of samples [N], each between slashes: letters are words of their own."""
        return [_marked(text) for text in self.own.listen(sounds, rate_hz)]


def _marked(phones: str) -> str:
    return " ".join(f"/{phone}/" for phone in phones.split())
