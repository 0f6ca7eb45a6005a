from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr.batch import Utterance
from ctcasr.text import Alphabet
from ctcasr.word_times.aligner import ANYTHING, SILENCE_COLUMN, WordAligner, unit_of
from ctcasr.word_times.features import Heard
from ctcasr.word_times.fit import (
    OFTEN,
    Fitting,
    Spoken,
    fit_aligner,
    learn_aligner,
    spoken_in,
    spoken_of,
    units_of,
)
from tests.word_times.tones import RATE, Said, say

WITHIN_S = 0.06


def fitted(sayings: list[Said]) -> WordAligner:
    spoken = spoken_of([(said.samples, said.words) for said in sayings], RATE)
    aligner = fit_aligner(spoken, RATE)
    assert aligner is not None
    return aligner


@pytest.fixture(scope="module")
def aligner() -> WordAligner:
    return fitted([say(seed) for seed in range(24)])


@pytest.mark.parametrize("seed", range(100, 104))
def test_words_are_found_where_they_are_said(aligner: WordAligner, seed: int) -> None:
    said = say(seed)
    times = aligner.times(said.samples, said.words)
    assert times is not None
    assert np.allclose(times, said.times, atol=WITHIN_S)


def test_words_without_pauses_are_told_apart(aligner: WordAligner) -> None:
    said = say(200, joined=True)
    times = aligner.times(said.samples, said.words)
    assert times is not None
    assert np.allclose(times, said.times, atol=WITHIN_S)


def test_a_word_never_heard_takes_its_letters(aligner: WordAligner) -> None:
    said = say(300, count=3)
    words = [said.words[0], "lxq", said.words[2]]
    times = aligner.times(said.samples, words)
    assert times is not None
    assert np.allclose([times[0][0], times[2][1]], [said.times[0][0], said.times[2][1]], atol=0.1)


def test_frequent_words_and_single_letters_have_states_of_their_own() -> None:
    heard = Heard(np.zeros((1, 1)), (0, 1))
    spoken = [Spoken(heard, ("often", "z"))] + [Spoken(heard, ("often",))] * (OFTEN - 1)
    units = units_of([*spoken, Spoken(heard, ("rare",))])
    assert {ANYTHING, "r", unit_of("often", 0), unit_of("z", 0)} <= set(units)
    assert unit_of("rare", 0) not in units


def test_of_clips_without_room_nothing_is_learnt() -> None:
    spoken = spoken_of([(torch.zeros(160), ["impossible"])], RATE)
    assert fit_aligner(spoken, RATE) is None
    assert fit_aligner([], RATE) is None


def test_it_learns_from_files_and_leaves_out_what_it_cannot_read(tmp_path: Path) -> None:
    utterances = [Utterance(tmp_path / "missing.wav", text="low"), Utterance(tmp_path / "0.wav")]
    for seed in range(8):
        said = say(seed)
        path = tmp_path / f"{seed}.wav"
        soundfile.write(path, said.samples.numpy(), RATE)
        utterances.append(Utterance(path, text=" ".join(said.words).upper()))
    learnt = learn_aligner(utterances, Alphabet.english38(), RATE)
    assert learnt is not None
    assert unit_of("low", 0) in learnt.units or "l" in learnt.units


def test_what_is_heard_keeps_its_number(tmp_path: Path) -> None:
    said = say(0)
    path = tmp_path / "0.wav"
    soundfile.write(path, said.samples.numpy(), RATE)
    utterances = [
        Utterance(tmp_path / "missing.wav", text="low"),
        Utterance(path, text="Low, high!"),
        Utterance(path, text="..."),
        Utterance(path, text="rise"),
    ]
    heard = list(spoken_in(utterances, Alphabet.english38(), RATE))
    assert [(number, one.words) for number, one in heard] == [(1, ("low", "high")), (3, ("rise",))]


def test_a_fitting_keeps_what_has_room_and_knows_each_of_its_frames() -> None:
    clips = [(say(seed).samples, say(seed).words) for seed in range(8)]
    clips.append((torch.zeros(160), ["impossible"]))
    fitting = Fitting(spoken_of(clips, RATE), RATE)
    assert len(fitting.usable) == len(fitting.columns) == 8
    fitting.refit()
    fitting.realign()
    for one, columns in zip(fitting.usable, fitting.columns, strict=True):
        assert len(columns) == len(one.heard.spliced)
        assert set(np.unique(columns)) > {SILENCE_COLUMN}
