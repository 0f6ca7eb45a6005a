from __future__ import annotations

import itertools

import numpy as np
import pytest

from ctcasr.word_times.features import Array
from ctcasr.word_times.slot_paths import NEVER
from ctcasr.word_times.slots import Lexicon, Slots

# Columns: silence, then a, b, c; words "ab" and "c", and what is no word: d.
LEXICON = Lexicon(("ab", "c"), np.array([[1, 2, 0], [3, 0, 0], [4, 4, 4]]), np.array([2, 1, 3]), 4)
SILENCE_STATES = 3
FRAMES = 6


def random_slots(seed: int, slots: int) -> tuple[Array, Slots]:
    draw = np.random.default_rng(seed)
    nats = draw.normal(size=(slots, 3)) - 1
    return draw.normal(size=(FRAMES, 5)), Slots(LEXICON, nats, draw.normal(size=slots) - 1)


def ways(slots: int) -> list[list[list[int]]]:
    """Everything that may be said: of each slot a word or -1, with silences in between."""
    said = []
    for held in itertools.product((-1, 0, 1, 2), repeat=slots):
        for hushes in itertools.product((0, 1, 2), repeat=slots + 1):
            said.append([list(held), list(hushes)])
    return said


def best_nats(scores: Array, slots: Slots, held: list[int], hushes: list[int]) -> float:
    """Nats of the best alignment with these words, and so many silences at each junction."""
    columns: list[int] = [0] * SILENCE_STATES * hushes[0]
    total = 0.0
    for slot, word in enumerate(held):
        if word < 0:
            total += slots.empty[slot]
        else:
            total += slots.nats[slot, word]
            columns += LEXICON.columns[word, : LEXICON.counts[word]].tolist()
        columns += [0] * SILENCE_STATES * hushes[slot + 1]
    if not columns or len(columns) > len(scores):
        return -np.inf
    at = np.full(len(columns), -np.inf)
    at[0] = scores[0, columns[0]]
    for frame in scores[1:]:
        before = np.concatenate([[-np.inf], at[:-1]])
        at = np.maximum(at, before) + frame[columns]
    return total + float(at[-1])


@pytest.mark.parametrize(("seed", "slots"), [(0, 1), (1, 2), (2, 2), (3, 2)])
def test_the_best_path_is_the_best_of_all_ways(seed: int, slots: int) -> None:
    scores, graph = random_slots(seed, slots)
    path = graph.path(scores)
    assert path is not None
    best = max(best_nats(scores, graph, *way) for way in ways(slots))
    assert path.junctions[-1, -1] == pytest.approx(best)
    held = [-1 if word is None else LEXICON.words.index(word) for word in path.words]
    with_noise = [
        [noise if word < 0 else word for word, noise in zip(held, noises, strict=True)]
        for noises in itertools.product((-1, 2), repeat=slots)
    ]
    hushes = [way[1] for way in ways(slots)]
    again = max(best_nats(scores, graph, *way) for way in itertools.product(with_noise, hushes))
    assert again == pytest.approx(best)


@pytest.mark.parametrize("seed", range(3))
def test_nats_of_each_word_in_each_slot_are_those_of_the_best_way_through_it(seed: int) -> None:
    scores, graph = random_slots(seed, slots=2)
    path = graph.path(scores)
    assert path is not None
    words, over = graph.through(scores, path.junctions)
    for slot in range(2):
        for word in range(3):
            wanted = max(best_nats(scores, graph, *way) for way in ways(2) if way[0][slot] == word)
            assert words[slot, word] == pytest.approx(wanted)
        empty = max(best_nats(scores, graph, *way) for way in ways(2) if way[0][slot] == -1)
        assert over[slot] + graph.empty[slot] == pytest.approx(empty)


def test_words_that_are_alone_are_tried_in_their_own_slot_only() -> None:
    scores, graph = random_slots(5, slots=2)
    context = np.full(graph.nats.shape, NEVER)
    context[0, 0] = context[1, 1] = 0.0
    nowhere = np.full(2, NEVER)
    path = Slots(LEXICON, context, nowhere).path(scores)
    assert path is not None
    assert path.words == ("ab", "c")
    tried = Slots(LEXICON, np.zeros(graph.nats.shape), nowhere)
    words, _ = tried.through(scores, path.junctions, context == NEVER)
    for word in range(3):
        ways_of_first = [way for way in ways(2) if way[0] == [word, 1]]
        wanted = max(best_nats(scores, tried, *way) for way in ways_of_first)
        assert words[0, word] == pytest.approx(wanted)


def test_frames_of_what_is_no_word_count_as_silence() -> None:
    scores = np.full((FRAMES, 5), -9.0)
    scores[:, 4] = 0.0
    path = Slots(LEXICON, np.zeros((1, 3)), np.full(1, NEVER)).path(scores)
    assert path is not None
    assert path.words == (None,)
    assert path.columns.tolist() == [0] * FRAMES


def test_without_room_there_is_no_path() -> None:
    graph = Slots(LEXICON, np.array([[0.0, NEVER, NEVER]]), np.full(1, NEVER))
    assert graph.path(np.zeros((1, 5))) is None
    assert graph.path(np.zeros((0, 5))) is None
