"""The deaf model is the best table there is, and knows what does not listen."""

from __future__ import annotations

import math

import pytest
import torch

from ctcasr.diagnose.deaf import DeafModel, rolled
from ctcasr.diagnose.outputs import output_stats


@pytest.fixture
def texts() -> tuple[torch.Tensor, tuple[int, ...], tuple[int, ...]]:
    """Targets that begin with 1 and end with 2, any of 3..5 between; rows of different length."""
    draw = torch.Generator().manual_seed(0)
    middle = torch.randint(3, 6, (40,), generator=draw).tolist()
    return torch.tensor([x for m in middle for x in (1, m, 2)]), tuple(range(6, 46)), (3,) * 40


def test_each_round_of_fitting_lowers_the_loss(
    texts: tuple[torch.Tensor, tuple[int, ...], tuple[int, ...]],
) -> None:
    losses = [
        float(DeafModel.fit(*texts, 6, rounds=rounds).nll(*texts).mean())
        for rounds in (1, 3, 9, 27)
    ]
    assert losses == sorted(losses, reverse=True)


def test_it_learns_what_position_tells_and_no_more(
    texts: tuple[torch.Tensor, tuple[int, ...], tuple[int, ...]],
) -> None:
    loss = float(DeafModel.fit(*texts, 6, rounds=60).nll(*texts).mean())
    assert (
        math.log(3) * 0.9 < loss < 2.5 * math.log(3)
    )  # the middle label is one of three; nobody can know which


def test_rows_of_probabilities(
    texts: tuple[torch.Tensor, tuple[int, ...], tuple[int, ...]],
) -> None:
    table = DeafModel.fit(*texts, 6).table
    torch.testing.assert_close(table.sum(1), torch.ones(len(table)))
    assert bool((table > 0).all())


def test_without_a_path_there_is_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="at least one utterance"):
        DeafModel.fit(torch.tensor([1, 2, 3]), (2,), (3,), 4)


def test_a_model_that_hears_loses_with_the_wrong_audio_and_a_deaf_one_does_not() -> None:
    labels = torch.tensor([1, 2, 3, 1])
    hearing = torch.full((4, 5, 4), -5.0)
    for row, label in enumerate(labels.tolist()):
        hearing[row, 2, label] = 5.0
        hearing[row, [0, 1, 3, 4], 0] = 5.0
    assert rolled(hearing, (5,) * 4, labels, (1,) * 4).gap > 5
    deaf = hearing[:1].expand(4, -1, -1).clone()
    assert abs(rolled(deaf, (5,) * 4, labels, (1,) * 4).gap) < 1e-5


def test_pairs_with_the_same_target_say_nothing() -> None:
    out = rolled(torch.randn(3, 4, 3), (4,) * 3, torch.tensor([1, 1, 1]), (1,) * 3)
    assert out.pairs == 0 and math.isnan(out.gap)


def test_probabilities_are_told_from_logits() -> None:
    logits = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(0))
    assert output_stats(logits, (7, 5, 2))["already_softmax"] < 0.1
    assert output_stats(logits.softmax(2), (7, 5, 2))["already_softmax"] == 1.0


def test_spread_is_zero_where_nothing_varies() -> None:
    row = torch.randn(1, 7, 5, generator=torch.Generator().manual_seed(0))
    same = output_stats(row.expand(3, -1, -1), (7, 7, 7))
    assert same["spread_utterances"] < 1e-9 < same["spread_frames"]
    assert output_stats(row[:, :1].expand(3, 7, -1), (7, 5, 2))["spread_frames"] < 1e-9
