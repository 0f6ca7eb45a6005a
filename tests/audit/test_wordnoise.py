"""The model of word errors, fitted to tables whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.audit.slots import SlotTable, Vocabulary
from ctcasr.audit.wordnoise import SlotArrays

WORDS = [f"w{number:02d}" for number in range(20)]
VOCABULARY = Vocabulary.of([" ".join(WORDS)])


def slot(written: str, said: str, draw: np.random.Generator, clarity: float = 16.0) -> SlotTable:
    """A slot in which the network hears `said`, empty for nothing."""
    nats = draw.normal(-clarity, 2.0, len(WORDS))
    nothing = float(draw.normal(-clarity, 2.0))
    if said:
        nats[WORDS.index(said)] = draw.normal(0, 2.0)
    else:
        nothing = float(draw.normal(0, 2.0))
    return SlotTable(written, nothing, np.arange(len(WORDS)), nats)


def corpus(seed: int, substituted: float, superfluous: float, missing: float):
    """2 000 word slots and as many gaps, and whether each is wrong."""
    draw = np.random.default_rng(seed)
    slots = []
    wrong = []
    for _ in range(2000):
        word = str(draw.choice(WORDS))
        chance = draw.random()
        said = word
        if chance < substituted:
            said = str(draw.choice([other for other in WORDS if other != word]))
        elif chance < substituted + superfluous:
            said = ""
        slots.append(slot(word, said, draw))
        wrong.append(said != word)
        absent = str(draw.choice(WORDS)) if draw.random() < missing else ""
        slots.append(slot("", absent, draw))
        wrong.append(bool(absent))
    return slots, np.array(wrong)


@pytest.mark.parametrize("shares", [(0.1, 0.05, 0.05), (0.3, 0.01, 0.02), (0.0, 0.0, 0.0)])
def test_the_shares_of_errors_are_found(shares):
    slots, wrong = corpus(1, *shares)
    arrays = SlotArrays(slots, VOCABULARY)
    noise = arrays.fit()
    found = (noise.substituted, noise.superfluous, noise.missing)
    assert found == pytest.approx(shares, abs=0.02)
    posteriors = arrays.posteriors(noise)
    believed = posteriors.another.sum(1) + posteriors.nothing
    assert believed.sum() == pytest.approx(wrong.sum(), abs=0.15 * wrong.sum() + 5)
    assert ((believed > 0.5) == wrong).mean() > 0.97


def test_what_one_pair_has_beyond_chance_is_the_networks():
    slots, _ = corpus(2, 0.05, 0.0, 0.0)
    draw = np.random.default_rng(3)
    misheard = [slot("w03", "w07", draw) for _ in range(60)]
    arrays = SlotArrays([*slots, *misheard], VOCABULARY)
    noise = arrays.fit()
    believed = arrays.posteriors(noise).another.sum(1)
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
    arrays = SlotArrays([*slots, *gaps], VOCABULARY)
    believed = arrays.posteriors(arrays.fit()).another.sum(1)[: len(slots)]
    assert believed[np.array(misheard)].mean() < 0.75
    assert believed[np.array(wrong)].mean() > 0.9


def test_a_word_that_the_network_likes_too_little_is_not_suspected():
    slots, wrong = corpus(4, 0.05, 0.0, 0.0)
    unloved = []
    for one in slots:
        nats = one.nats.copy()
        nats[5] -= 14.0
        unloved.append(SlotTable(one.written, one.nothing, one.words, nats))
    arrays = SlotArrays(unloved, VOCABULARY)
    noise = arrays.fit()
    assert noise.bias[5] > 1.0
    believed = arrays.posteriors(noise).another.sum(1)
    of_word = [row for row, one in enumerate(unloved) if one.written == "w05" and not wrong[row]]
    assert (believed[of_word] > 0.5).mean() < 0.15
