"""Cuts: what is heard between two times of a recording, and what a run wrote of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.data import read_manifest
from ctcasr.text import Alphabet
from ctcasr.word_times import Cut, find_cuts, learn_aligner
from ctcasr.word_times.aligner import SILENCE_COLUMN
from ctcasr.word_times.cuts import UNKNOWN, saved_cuts

CUT = Cut(("a", "b"), (0.0, 0.05, 0.1), states=(0, 1, 1, 2, 2, 3, 3, 4, 4, 0))


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_slower_each_state_lasts_longer_and_faster_they_are_thinned(factor: int) -> None:
    states = torch.tensor(CUT.states)
    slower = CUT.states_between(0.0, 0.1, factor * len(states))
    assert torch.equal(slower, states.repeat_interleave(factor))
    faster = CUT.states_between(0.0, 0.1, 5)
    assert torch.equal(faster, states[1::2])


def test_a_part_is_that_part_and_beyond_the_ends_the_ends_go_on() -> None:
    assert CUT.states_between(0.03, 0.07, 4).tolist() == [2, 2, 3, 3]
    assert CUT.states_between(0.08, 0.12, 4).tolist() == [4, 0, 0, 0]
    assert CUT.states_between(0.05, 0.05, 0).tolist() == []


def test_of_what_nobody_aligned_nothing_is_known() -> None:
    assert Cut((), ()).states_between(0.0, 1.0, 3).tolist() == [UNKNOWN] * 3


def test_cuts_come_back_from_a_run_and_from_one_that_knew_no_states(tmp_path: Path) -> None:
    for state in (CUT.states, None):
        entry = [CUT.words, CUT.edges_s] if state is None else [CUT.words, CUT.edges_s, state]
        corpus = {"cuts": [entry, None]} | ({} if state is None else {"states": 5})
        checkpoint.save(tmp_path / "last.pt", {"training": {"corpus": corpus}})
        cuts, count = saved_cuts(checkpoint.load(tmp_path / "last.pt"))
        known = CUT if state else Cut(CUT.words, CUT.edges_s)
        assert cuts == [known, None]
        assert count == (5 if state else 0)
    assert saved_cuts({}) == ([], 0)


def test_words_are_said_between_their_edges(data_root: Path) -> None:
    utterances = read_manifest(data_root / "grid_s1" / "valid.jsonl").utterances[:30]
    alphabet = Alphabet.english38()
    aligner = learn_aligner(utterances, alphabet, 16000)
    assert aligner is not None
    for cut in find_cuts(aligner, utterances, alphabet):
        assert cut is not None
        assert set(cut.states) <= set(range(aligner.states))
        states = torch.tensor(cut.states).unique_consecutive()
        wanted = torch.from_numpy(aligner.sentence(cut.words).columns).unique_consecutive()
        heard = states[states != SILENCE_COLUMN].tolist()
        assert heard == wanted[wanted != SILENCE_COLUMN].tolist(), "silence may be passed over"
