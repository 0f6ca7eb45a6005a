"""The model of word errors, fitted to tables whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.audit.slotarrays import SlotArrays
from ctcasr.audit.slots import SlotTable, Vocabulary
from ctcasr.audit.wordnoise import Posteriors, WordModel, WordNoise

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


def arrays_of(slots) -> SlotArrays:
    """The slots as lines of ten."""
    lines = [slots[start : start + 10] for start in range(0, len(slots), 10)]
    return SlotArrays(lines, VOCABULARY)


def judged(slots) -> tuple[WordNoise, Posteriors]:
    """The model of these slots, and what it believes of them."""
    model = WordModel(arrays_of(slots))
    noise = model.fit()
    return noise, model.posteriors(noise)


@pytest.mark.parametrize("shares", [(0.1, 0.05, 0.05), (0.3, 0.01, 0.02), (0.0, 0.0, 0.0)])
def test_the_shares_of_errors_are_found(shares):
    slots, wrong = corpus(1, *shares)
    noise, posteriors = judged(slots)
    found = (noise.substituted, noise.superfluous, noise.missing)
    assert found == pytest.approx(shares, abs=0.02)
    believed = posteriors.another.sum(1) + posteriors.nothing
    assert believed.sum() == pytest.approx(wrong.sum(), abs=0.15 * wrong.sum() + 5)
    assert ((believed > 0.5) == wrong).mean() > 0.97


def test_a_word_that_the_network_likes_too_little_is_not_suspected():
    slots, wrong = corpus(4, 0.05, 0.0, 0.0)
    unloved = []
    for one in slots:
        nats = one.nats.copy()
        nats[5] -= 14.0
        unloved.append(SlotTable(one.written, one.nothing, one.words, nats))
    noise, posteriors = judged(unloved)
    assert noise.bias[5] > 1.0
    believed = posteriors.another.sum(1)
    of_word = [row for row, one in enumerate(unloved) if one.written == "w05" and not wrong[row]]
    assert (believed[of_word] > 0.5).mean() < 0.15


def misheard_corpus(seed: int, misheard: float, wrong: float):
    """Words of which some are misheard: another fits better, and what was said comes next."""
    draw = np.random.default_rng(seed)
    slots = []
    is_wrong = []
    for _ in range(3000):
        written = int(draw.integers(20))
        chance = draw.random()
        nats = draw.normal(-40, 8.0, 20)
        nats[written] = draw.normal(0, 2.0)
        if chance < wrong:
            said = (written + 1 + int(draw.integers(19))) % 20
            nats[[written, said]] = nats[[said, written]]
        elif chance < wrong + misheard:
            other = (written + 1 + int(draw.integers(19))) % 20
            nats[other] = draw.normal(6, 2.0)
        slots.append(SlotTable(WORDS[written], -20.0, np.arange(20), nats))
        is_wrong.append(chance < wrong)
    gaps = [slot("", "", draw) for _ in range(3000)]
    return [*slots, *gaps], np.array(is_wrong)


def test_what_is_misheard_is_told_from_what_is_wrong():
    slots, wrong = misheard_corpus(1, misheard=0.1, wrong=0.05)
    noise, posteriors = judged(slots)
    assert noise.substituted == pytest.approx(0.05, abs=0.02)
    believed = posteriors.another.sum(1)[: len(wrong)]
    assert (believed[wrong] > 0.5).mean() > 0.9
    assert (believed[~wrong] > 0.5).mean() < 0.02


def test_lines_that_are_heard_badly_are_trusted_less():
    clear, _ = corpus(6, 0.0, 0.0, 0.0)
    draw = np.random.default_rng(7)
    unclear = []
    for one in clear[:1000]:
        noise = draw.normal(0, 12.0, len(one.nats))
        unclear.append(SlotTable(one.written, one.nothing, one.words, one.nats + noise))
    _, posteriors = judged([*clear, *unclear])
    trusts = posteriors.weights.argmax(1)
    assert trusts[len(clear) // 10 :].mean() < trusts[: len(clear) // 10].mean()


def test_without_slots_nothing_is_believed():
    noise, posteriors = judged([])
    assert posteriors.another.shape[0] == 0
    assert noise.substituted == WordNoise(noise.bias).substituted


def test_where_lines_fall_short_what_fits_as_badly_as_a_wrong_word_was_misheard():
    slots, wrong = corpus(8, 0.02, 0.0, 0.0)
    draw = np.random.default_rng(9)
    shortfalls = draw.uniform(0.0, 1.0, len(slots) // 10)
    is_short = draw.random(len(shortfalls)) < 1 / 6
    shortfalls[is_short] += 20.0
    of_short = np.repeat(is_short, 10)
    is_word = np.array([not one.gap for one in slots])
    misheard = of_short & is_word & ~wrong & (draw.random(len(slots)) < 0.5)
    for row in np.flatnonzero(misheard):
        slots[row] = slot(slots[row].written, str(draw.choice(WORDS)), draw)
    lines = [slots[start : start + 10] for start in range(0, len(slots), 10)]

    def suspected(shortfalls):
        model = WordModel(SlotArrays(lines, VOCABULARY, shortfalls))
        posteriors = model.posteriors(model.fit())
        return posteriors.another.sum(1) > 0.5

    not_known = suspected(())
    known = suspected(shortfalls.tolist())
    assert not_known[misheard].mean() > 0.9
    assert known[misheard].mean() < 0.1
    assert known[wrong & ~of_short].mean() > 0.9
