from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from ctcasr.word_times.aligner import NO_ENTRY
from ctcasr.word_times.viterbi import NO_ENTRY as NO_ENTRY_OF_KERNEL
from ctcasr.word_times.viterbi import best_path

COLUMNS = np.array([0, 1, 2, 0, 3, 0])
ENTRIES = np.array([NO_ENTRY, NO_ENTRY, NO_ENTRY, NO_ENTRY, 2, NO_ENTRY])
FIRST, LAST = 1, 4


def nats_of(states: tuple[int, ...], scores: np.ndarray) -> float:
    """Nats of a path; -inf where a step is not allowed."""
    if states[0] not in (0, FIRST) or states[-1] not in (LAST, len(COLUMNS) - 1):
        return -math.inf
    for before, after in itertools.pairwise(states):
        if after not in (before, before + 1) and ENTRIES[after] != before:
            return -math.inf
    return sum(scores[frame, COLUMNS[state]] for frame, state in enumerate(states))


@pytest.mark.parametrize("frames", [3, 4, 6])
@pytest.mark.parametrize("seed", range(4))
def test_no_path_is_better(frames: int, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(frames, 4))
    states = np.zeros(frames, np.int64)
    nats = best_path(scores, COLUMNS, ENTRIES, FIRST, LAST, states)
    rivals = itertools.product(range(len(COLUMNS)), repeat=frames)
    assert nats == pytest.approx(max(nats_of(rival, scores) for rival in rivals))
    assert nats_of(tuple(states), scores) == pytest.approx(nats)


def test_too_few_frames_have_no_path() -> None:
    states = np.zeros(2, np.int64)
    assert best_path(np.zeros((2, 4)), COLUMNS, ENTRIES, FIRST, LAST, states) == -math.inf


def test_both_modules_mean_the_same_by_no_entry() -> None:
    assert NO_ENTRY == NO_ENTRY_OF_KERNEL
