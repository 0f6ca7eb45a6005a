"""What scores for a batch are worth."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import nn

from ctcasr.batch import Batch, Utterance
from ctcasr.ctc import greedy
from ctcasr.diagnose.scores import mean_nll, penalised_cers, score_stats
from ctcasr.diagnose.yardstick import DeafYardstick
from ctcasr.seq import Seq
from ctcasr.text import Alphabet

ALPHABET = Alphabet(" abc")
TEXTS = ("ab", "ca", "b")


def spoken() -> Batch:
    ids = [ALPHABET.encode(text) for text in TEXTS]
    return Batch(
        tuple(Utterance(Path(f"{text}.wav"), text=text) for text in TEXTS),
        Seq.stack([torch.zeros(6)] * 3, 16000),
        torch.tensor([label for row in ids for label in row]),
        tuple(map(len, ids)),
    )


def perfect() -> Seq:
    """Logits that spell each text."""
    data = torch.full((3, 6, ALPHABET.size), -9.0)
    data[:, :, 0] = 0.0
    for row, text in enumerate(TEXTS):
        for place, label in enumerate(ALPHABET.encode(text)):
            data[row, 1 + 2 * place] = -9.0
            data[row, 1 + 2 * place, label] = 0.0
    return Seq(data, (6, 6, 6), 16000)


def read(logits: Seq, penalty: float) -> list[str]:
    data = logits.data.clone()
    data[:, :, 0] -= penalty
    return [ALPHABET.decode(d.tokens) for d in greedy(data, logits.lengths, 0)]


class Network(nn.Module):
    def frames(self, samples: int) -> int:
        return samples


def test_a_perfect_model_hears_and_makes_no_error() -> None:
    batch = spoken()
    deaf = DeafYardstick(ALPHABET.size, 0)
    deaf.remember(batch, (6, 6, 6))
    logits = perfect()
    stats = score_stats(Network(), batch, logits, list(TEXTS), read(logits, 0), ALPHABET, deaf)
    assert stats.cer == stats.wer == stats.written_differs == stats.wrong_lengths == 0.0
    assert stats.nll < 0.1 < stats.deaf < stats.other and stats.own < 0.1 and stats.pairs == 3
    assert stats.uniform == 6 * math.log(ALPHABET.size)


def test_other_texts_and_other_lengths_are_told() -> None:
    logits = Seq(perfect().data[:, :5], (5, 5, 5), 16000)
    deaf = DeafYardstick(ALPHABET.size, 0)
    stats = score_stats(Network(), spoken(), logits, ["", "", ""], list(TEXTS), ALPHABET, deaf)
    assert stats.deletions == 1.0 and stats.insertions == 0.0
    assert stats.written_differs == 1.0 and stats.wrong_lengths == 1.0 and math.isnan(stats.deaf)


def test_a_penalty_brings_back_what_the_blank_took() -> None:
    batch = spoken()
    logits = perfect()
    data = logits.data.clone()
    data[:, :, 0] += 12.0  # the blank wins everywhere
    logits = logits.with_data(data)
    cers = penalised_cers(batch, logits, read, ALPHABET)
    assert cers["cer_blank_minus_2"] == 1.0 and cers["cer_blank_minus_5"] == 0.0


def test_rows_without_a_path_are_left_out_of_the_loss() -> None:
    short = Seq(perfect().data[:, :1], (1, 1, 1), 16000)
    assert math.isfinite(mean_nll(spoken(), short, 0))  # one row has one label
