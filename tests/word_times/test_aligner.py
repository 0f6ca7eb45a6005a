from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from ctcasr.decoding.hypothesis import Hypothesis, Word
from ctcasr.word_times.aligner import Sentence, WordAligner
from ctcasr.word_times.fit import fit_aligner, spoken_of
from tests.word_times.tones import RATE, say


@pytest.fixture(scope="module")
def aligner() -> WordAligner:
    sayings = [say(seed) for seed in range(12)]
    aligner = fit_aligner(spoken_of([(said.samples, said.words) for said in sayings], RATE), RATE)
    assert aligner is not None
    return aligner


def hypothesis_of(words: list[str], *others: Hypothesis) -> Hypothesis:
    timed = tuple(Word(word, 9.0, 9.5, 0.7) for word in words)
    return Hypothesis(" ".join(words), timed, (1, 2), -1.0, others, 0.5)


def test_times_are_in_order_and_within_the_recording(aligner: WordAligner) -> None:
    said = say(50)
    times = aligner.times(said.samples, said.words)
    assert times is not None
    flat = np.array(times).flatten()
    assert (np.diff(flat) >= 0).all()
    assert flat[0] >= 0
    assert flat[-1] <= len(said.samples) / RATE


def test_a_hypothesis_changes_in_its_times_alone(aligner: WordAligner) -> None:
    said = say(51)
    rival = hypothesis_of(said.words[:-1])
    before = hypothesis_of(said.words, rival)
    after = aligner.timed(said.samples, before)
    assert (after.text, after.tokens, after.score, after.bonus) == (
        "".join(before.text),
        (1, 2),
        -1.0,
        0.5,
    )
    assert [word.confidence for word in after.words] == [0.7] * len(said.words)
    assert [word.start_s for word in after.words] == pytest.approx(
        [start_s for start_s, _ in said.times], abs=0.06
    )
    assert after.others[0].words[0].start_s < 9.0


def test_words_without_room_stay_where_they_were(aligner: WordAligner) -> None:
    before = hypothesis_of(["low", "high"])
    assert aligner.timed(torch.zeros(320), before) == before
    assert aligner.timed(torch.zeros(0), before) == before


def test_what_is_too_long_for_memory_stays_as_it_was(
    aligner: WordAligner, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = say(53)
    monkeypatch.setattr("ctcasr.word_times.aligner.MOST_CELLS", 1000)
    assert aligner.timed(said.samples, hypothesis_of(said.words)) == hypothesis_of(said.words)


def test_nothing_said_is_nothing_timed(aligner: WordAligner) -> None:
    silence = Hypothesis("", (), (), 0.0)
    assert aligner.timed(torch.zeros(RATE), silence) == silence


def test_its_state_is_plain_data_and_makes_the_same(aligner: WordAligner) -> None:
    file = io.BytesIO()
    torch.save(aligner.to_state(), file)
    file.seek(0)
    again = WordAligner.from_state(torch.load(file, weights_only=True))
    said = say(52)
    assert again.units == aligner.units
    assert again.times(said.samples, said.words) == aligner.times(said.samples, said.words)


def test_silence_between_words_may_be_passed_over() -> None:
    sentence = Sentence.of([[1], [2]])
    scores = np.full((2, 3), -10.0)
    scores[0, 1] = 0.0
    scores[1, 2] = 0.0
    path = sentence.path(scores)
    assert path is not None
    assert sentence.columns[path].tolist() == [1, 2]
    assert sentence.path(scores[:1]) is None
