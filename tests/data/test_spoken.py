"""Speech on the fly: the same from (seed, epoch, index) in any process, never twice."""

from __future__ import annotations

import copy
import pickle
import string
from itertools import pairwise
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.data import Item, Loader, SpokenCorpus, WordTexts, measure_workers
from ctcasr.data.corpus import has_room
from ctcasr.data.synth import DIGITS, split_voices
from ctcasr.text import Alphabet

LINES = ["THE CAT SAT ON THE MAT", "a dog", "the dog sat"]


def spoken(hours: float = 0.02, **how: object) -> SpokenCorpus:
    pytest.importorskip("espeakng_loader")
    texts = WordTexts(LINES)
    return SpokenCorpus(texts, Alphabet.english38(), 16000, hours, words=(1, 5), **how)  # type: ignore[arg-type]


def item(corpus: SpokenCorpus, index: int, **key: int) -> Item:
    found = corpus.item(index, **key)
    assert isinstance(found, Item)
    return found


# texts


@given(st.integers(1, 30), st.integers(0, 2**32))
def test_texts_have_as_many_words_as_asked_and_only_known_ones(count: int, seed: int) -> None:
    texts = WordTexts(LINES)
    written, aloud = texts(Random(seed), count)
    known = {"the", "cat", "sat", "on", "mat", "a", "dog", *string.ascii_lowercase, *DIGITS}
    assert len(written.split()) == len(aloud.split()) == count and set(written.split()) <= known
    assert (written, aloud) == texts(Random(seed), count)


def test_words_follow_each_other_as_in_the_lines() -> None:
    texts = WordTexts(["x y z"], symbols=False)
    assert texts(Random(0), 7)[0] == "x y z x y z x"
    pairs = {
        pair
        for seed in range(50)
        for words in [WordTexts(LINES, symbols=False)(Random(seed), 8)[0].split()]
        for pair in pairwise(words)
    }
    assert ("cat", "sat") in pairs and ("cat", "dog") not in pairs and ("mat", "the") in pairs


def test_letters_and_digits_are_said_by_their_names() -> None:
    pairs = [
        pair
        for seed in range(300)
        for pair in zip(
            *(part.split() for part in WordTexts(["moon"])(Random(seed), 6)), strict=True
        )
    ]
    assert {aloud for written, aloud in pairs if written == "a"} == {"eh"}
    assert {aloud for written, aloud in pairs if written == "z"} == {"z", "zed"}
    assert {written for written, _ in pairs} == {"moon", *string.ascii_lowercase, *DIGITS}
    assert 0.1 < sum(written != "moon" for written, _ in pairs) / len(pairs) < 0.3


@pytest.mark.parametrize("lines", [[], ["", "  "]])
def test_texts_want_words(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="lines with words"):
        WordTexts(lines)


# speech


def test_an_utterance_follows_from_seed_epoch_and_index() -> None:
    corpus, twin = spoken(), pickle.loads(pickle.dumps(spoken()))
    first = item(corpus, 3, seed=1, epoch=2)
    item(twin, 5, seed=9, epoch=9)  # what was said before changes nothing
    again = item(twin, 3, seed=1, epoch=2)
    assert (
        torch.equal(first.samples, again.samples)
        and first.utterance == again.utterance
        and first.seed == again.seed
    )
    others = [
        item(corpus, 3, seed=1, epoch=3),
        item(corpus, 3, seed=2, epoch=2),
        item(corpus, 4, seed=1, epoch=2),
    ]
    assert all(
        other.samples.shape != first.samples.shape or not torch.equal(other.samples, first.samples)
        for other in others
    )


def test_no_epoch_repeats_another_unless_it_is_asked_to() -> None:
    def said(corpus: SpokenCorpus, epoch: int) -> list[tuple[str | None, str | None, float | None]]:
        return [
            (u.text, u.speaker, u.duration)
            for u in (item(corpus, index, epoch=epoch).utterance for index in range(6))
        ]

    assert not set(said(spoken(), 0)) & set(said(spoken(), 1))
    fixed = spoken(fixed=True)
    assert said(fixed, 0) == said(fixed, 1)


def test_the_line_tells_what_was_said_and_by_whom() -> None:
    corpus = spoken(voices=["en-us+f1", "en+m2"])
    for index in range(4):
        one = item(corpus, index)
        assert (
            one.tokens == Alphabet.english38().encode(one.utterance.text or "")
            and one.utterance.speaker in corpus.voices
        )
        assert (
            one.utterance.duration == len(one.samples) / 16000
            and float(one.samples.abs().max()) > 0.01
        )
    assert set(spoken().voices) == set(split_voices()[0])


def test_planned_durations_are_about_those_that_come() -> None:
    corpus = spoken(0.05)
    planned, real = (
        corpus.durations[:30],
        [len(item(corpus, index).samples) / 16000 for index in range(30)],
    )
    assert 0.75 < sum(planned) / sum(real) < 1.3
    assert corpus.seconds == pytest.approx(0.05 * 3600, rel=0.15)


def test_worker_processes_say_the_same_batches() -> None:
    corpus = spoken(0.01)
    here, there = (Loader(corpus, batch_size=4, seed=3, workers=workers) for workers in (0, 2))
    for mine, theirs in zip(here.epoch(1), there.epoch(1), strict=True):
        assert mine is not None and theirs is not None and mine.seeds == theirs.seeds
        assert torch.equal(mine.audio.data, theirs.audio.data) and torch.equal(
            mine.targets, theirs.targets
        )
    there.close()


def test_workers_are_measured_by_speaking() -> None:
    assert measure_workers(spoken(), batch_size=16, step_s=1e-3, cores=4, budget_s=0.05) == 3
    assert measure_workers(spoken(), batch_size=1, step_s=1e3, budget_s=0.05) == 0


@pytest.mark.parametrize("how", [{"hours": 0.0}, {"words": (0, 3)}, {"words": (5, 3)}])
def test_wrong_settings_are_refused(how: dict) -> None:
    with pytest.raises(ValueError, match="expected hours > 0"):
        SpokenCorpus(WordTexts(LINES), None, 16000, **{"hours": 1.0, **how})


def test_a_text_without_room_is_said_slowly() -> None:
    pytest.importorskip("espeakng_loader")
    texts = WordTexts(["unbelievably uncharacteristically"], symbols=False)
    hurried = SpokenCorpus(
        texts, Alphabet.english38(), 16000, 0.005, words=(4, 4), rates_wpm=(120, 400)
    )
    free = copy.copy(hurried)
    free.frame_s = 0.0
    lacking = 0
    for index in range(len(free)):
        as_it_comes = free.item(index)
        with_room = hurried.item(index)
        assert isinstance(as_it_comes, Item) and isinstance(with_room, Item)
        assert with_room.tokens == as_it_comes.tokens
        assert has_room(with_room, 16000, 0.04)
        lacking += not has_room(as_it_comes, 16000, 0.04)
    assert lacking > 0


def test_what_was_said_is_transformed_from_the_second_epoch_on() -> None:
    plain = spoken(noise_share=0.0)
    louder = copy.copy(plain)
    louder.transform = lambda samples, generator, utterance: 2 * samples
    for epoch, factor in ((0, 1), (1, 2)):
        said, changed = plain.item(3, epoch=epoch), louder.item(3, epoch=epoch)
        assert isinstance(said, Item) and isinstance(changed, Item)
        assert torch.equal(changed.samples, factor * said.samples)
