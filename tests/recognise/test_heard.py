"""Sentences at several speeds: any may suit, and all tell how sure the network is."""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import median

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from ctcasr.decoding.commands import Commands
from ctcasr.recognise.heard import heard_best, penalised_logits, played
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.transcribing import TranscribingLogits
from ctcasr.seq import Seq
from ctcasr.word_times.word_models import WordModels
from tests.recognise.helpers import ALPHABET, RATE, noise, recogniser

SENTENCES = "a cab\nba\ncab a"
SPEEDS = (0.8, 1.0, 1.25)
HOP = 80


@pytest.fixture(scope="module")
def made() -> Recogniser:
    return recogniser()


def exact(made: Recogniser, clip: Tensor, tokens: tuple[int, ...], speed: float) -> float:
    """log p(tokens | clip at a speed) by torch's own loss."""
    samples = played(Seq.stack([clip], RATE), speed)
    scores = made.logits(samples).row(0).double().log_softmax(1)[:, None]
    labels = torch.tensor([tokens])
    return -float(
        functional.ctc_loss(scores, labels, [len(scores)], [len(tokens)], reduction="sum")
    )


@torch.no_grad()
def test_the_likeliest_by_all_speeds_counts_and_its_certainty_is_the_median(
    made: Recogniser,
) -> None:
    clips = [noise(RATE, seed) for seed in range(4)]
    decoder = Commands(SENTENCES, speeds=SPEEDS).decoder(ALPHABET)
    samples = Seq.stack(clips, RATE)
    found = [decoder.best(made.logits(played(samples, speed))) for speed in SPEEDS]
    for row, (clip, heard) in enumerate(
        zip(clips, heard_best(made, samples, decoder), strict=True)
    ):
        scores = {}
        for best in found:
            sentence = best[row]
            assert sentence is not None
            tokens = sentence.tokens
            scores[tokens] = [exact(made, clip, tokens, speed) for speed in SPEEDS]
        likeliest = max(scores, key=lambda tokens: sum(map(math.exp, scores[tokens])))
        assert heard.sentence is not None
        assert heard.sentence.tokens == likeliest
        own = scores[likeliest]
        assert heard.certainty == pytest.approx(median(own) / len(likeliest), rel=1e-4)
        assert heard.sentence.score == pytest.approx(max(own), rel=1e-4)
        assert heard.speed == SPEEDS[own.index(max(own))]


@torch.no_grad()
def test_at_one_speed_it_is_what_the_decoder_finds(made: Recogniser) -> None:
    samples = Seq.stack([noise(RATE, 1), noise(RATE // 2, 2)], RATE)
    decoder = Commands(SENTENCES).decoder(ALPHABET)
    logits = penalised_logits(made, samples, 0.0)
    found = decoder.best(logits)
    for row, heard in enumerate(heard_best(made, samples, decoder)):
        assert heard.sentence is not None
        assert heard.sentence == found[row]
        assert heard.certainty == decoder.certainty([heard.sentence])


@given(length=st.integers(0, 900), speed=st.sampled_from((0.5, 0.9, 1.05, 1.1, 1.6, 2.0)))
def test_played_clips_are_as_long_as_their_speed_says_and_never_less_wide(
    length: int, speed: float
) -> None:
    samples = Seq.stack([torch.ones(length), torch.ones(900)], RATE)
    faster = played(samples, speed)
    assert faster.data.shape[1] >= samples.data.shape[1]
    for before, after in zip(samples.lengths, faster.lengths, strict=True):
        assert after == pytest.approx(before / speed, rel=1e-3, abs=1.0)


class Spike(TranscribingLogits):
    """Hears "a" in the middle of every clip, at whatever speed."""

    tokenizer = ALPHABET
    word_models = WordModels()
    rate_hz = RATE  # type: ignore[assignment]
    frame_s = HOP / RATE  # type: ignore[assignment]
    device = torch.device("cpu")  # type: ignore[assignment]

    def logits(self, samples: Seq) -> Seq:
        frames = [length // HOP for length in samples.lengths]
        rows = []
        for count in frames:
            row = torch.zeros(count, ALPHABET.size)
            row[:, ALPHABET.blank] = 20.0
            if count:
                row[count // 2] = 0.0
                row[count // 2, ALPHABET.encode("a")[0]] = 20.0
            rows.append(row)
        return Seq.stack(rows, Fraction(RATE, HOP))


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.0, 1.25, 2.0])
def test_times_are_those_of_the_recording_at_any_speed(speed: float) -> None:
    spike = Spike()
    spike.understand(Commands("a", speeds=(speed,)))
    (heard,) = spike.transcribe(noise(3 * RATE), RATE)
    assert heard.text == "a"
    assert heard.words[0].start_s == pytest.approx(1.5, abs=0.05)


def test_what_is_too_short_for_some_speeds_is_understood_at_the_others() -> None:
    spike = Spike()
    spike.understand(Commands("a", threshold=-1.0, speeds=(1.0, 1.25, 0.8)))
    shortest = noise(HOP)  # not a frame at 1.25
    nothing = noise(HOP // 2)
    texts = [heard.text for heard in spike.transcribe([shortest, nothing], RATE)]
    assert texts == ["a", ""]
