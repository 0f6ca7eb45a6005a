"""What is heard, made by hand: texts as spikes, so that no network has to be trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import torch

from ctcasr.audit import Heard
from ctcasr.audit.correction import Line
from ctcasr.audit.scorer import Spelling
from ctcasr.audit.slots import Vocabulary, tables
from ctcasr.audit.textnoise import Texts, text_table
from ctcasr.batch import Utterance
from ctcasr.text import Alphabet

ALPHABET = Alphabet("abcdefghijklmnopqrstuvwxyz ")
COLOURS = ["red", "blue", "green", "white"]
WORDS = [*COLOURS, "bin", "lay", "place", "set", "now", "again", "soon", "please", "one", "two"]


def heard_as(said: str, written: str, line: int = 1, sure: float = 5.0) -> Heard:
    """A line that says `said`, a symbol every other frame, and whose text is `written`."""
    labels = ALPHABET.encode(said)
    frames = 2 * len(labels) + 3
    generator = torch.Generator().manual_seed(line)
    logits = torch.randn(frames, ALPHABET.size, generator=generator)
    logits[:, 0] += sure
    for place, label in enumerate(labels):
        logits[2 * place + 1, 0] -= sure
        logits[2 * place + 1, label] += sure
    utterance = Utterance(
        Path(f"corpus/u{line}.wav"), 2.0, written, where=f"train.jsonl:{line}", name=f"u{line}"
    )
    return Heard(utterance, written, logits.log_softmax(1), said, ((1, "r", 0.9),), (0.9, 0.1))


def sentence(draw: Random) -> str:
    """Five words at random."""
    return " ".join(draw.choices(WORDS, k=5))


@pytest.fixture
def spelling() -> Spelling:
    return Spelling(ALPHABET)


@pytest.fixture
def heard_line() -> Callable[..., Heard]:
    return heard_as


@pytest.fixture
def corpus_of() -> Callable[[dict[int, tuple[str, str]]], list[Heard]]:
    """A maker of 60 lines, right but for those that are given as line: (said, written)."""

    def make(wrong: dict[int, tuple[str, str]]) -> list[Heard]:
        draw = Random(7)
        lines = []
        for line in range(1, 61):
            text = sentence(draw)
            said, written = wrong.get(line, (text, text))
            lines.append(heard_as(said, written, line))
        return lines

    return make


# One line of each kind of wrong words: what is said, and what is written.
WRONG_WORDS = {
    12: ("bin blue two red now", "bin blue one red now"),
    20: ("set green two soon", "set green please two soon"),
    28: ("lay white two red again", "lay white red again"),
}


@pytest.fixture
def vocabulary(corpus_of) -> Vocabulary:
    """The words of the lines with wrong words."""
    return Vocabulary.of([line.text for line in corpus_of(WRONG_WORDS)])


@pytest.fixture
def lines(corpus_of, spelling, vocabulary) -> list[Line]:
    """Lines with wrong words, before any of them was corrected."""
    heard = corpus_of(WRONG_WORDS)
    texts = Texts.of([line.text for line in heard])
    made = []
    for one in heard:
        line = Line(one, text_table(one, texts, spelling))
        line.context = line.written
        line.slots = tables(one, line.written, line.context, vocabulary, spelling)
        made.append(line)
    return made
