"""The tally of a check: parts add up to the whole, in whatever process they were counted."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from ctcasr.batch import Batch, Utterance
from ctcasr.ctc import ctc_loss
from ctcasr.recognise.check_tally import CheckTally
from ctcasr.seq import Seq
from tests.recognise.helpers import ALPHABET, RATE, network, noise

TEXTS = ("ab", "c a", "abcabcabcabc", "b")
SAMPLES = (RATE, 4000, 300, 6000)
MODEL = network()


def batch(rows: range) -> Batch:
    tokens = [ALPHABET.encode(TEXTS[row]) for row in rows]
    return Batch(
        tuple(Utterance(Path(f"{row}.wav"), text=TEXTS[row]) for row in rows),
        Seq.stack([noise(SAMPLES[row], row) for row in rows], RATE),
        torch.tensor([token for row in tokens for token in row]),
        tuple(len(row) for row in tokens),
    )


@torch.no_grad()
def tally(rows: range) -> CheckTally:
    part = batch(rows)
    logits = MODEL(part.audio)
    losses, report = ctc_loss(
        logits.data,
        part.targets,
        logits.lengths,
        part.target_lengths,
        reduction="none",
        zero_infinity=True,
        return_report=True,
    )
    hypotheses = ["ab", "", "abc", "b"][rows.start : rows.stop]
    return CheckTally.of(part, hypotheses, logits, losses, report, ALPHABET)


def test_parts_add_up_to_the_whole() -> None:
    whole, parts = tally(range(4)), tally(range(1)) + tally(range(1, 3)) + tally(range(3, 4))
    assert whole.feasible == parts.feasible == 3
    assert parts.metrics() == pytest.approx(whole.metrics(), rel=1e-5)
    assert whole.report is not None and parts.report is not None
    assert parts.report.summary() == pytest.approx(whole.report.summary(), rel=1e-4)
    assert whole.metrics()["empty_hypotheses"] == 1 and whole.metrics()["utterances"] == 4


def test_ranks_are_merged_in_their_order() -> None:
    mine, other = tally(range(2)), tally(range(2, 4))
    merged = mine.merged(lambda own: [own, other])
    assert [sample["id"] for sample in merged.samples] == ["0", "1", "2", "3"]
    assert merged.metrics() == pytest.approx((mine + other).metrics())


def test_nothing_scored_is_not_good() -> None:
    empty = CheckTally().merged(lambda own: [own, CheckTally()])
    assert empty.loss == math.inf and empty.report is None
    assert empty.errors.words.rate_or(math.inf) == math.inf
