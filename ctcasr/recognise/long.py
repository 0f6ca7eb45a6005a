"""Long recordings: cut where speech pauses, heard piece by piece in bounded memory, joined again.

A network knows what it was trained on: clips of some seconds. A piece ends in the middle of a
pause. Where nobody pauses for too long, two pieces overlap, and each word is taken from the one on
whose side of the cut its middle lies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ctcasr.data.audio import audio_info
from ctcasr.data.blocks import audio_blocks
from ctcasr.decoding.decoder import Decoder
from ctcasr.decoding.hypothesis import Hypothesis, Word, finite_or_none
from ctcasr.recognise.protocols import Transcriber
from ctcasr.signal.pauses import INAUDIBLE_DB, find_cut, levels_db

_BATCH_S = 1.0  # of pieces that are heard together: on a CPU more of them cost only memory


@dataclass(frozen=True)
class Cutting:
    """How long pieces may be, in seconds.

    Raises:
        ValueError: where they are out of order.
    """

    shortest_s: float = 2.0  # an earlier pause ends no piece
    longest_s: float = 20.0  # without a pause until then it is cut anyway
    overlap_s: float = 1.0  # heard on either side of a cut that lies in no pause

    def __post_init__(self) -> None:
        if not 0 < self.shortest_s < self.longest_s or not 0 <= self.overlap_s < self.shortest_s:
            raise ValueError(
                "expected 0 < shortest_s < longest_s and 0 <= overlap_s < shortest_s; got "
                f"{self.shortest_s:g}, {self.longest_s:g} and {self.overlap_s:g}"
            )


@dataclass(frozen=True)
class Piece:
    """A part of a recording, with what is heard beside it."""

    samples: Tensor  # [N], from `start_s` on
    start_s: float
    first_s: float  # words whose middle lies before this, or not before `end_s`, are others'
    end_s: float

    def own(self, words: Iterable[Word]) -> list[Word]:
        """Those of the words of this piece that are its own, with their times in the recording."""
        shifted = []
        for word in words:
            start_s = word.start_s + self.start_s
            end_s = word.end_s + self.start_s
            if self.first_s <= (start_s + end_s) / 2 < self.end_s:
                shifted.append(replace(word, start_s=start_s, end_s=end_s))
        return shifted


def pieces_of(blocks: Iterable[Tensor], rate_hz: int, cutting: Cutting) -> Iterator[Piece]:
    """The pieces of a recording that comes in blocks [N] at `rate_hz`, in order, without gaps.

    Example:
        >>> speech = torch.sin(torch.arange(16000 * 3) / 5)
        >>> recording = torch.cat((speech, torch.zeros(16000), speech))
        >>> [(piece.first_s, piece.end_s) for piece in pieces_of([recording], 16000, Cutting())]
        [(-inf, 3.5), (3.5, inf)]
    """
    overlap = round(cutting.overlap_s * rate_hz)
    longest = round(cutting.longest_s * rate_hz)
    sound = _Held(iter(blocks))
    first_s = -math.inf
    while True:
        sound.hold(longest + overlap)
        ahead = sound.ahead
        cut = find_cut(ahead, rate_hz, cutting.shortest_s, cutting.longest_s)
        if ahead.shape[0] <= longest and not cut.in_pause:
            yield Piece(sound.samples, sound.start / rate_hz, first_s, math.inf)
            return
        beside = 0 if cut.in_pause else overlap
        start_s = sound.start / rate_hz
        samples, end = sound.cut(cut.sample, beside)
        yield Piece(samples, start_s, first_s, end / rate_hz)
        first_s = end / rate_hz


class _Held:
    """As much of a recording as is looked at: `samples` from sample `start` of it on."""

    def __init__(self, blocks: Iterator[Tensor]) -> None:
        self._blocks = blocks
        self.samples = torch.zeros(0)
        self.start = 0
        self._begin = 0  # of what was not cut off yet

    @property
    def ahead(self) -> Tensor:
        """What was not cut off yet."""
        return self.samples[self._begin - self.start :]

    def hold(self, count: int) -> None:
        """Take blocks until so many samples lie ahead, or there are no more."""
        taken = [self.samples]
        lacking = count - self.ahead.shape[0]
        while lacking > 0:
            block = next(self._blocks, None)
            if block is None:
                break
            taken.append(block)
            lacking -= block.shape[0]
        self.samples = torch.cat(taken)

    def cut(self, count: int, beside: int) -> tuple[Tensor, int]:
        """All up to `count` samples ahead, and `beside` more; the place of the cut."""
        end = self._begin + count
        piece = self.samples[: end + beside - self.start]
        next_start = max(self.start, end - beside)
        self.samples = self.samples[next_start - self.start :].clone()
        self.start = next_start
        self._begin = end
        return piece, end


Progress = Callable[[int, int], None]
"""How many seconds are done, of how many."""


def transcribe_long(
    recogniser: Transcriber,
    path: Path | str,
    *,
    decoder: Decoder | None = None,
    cutting: Cutting | None = None,
    progress: Progress | None = None,
) -> Hypothesis:
    """What is said in a sound file of any length, with the times of its words.

    Pieces are decoded each for itself; the score is the sum of theirs, and the next best
    hypotheses are those of the highest sums. Nothing is heard in pieces without an audible sound.

    Raises:
        AudioError: for a bad file.
    """
    cutting = cutting or Cutting()
    total_s = audio_info(path).duration_s
    heard = _Joined(recogniser)
    waiting: list[Piece] = []
    waiting_s = 0.0
    rate_hz = recogniser.rate_hz
    for piece in pieces_of(audio_blocks(path, rate_hz), rate_hz, cutting):
        if float(levels_db(piece.samples, rate_hz).max()) < INAUDIBLE_DB:
            continue
        waiting.append(piece)
        waiting_s += piece.samples.shape[0] / rate_hz
        if waiting_s >= _BATCH_S:
            heard.hear(waiting, decoder)
            if progress is not None:
                progress(round(min(piece.end_s, total_s)), round(total_s))
            waiting = []
            waiting_s = 0.0
    if waiting:
        heard.hear(waiting, decoder)
    return heard.hypothesis()


@dataclass(frozen=True)
class _Course:
    """One way through all pieces so far: the last words of it, and the sums of its scores."""

    before: _Course | None
    own: tuple[Word, ...]
    score: float
    bonus: float

    def words(self) -> tuple[Word, ...]:
        """All its words."""
        parts = []
        course: _Course | None = self
        while course is not None:
            parts.append(course.own)
            course = course.before
        return tuple(word for part in reversed(parts) for word in part)


class _Joined:
    """What pieces say, as they are heard: the best courses through them, best first."""

    def __init__(self, recogniser: Transcriber) -> None:
        self._recogniser = recogniser
        self._courses = [_Course(None, (), 0.0, 0.0)]

    def hear(self, pieces: list[Piece], decoder: Decoder | None) -> None:
        """Add what pieces say."""
        hypotheses = self._recogniser.transcribe(
            [piece.samples for piece in pieces],
            self._recogniser.rate_hz,
            batch_seconds=_BATCH_S,
            decoder=decoder,
        )
        for piece, hypothesis in zip(pieces, hypotheses, strict=True):
            self._add(piece, hypothesis)

    def _add(self, piece: Piece, hypothesis: Hypothesis) -> None:
        """The best of all courses with each of the hypotheses of one more piece."""
        choices = [hypothesis, *hypothesis.others]
        count = max(len(choices), len(self._courses))
        longer = []
        known_texts = set()
        for choice in choices:
            own = tuple(piece.own(choice.words))
            text = tuple(word.text for word in own)
            if text in known_texts:  # they differ only in words of the neighbours
                continue
            known_texts.add(text)
            for course in self._courses:
                # A piece in which nothing was found (-inf) leaves the sum of the others.
                score = course.score + (finite_or_none(choice.score) or 0.0)
                longer.append(_Course(course, own, score, course.bonus + choice.bonus))
        # Stable: of equal sums the one of the better choices stays in front.
        longer.sort(key=lambda course: -(course.score + course.bonus))
        self._courses = longer[:count]

    def hypothesis(self) -> Hypothesis:
        """The best course, with the others beside it, each text once."""
        by_text: dict[str, Hypothesis] = {}
        for course in self._courses:
            hypothesis = self._hypothesis(course)
            by_text.setdefault(hypothesis.text, hypothesis)
        best, *others = by_text.values()
        return replace(best, others=tuple(others))

    def _hypothesis(self, course: _Course) -> Hypothesis:
        """The tokens are those that spell the words."""
        words = course.words()
        text = " ".join(word.text for word in words)
        tokens = tuple(self._recogniser.tokenizer.encode(text))
        return Hypothesis(text, words, tokens, course.score, bonus=course.bonus)
