from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import soundfile

from ctcasr.batch import Utterance
from ctcasr.text import Alphabet
from ctcasr.word_times import Doubts, believed_texts, doubting, fit, learn_doubts
from ctcasr.word_times.doubting import likeliest
from ctcasr.word_times.fit import Spoken, spoken_of
from tests.word_times.tones import RATE, TONES_HZ, say

WORDS = sorted(TONES_HZ)


def written(words: list[str], wrong: float, draw: Random) -> tuple[str, ...]:
    """The words, of which a share is replaced by others."""
    others = {word: [other for other in WORDS if other != word] for word in WORDS}
    return tuple(draw.choice(others[word]) if draw.random() < wrong else word for word in words)


def spoken_with(wrong: float, count: int = 30) -> tuple[list[Spoken], list[tuple[str, ...]]]:
    """Utterances with wrong words in their texts, and what is truly said."""
    draw = Random(1)
    sayings = [say(seed) for seed in range(count)]
    texts = [written(said.words, wrong, draw) for said in sayings]
    clips = [(said.samples, text) for said, text in zip(sayings, texts, strict=True)]
    return spoken_of(clips, RATE), [tuple(said.words) for said in sayings]


def learnt(spoken: list[Spoken]) -> Doubts:
    doubts = learn_doubts(spoken, RATE)
    assert doubts is not None
    return doubts


def test_wrong_words_are_found_and_what_was_said_instead() -> None:
    spoken, truth = spoken_with(wrong=0.3)
    doubts = learnt(spoken)
    pairs = list(zip(spoken, truth, strict=True))
    assert np.mean([one.words == said for one, said in pairs]) < 0.5
    assert np.mean([doubts.said(one.heard, one.words) == said for one, said in pairs]) > 0.9
    by_chance = 1 / len(WORDS)
    assert doubts.right + (1 - doubts.right) * by_chance == pytest.approx(0.7, abs=0.05)


def test_right_words_stay() -> None:
    spoken, truth = spoken_with(wrong=0.0)
    doubts = learnt(spoken)
    assert [doubts.said(one.heard, one.words) for one in spoken] == truth
    assert doubts.right > 0.99


def test_missing_and_superfluous_words_are_found() -> None:
    spoken, truth = spoken_with(wrong=0.0, count=60)
    shortened = [Spoken(one.heard, one.words[:2] + one.words[3:]) for one in spoken[:3]]
    longer = [Spoken(one.heard, (*one.words[:2], *one.words)) for one in spoken[3:6]]
    spoken = [*shortened, *longer, *spoken[6:]]
    doubts = learnt(spoken)
    said = [doubts.said(one.heard, one.words) for one in spoken]
    assert said[6:] == truth[6:]
    assert said[:3] == truth[:3]
    assert said[3:6] == truth[3:6]


def test_a_word_that_is_seldom_written_is_taken_as_it_stands() -> None:
    spoken, _ = spoken_with(wrong=0.0)
    first = spoken[0]
    spoken[0] = Spoken(first.heard, ("lxq", *first.words[1:]))
    assert learnt(spoken).said(spoken[0].heard, spoken[0].words)[0] == "lxq"


@pytest.mark.parametrize("right", [0.4, 0.9])
def test_the_likeliest_share_is_that_which_was_drawn(right: float) -> None:
    draw = np.random.default_rng(0)
    places = 4000
    said = draw.integers(0, 5, places)
    is_right = draw.random(places) < right
    text = np.where(is_right, said, draw.integers(0, 5, places))
    nats = np.full((places, 5), -150.0)
    nats[np.arange(places), said] = 0.0
    _, share = likeliest(nats, text, np.full(5, 0.2))
    assert share == pytest.approx(right, abs=0.03)


def test_of_nothing_and_of_rare_words_alone_nothing_is_learnt() -> None:
    assert learn_doubts([], RATE) is None
    spoken, _ = spoken_with(wrong=0.0, count=2)
    assert learn_doubts(spoken, RATE) is None


def test_texts_of_a_manifest_are_mended_and_others_kept(tmp_path: Path) -> None:
    utterances = [Utterance(tmp_path / "gone.wav", text="low"), Utterance(tmp_path / "0.wav")]
    truth = []
    for seed in range(40):
        said = say(seed)
        soundfile.write(tmp_path / f"{seed}.wav", said.samples.numpy(), RATE)
        truth.append(" ".join(said.words))
        text = truth[-1]
        if seed == 7:
            words = [said.words[0], *said.words[:1], *said.words[2:]]
            text = " ".join(words)
        utterances.append(Utterance(tmp_path / f"{seed}.wav", text=text.upper()))
    believed = believed_texts(utterances, Alphabet.english38(), RATE)
    assert believed.utterances[:2] == tuple(utterances[:2])
    assert (believed.changed, believed.words) == (1, 160)
    assert str(believed) == "1 of 160 words are believed to be others (0.6%)"
    texts = [utterance.text or "" for utterance in believed.utterances[2:]]
    assert [text.lower() for text in texts] == truth
    first, others = believed.parted(2)
    assert (len(first), len(others)) == (2, 40)


def test_of_many_hours_some_are_learnt_from_and_all_are_doubted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    utterances = []
    truth = []
    for seed in range(60):
        said = say(seed)
        path = tmp_path / f"{seed}.wav"
        soundfile.write(path, said.samples.numpy(), RATE)
        truth.append(" ".join(said.words))
        words = list(said.words)
        if seed in (6, 7):
            words[1] = words[0]
        text = " ".join(words)
        seconds = len(said.samples) / RATE
        utterances.append(Utterance(path, text=text, duration=seconds))
    every_second_s = sum(utterance.duration or 0.0 for utterance in utterances) / 2
    monkeypatch.setattr(doubting, "MOST_S", every_second_s)
    learnt_from = []
    heard = []

    def learn(spoken: list[Spoken], rate_hz: int) -> Doubts | None:
        learnt_from.append(len(spoken))
        return learn_doubts(spoken, rate_hz)

    def spoken_in(chosen: list[Utterance], *rest: Any) -> Iterator[tuple[int, Spoken]]:
        heard.extend(chosen)
        return fit.spoken_in(chosen, *rest)

    monkeypatch.setattr(doubting, "learn_doubts", learn)
    monkeypatch.setattr(doubting, "spoken_in", spoken_in)
    believed = believed_texts(utterances, Alphabet.english38(), RATE)
    assert learnt_from == [30]
    assert {utterance.audio_filepath for utterance in heard} == {
        utterance.audio_filepath for utterance in utterances
    }
    assert len(heard) == 60  # each once
    assert believed.words == 240 and believed.doubted == (6, 7)
    assert [utterance.text for utterance in believed.utterances] == truth


def test_a_manifest_without_sound_is_kept() -> None:
    utterances = [Utterance(Path("gone.wav"), text="low")]
    believed = believed_texts(utterances, Alphabet.english38(), RATE)
    assert believed.utterances == tuple(utterances)
    assert "hardly a word is said often" in str(believed)


def test_where_most_words_are_seldom_written_none_is_doubted() -> None:
    spoken, _ = spoken_with(wrong=0.0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    rare = []
    for number, one in enumerate(spoken):
        names = [f"{letters[number % 26]}{letter}q" for letter in letters[number // 26 :][:5]]
        rare.append(Spoken(one.heard, (*one.words, *names)))
    assert learn_doubts(rare, RATE) is None
    assert learn_doubts(spoken, RATE) is not None
