"""Where the loss goes and what becomes of the weights, by numbers."""

from __future__ import annotations

from typing import Any

from ctcasr.diagnose import verdict
from tests.fixtures.run_records import run_records


def slugs(records: list[dict[str, Any]]) -> list[str]:
    return [cause.slug for cause in verdict(records).causes]


def test_a_loss_with_a_minus_before_it() -> None:
    step = {"loss": -30.0, "nll": 240.0, "rows": 8.0}
    assert slugs(run_records([1.0, 1.0], step=step)) == ["loss-wrong-sign"]
    assert not slugs(run_records([1.0, 1.0], step=step | {"loss": 30.0}))


def test_a_loss_that_only_rises_is_another_thing_than_one_that_jumps() -> None:
    def course(nats_a_frame: list[float]) -> list[dict[str, Any]]:
        records = run_records([1.0] * len(nats_a_frame), classes=30)
        steps = [record for record in records if record["kind"] == "step"]
        assert len(steps) >= len(nats_a_frame)
        for step, nats in zip(steps, nats_a_frame, strict=False):
            step.update(nll=100 * nats, frames=100.0)
        return records

    rising = course([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
    assert slugs(rising)[0] == "loss-wrong-sign"
    for record in rising:
        record.update(update_ratio=0.3)
    assert "loss-wrong-sign" not in slugs(rising)  # steps so long make any loss rise
    assert "loss-wrong-sign" not in slugs(course([1.0, 8.0, 4.0, 16.0, 2.0, 32.0, 8.0]))


def test_weights_that_shrink_to_nothing() -> None:
    shrunk = {"grown": 0.02}
    assert slugs(run_records([1.0, 1.0], parameters=shrunk)) == ["weight-decay-too-strong"]
    assert not slugs(run_records([1.0, 1.0], parameters={"grown": 0.8}))
    assert not slugs(run_records([1.0, 0.5, 0.4, 0.3], parameters=shrunk))
