"""What models of words hear in a line, beside the words that they believe in."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.audit.slots import slots_of, text_of
from ctcasr.audit.sound import NO_ROOM, Ears, Sound
from ctcasr.word_times import learn_doubts
from ctcasr.word_times.fit import spoken_of
from tests.word_times.tones import RATE, TONES_HZ, say

WORDS = tuple(sorted(TONES_HZ))


@pytest.fixture(scope="module")
def ears() -> Ears:
    sayings = [say(seed) for seed in range(24)]
    spoken = spoken_of([(said.samples, said.words) for said in sayings], RATE)
    doubts = learn_doubts(spoken, RATE)
    assert doubts is not None
    return Ears(doubts)


def heard(ears: Ears, written: tuple[str, ...]) -> Sound:
    said = say(100)
    [spoken] = spoken_of([(said.samples, written)], RATE)
    return ears.listen(spoken)


@pytest.fixture(scope="module")
def truth() -> tuple[str, ...]:
    return tuple(say(100).words)


def with_word(words: tuple[str, ...], place: int, word: str) -> str:
    return " ".join([*words[:place], word, *words[place + 1 :]])


def test_what_is_said_has_no_nats_and_another_text_fewer(
    ears: Ears, truth: tuple[str, ...]
) -> None:
    another = with_word(truth, 1, truth[0])
    nats = heard(ears, truth).nats([" ".join(truth), another, "", " ".join(truth[1:])])
    assert nats[0] == pytest.approx(0.0)
    assert (nats[1:] < -1).all()


def test_nats_do_not_depend_on_what_is_written(ears: Ears, truth: tuple[str, ...]) -> None:
    wrong = (truth[1], *truth[1:])
    texts = [" ".join(truth), " ".join(wrong)]
    right_line = heard(ears, truth).nats(texts)
    wrong_line = heard(ears, wrong).nats(texts)
    assert wrong_line[0] - wrong_line[1] == pytest.approx(right_line[0] - right_line[1])


def test_nats_in_slots_are_those_of_the_texts(ears: Ears, truth: tuple[str, ...]) -> None:
    sound = heard(ears, truth)
    context = slots_of(truth)
    found = sound.nats_in_slots(context, WORDS)
    assert found is not None
    through, over = found
    assert through.shape == (len(context), len(WORDS))
    assert over.shape == (len(context),)
    for slot in range(len(context)):
        for number, word in enumerate(("", *WORDS)):
            text = text_of([*context[:slot], word, *context[slot + 1 :]])
            nats = over[slot] if not word else through[slot, number - 1]
            assert nats == pytest.approx(sound.nats([text])[0], abs=1e-6)


def test_a_text_without_room_is_told_from_others(ears: Ears) -> None:
    words = ("low", "high") * 200
    sound = heard(ears, words)
    assert sound.nats([" ".join(words)])[0] == NO_ROOM
    assert sound.nats_in_slots(slots_of(words), WORDS) is None


def test_texts_and_choices_of_words_are_made_once(ears: Ears) -> None:
    assert ears.sentence("low high") is ears.sentence("low high")
    assert ears.lexicon(WORDS) is ears.lexicon(WORDS)
    assert np.isfinite(ears.doubts.trust)
