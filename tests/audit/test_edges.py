"""Whether a recording ends while somebody speaks."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch

from ctcasr.audit import Heard, judge
from ctcasr.audit.edges import edges_of
from ctcasr.batch import Utterance
from tests.audit.conftest import ALPHABET, heard_as, sentence

BLANK = 0


def quiet(frames: int) -> torch.Tensor:
    """Log-probabilities of frames in which nobody speaks."""
    logits = torch.zeros(frames, ALPHABET.size)
    logits[:, BLANK] = 9.0
    return logits.log_softmax(1)


def spoken(text: str, line: int, before: int = 8, behind: int = 12, lost: int = 0) -> Heard:
    """A line with silences around its speech, of which the last frames are lost."""
    heard = heard_as(text, text, line)
    kept = heard.log_probs[: len(heard.log_probs) - lost]
    tail = [] if lost else [quiet(behind + line % 3)]
    log_probs = torch.cat([quiet(before + line % 2), kept, *tail])
    return Heard(heard.utterance, text, log_probs, text)


@pytest.fixture
def whole() -> list[Heard]:
    draw = Random(3)
    return [spoken(sentence(draw), line) for line in range(1, 41)]


def test_a_recording_that_ends_in_speech_stands_out(whole):
    cut = spoken("bin red two soon please", 41, lost=19)
    edges = edges_of([*whole, cut], BLANK)
    assert edges[-1].ends_in_speech > 2
    assert edges[-1].begins_in_speech < 0
    assert max(line.ends_in_speech for line in edges[:-1]) < 0


def test_where_all_recordings_end_in_speech_that_says_nothing(whole):
    tight = [spoken(line.text, number, lost=4) for number, line in enumerate(whole, 1)]
    edges = edges_of(tight, BLANK)
    assert max(abs(line.ends_in_speech) for line in edges) < 1.5


def test_without_symbols_nothing_is_said(whole):
    nothing = Heard(Utterance(Path("u.wav"), 1.0, "bin"), "bin", quiet(40), "")
    assert edges_of([*whole, nothing], BLANK)[-1].ends_in_speech == 0
    assert {line.ends_in_speech for line in edges_of([nothing] * 3, BLANK)} == {0.0}


def test_one_cut_line_among_many_whole_ones_is_called_cut(whole, spelling):
    text = "bin red two soon please"
    cut = spoken(text, 41, lost=15)
    verdict = judge([*whole, cut], spelling).lines[-1]
    assert verdict.kind == "cut"
    assert text.startswith(verdict.suggestion) and verdict.suggestion != text
