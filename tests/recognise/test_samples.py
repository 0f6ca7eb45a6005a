"""Samples of a check: spikes are the collapsed best path, blanks the posteriors."""

from __future__ import annotations

from pathlib import Path

import torch

from ctcasr.batch import Utterance
from ctcasr.recognise.samples import sample
from ctcasr.text import Alphabet


def test_spikes_spell_what_is_written_and_blanks_are_posteriors() -> None:
    alphabet = Alphabet.english38()
    path = [0, 3, 3, 0, 3, 2, 2, 0]
    logits = torch.full((len(path), alphabet.size), -4.0)
    for frame, label in enumerate(path):
        logits[frame, label] = 4.0 + 0.1 * frame
    found = sample(Utterance(Path("a.wav")), "bb a", "bba", logits, alphabet)
    assert [(frame, symbol) for frame, symbol, _ in found["spikes"]] == [
        (2, "b"),
        (4, "b"),
        (6, "a"),
    ]
    assert found["blank"] == [round(float(p), 2) for p in logits.softmax(1)[:, 0]]
    assert all(0.5 < p <= 1 for _, _, p in found["spikes"])
