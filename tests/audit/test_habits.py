"""What a network mishears again and again is not taken for errors of transcripts."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.audit.habits import without_habits
from ctcasr.audit.slots import SlotTable
from ctcasr.audit.wordnoise import WordModel
from tests.audit.test_wordnoise import WORDS, arrays_of, corpus, slot


def believed_in(slots) -> np.ndarray:
    """Posterior of each slot that another word was said."""
    arrays = arrays_of(slots)
    model = WordModel(arrays)
    noise = model.fit()
    return without_habits(model.posteriors(noise), noise, arrays).another.sum(1)


def test_what_one_pair_has_beyond_chance_is_the_networks():
    slots, _ = corpus(2, 0.05, 0.0, 0.0)
    draw = np.random.default_rng(3)
    misheard = [slot("w03", "w07", draw) for _ in range(60)]
    believed = believed_in([*slots, *misheard])
    assert believed[-60:].mean() < 0.3
    others = [row for row, one in enumerate(slots) if not one.gap and one.written != "w03"]
    assert (believed[others] > 0.5).mean() == pytest.approx(0.05, abs=0.015)


def test_what_pairs_that_sound_alike_have_beyond_the_others_is_the_networks():
    draw = np.random.default_rng(5)
    slots = []
    misheard = []
    wrong = []
    for _ in range(3000):
        number = int(draw.integers(20))
        said = number
        chance = draw.random()
        if chance < 0.05:  # another word of the same half: ten that sound alike
            said = number // 10 * 10 + int(draw.integers(10))
        elif chance < 0.08:  # a word of the other half
            said = (number // 10 * 10 + 10) % 20 + int(draw.integers(10))
        one = slot(WORDS[number], WORDS[said], draw, clarity=40.0)
        half = slice(said // 10 * 10, said // 10 * 10 + 10)
        nats = one.nats.copy()
        nats[half] = np.maximum(nats[half], draw.normal(-7, 2.0, 10))
        slots.append(SlotTable(one.written, one.nothing, one.words, nats))
        misheard.append(said != number and said // 10 == number // 10)
        wrong.append(said // 10 != number // 10)
    gaps = [slot("", "", draw) for _ in range(300)]
    believed = believed_in([*slots, *gaps])[: len(slots)]
    assert believed[np.array(misheard)].mean() < 0.75
    assert believed[np.array(wrong)].mean() > 0.9
