"""The tally of a check adds up over batches and ranks; silent scenes are in none."""

from __future__ import annotations

import math

import pytest

from ctcasr.enhance.check_tally import CheckTally
from ctcasr.scoring.distortion import Distortions


def tally(*scenes: tuple[str, float, float, float]) -> CheckTally:
    """Scenes as (id, dB before, dB after, loss)."""
    distortions = Distortions(
        tuple(before for _, before, _, _ in scenes), tuple(after for _, _, after, _ in scenes)
    )
    return CheckTally(
        distortions,
        loss_sum=sum(loss for _, _, _, loss in scenes),
        listener_sum=2.0 * len(scenes),
        scenes=len(scenes),
        samples=CheckTally.samples_of([name for name, _, _, _ in scenes], distortions),
    )


ONE, TWO = ("a", 0.0, 5.0, -5.0), ("b", 1.0, 2.0, -2.0)


def test_parts_add_up_to_the_whole_in_the_order_of_the_ranks() -> None:
    merged = tally(ONE).merged(lambda own: [own, tally(TWO)])
    assert merged == tally(ONE, TWO)
    assert merged.loss == pytest.approx(-3.5) and merged.listener_loss == pytest.approx(2.0)
    assert [sample["id"] for sample in merged.samples] == ["a", "b"]
    assert (
        merged.samples[0]["reference"] == "0.0 dB" and merged.samples[0]["hypothesis"] == "5.0 dB"
    )


def test_nothing_scored_is_not_good() -> None:
    empty = CheckTally()
    assert empty.loss == math.inf and empty.listener_loss is None
    assert (empty + tally(ONE)) == tally(ONE)
