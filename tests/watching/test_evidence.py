"""Evidence from scores and targets alone: errors, losses, and whether anybody listens."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ctcasr.watching.evidence import (
    LabelErrors,
    RowEvidence,
    errors_of,
    holds_probabilities,
    mean_nll,
)
from ctcasr.watching.loss_call import SeenRows

CLASSES = 5


def spelled(*texts: list[int], sharpness: float = 8.0) -> SeenRows:
    """Rows whose best path spells each text, a blank between any two labels."""
    frames = max(2 * len(text) + 1 for text in texts)
    scores = torch.zeros(len(texts), frames, CLASSES)
    for row, text in enumerate(texts):
        best = torch.zeros(frames, dtype=torch.long)
        best[1 : 2 * len(text) : 2] = torch.tensor(text)
        scores[row, torch.arange(frames), best] = sharpness
    targets = tuple(torch.tensor(text) for text in texts)
    return SeenRows(scores.log_softmax(2), (frames,) * len(texts), targets, blank=0)


def test_what_is_spelled_has_no_errors() -> None:
    errors = errors_of(spelled([1, 2], [3, 3, 4]))
    assert errors.labels == 5
    assert errors.label_error_rate == errors.cer == 0.0
    assert math.isnan(errors.wer)  # nobody said what the labels spell


def test_labels_that_can_be_decoded_give_words() -> None:
    symbols = "?ab c"
    rows = spelled([1, 3, 2], [4])
    errors = errors_of(rows, decode=lambda labels: "".join(symbols[label] for label in labels))
    assert errors.wer == 0.0
    assert errors.texts.words.total == 3  # "a b" and "c"


def test_a_rate_of_nothing_is_no_number() -> None:
    assert math.isnan(LabelErrors().label_error_rate)
    assert math.isnan(LabelErrors().wer)


def test_a_row_without_a_path_is_left_out_of_the_mean() -> None:
    rows = spelled([1, 2], [3])
    too_long = SeenRows(
        rows.scores, rows.input_lengths, (rows.targets[0], torch.tensor([1] * 9)), 0
    )
    assert mean_nll(too_long) == pytest.approx(mean_nll(rows.first(1)))
    assert math.isnan(mean_nll(SeenRows(rows.scores[1:], (5,), (torch.tensor([1] * 9),), 0)))


def test_who_listens_pays_for_the_wrong_audio_and_who_does_not_pays_nothing() -> None:
    texts = [[1, 2], [3, 4], [2, 4], [4, 1]]
    evidence = RowEvidence()
    listening = evidence.of(spelled(*texts))
    assert listening["other"] > listening["own"] + 10
    deaf_scores = spelled(*texts, sharpness=0.0)
    deaf = evidence.of(deaf_scores)
    assert deaf["other"] == pytest.approx(deaf["own"])


def test_the_deaf_model_is_fitted_on_targets_of_training() -> None:
    rows = spelled([1, 2], [3, 4], [1, 3])
    evidence = RowEvidence()
    assert math.isnan(evidence.of(rows)["deaf"])
    evidence.learn_targets(rows)
    fitted = evidence.of(rows)["deaf"]
    assert 0 < fitted < evidence.of(rows)["uniform"]


def test_nothing_is_drawn_from_the_loops_random_numbers() -> None:
    state = torch.get_rng_state()
    evidence = RowEvidence()
    evidence.learn_targets(spelled([1, 2], [3, 4]))
    evidence.of(spelled([1, 2], [3, 4]))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_softmax_before_the_log_softmax_is_found() -> None:
    for sharpness in (0.0, 0.5, 2.0, 8.0, 30.0):
        rows = spelled([1, 2], [3, 4], sharpness=sharpness)
        assert not holds_probabilities(rows)
    twice = SeenRows(rows.scores.exp().log_softmax(2), rows.input_lengths, rows.targets, 0)
    assert holds_probabilities(twice)
    evidence = RowEvidence()
    assert evidence.of(twice)["already_softmax"] == 0.0  # once may be chance
    assert evidence.of(twice)["already_softmax"] == 1.0
    assert holds_probabilities(SeenRows(rows.scores.exp(), (5, 5), rows.targets, 0))


def test_a_decoder_that_drops_another_symbol_reads_otherwise() -> None:
    rows = spelled([1, 2], [3, 4])
    assert "written_differs" not in RowEvidence(decoder_blank=0).of(rows)
    assert RowEvidence(decoder_blank=4).of(rows)["written_differs"] == 1.0


def test_no_rows_have_no_loss_and_are_no_error() -> None:
    rows = spelled([1, 2]).first(0)
    assert math.isnan(RowEvidence().of(rows)["nll"])


@pytest.mark.parametrize("decode", [lambda labels: "?abcd"[labels[0]], lambda labels: [*labels]])
def test_a_decode_that_fails_is_named_once_and_labels_are_compared_instead(decode: Any) -> None:
    evidence = RowEvidence(decode)
    unspelled = spelled([1, 2], [3], sharpness=0.0)  # of equal scores the blank is the best
    with pytest.warns(UserWarning, match=r"of labels from here on, for decode\(\[") as warned:
        told = evidence.of(unspelled)
        evidence.of(unspelled)
    assert len(warned) == 1
    assert told["cer"] == 1.0
    assert math.isnan(told["wer"])
