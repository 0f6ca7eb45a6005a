"""Long recordings: pieces cover them without gaps, and words are told once, in order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from ctcasr.decoding.hypothesis import Hypothesis, Word
from ctcasr.recognise.long import Cutting, Piece, pieces_of, transcribe_long
from ctcasr.text import Alphabet
from tests.recognise.helpers import noise, recogniser

RATE = 8000
WORD_S = 0.2


def sentence(seed: int, seconds: float = 2.6) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    speech = 0.1 * torch.randn(round(seconds * RATE), generator=generator)
    return torch.cat((torch.zeros(2 * RATE // 5), speech, torch.zeros(2 * RATE // 5)))


def joined(count: int) -> Tensor:
    return torch.cat([sentence(seed) for seed in range(count)])


@pytest.mark.parametrize("block", [997, RATE, 10**7])
def test_pieces_are_the_sentences_however_the_blocks_come(block: int) -> None:
    recording = joined(6)
    pieces = list(pieces_of(recording.split(block), RATE, Cutting()))
    assert torch.equal(torch.cat([piece.samples for piece in pieces]), recording)
    starts = [piece.start_s for piece in pieces]
    assert starts == pytest.approx([3.4 * number for number in range(6)], abs=0.1)


def test_without_pauses_pieces_overlap_and_leave_no_gap() -> None:
    recording = 0.1 * torch.randn(RATE * 33, generator=torch.Generator().manual_seed(0))
    cutting = Cutting(shortest_s=2.0, longest_s=5.0, overlap_s=0.5)
    pieces = list(pieces_of(recording.split(RATE), RATE, cutting))
    assert pieces[0].first_s == -torch.inf and pieces[-1].end_s == torch.inf
    for before, after in pairwise(pieces):
        assert before.end_s == after.first_s
        assert after.start_s == pytest.approx(after.first_s - 0.5)
        heard_until_s = before.start_s + before.samples.shape[0] / RATE
        assert heard_until_s == pytest.approx(before.end_s + 0.5)
    assert max(piece.samples.shape[0] for piece in pieces) <= 6.5 * RATE


class Ticking:
    """Writes "a" for each fifth of a second that it hears, at its time."""

    tokenizer = Alphabet("a ")
    rate_hz = RATE
    blank_penalty = 0.0

    def __init__(self) -> None:
        self.longest = 0

    def transcribe(self, audio: Sequence[Tensor], *_: object, **__: object) -> list[Hypothesis]:
        hypotheses = []
        for samples in audio:
            self.longest = max(self.longest, samples.shape[0])
            count = int(samples.shape[0] / RATE / WORD_S)
            words = tuple(Word("a", n * WORD_S, n * WORD_S + 0.01) for n in range(count))
            hypotheses.append(Hypothesis(" ".join("a" * count), words, (), -1.0))
        return hypotheses


def test_words_are_told_once_and_in_order(tmp_path: Path) -> None:
    recording = 0.1 * torch.randn(RATE * 100, generator=torch.Generator().manual_seed(0))
    soundfile.write(tmp_path / "long.wav", recording.numpy(), RATE)
    ticking = Ticking()
    done = []
    hypothesis = transcribe_long(
        ticking, tmp_path / "long.wav", progress=lambda *seconds: done.append(seconds)
    )
    starts = [word.start_s for word in hypothesis.words]
    assert starts == sorted(starts)
    assert len(starts) == pytest.approx(100 / WORD_S, rel=0.02)
    assert hypothesis.tokens == tuple(ticking.tokenizer.encode(hypothesis.text))
    assert ticking.longest <= 22 * RATE
    assert done == sorted(done) and done[-1][1] == 100


def test_a_real_network_and_silence(tmp_path: Path) -> None:
    quiet = torch.zeros(RATE * 40)
    soundfile.write(tmp_path / "quiet.wav", quiet.numpy(), RATE)
    assert transcribe_long(recogniser(), tmp_path / "quiet.wav").text == ""
    soundfile.write(tmp_path / "speech.wav", joined(12).numpy(), RATE)
    hypothesis = transcribe_long(recogniser(), tmp_path / "speech.wav")
    assert hypothesis.text == " ".join(word.text for word in hypothesis.words) != ""


def test_a_word_belongs_to_the_side_of_its_middle() -> None:
    words = (Word("a", 0.0, 0.4), Word("b", 0.9, 1.2), Word("c", 1.5, 1.6))
    piece = Piece(torch.zeros(2 * RATE), 10.0, 10.5, 11.5)
    assert piece.own(words) == [Word("b", 10.9, 11.2)]


def test_lengths_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="shortest_s < longest_s"):
        Cutting(shortest_s=5.0, longest_s=4.0)


class Doubting(Ticking):
    """Of each piece it is surest of the first hypothesis; the second is less likely by a nat."""

    def transcribe(self, audio: Sequence[Tensor], *_: object, **__: object) -> list[Hypothesis]:
        hypotheses = []
        for samples in audio:
            half_s = samples.shape[0] / RATE / 2
            best, other = [(Word(text, half_s, half_s + 0.01, 0.5),) for text in ("a", "aa")]
            others = (Hypothesis("aa", other, (), -2.5, bonus=0.5),)
            hypotheses.append(Hypothesis("a", best, (), -1.0, others))
        return hypotheses


def test_the_next_best_of_a_long_recording_are_the_highest_sums(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", joined(3).numpy(), RATE)
    hypothesis = transcribe_long(Doubting(), tmp_path / "long.wav")
    pieces = len(hypothesis.words)
    assert pieces > 1 and hypothesis.text == " ".join(["a"] * pieces)
    assert {word.confidence for word in hypothesis.words} == {0.5}
    (other,) = hypothesis.others
    assert sorted(other.text.split()) == ["a"] * (pieces - 1) + ["aa"]
    assert other.score + other.bonus == hypothesis.score - 1.0


def test_a_recording_of_some_samples_is_heard_or_silent(tmp_path: Path) -> None:
    for samples in (1, 100):
        soundfile.write(tmp_path / "short.wav", noise(samples).numpy(), RATE)
        found = transcribe_long(recogniser(), tmp_path / "short.wav")
        assert found.text == recogniser().transcribe(tmp_path / "short.wav")[0].text


class Refusing(Ticking):
    """Finds nothing in the first piece of all."""

    pieces = 0

    def transcribe(self, audio: Sequence[Tensor], *_: object, **__: object) -> list[Hypothesis]:
        hypotheses = super().transcribe(audio)
        if self.pieces == 0:
            hypotheses[0] = Hypothesis("", (), (), -math.inf)
        self.pieces += len(hypotheses)
        return hypotheses


def test_a_piece_in_which_nothing_is_found_leaves_the_score_of_the_others(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", joined(3).numpy(), RATE)
    whole = transcribe_long(Ticking(), tmp_path / "long.wav")
    rest = transcribe_long(Refusing(), tmp_path / "long.wav")
    assert 0 < len(rest.words) < len(whole.words)
    assert math.isfinite(rest.score) and rest.score != 0.0
