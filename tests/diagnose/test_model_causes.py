"""Causes in the network and in what the loss is told."""

from __future__ import annotations

from typing import Any

import pytest

from ctcasr.diagnose import verdict
from tests.fixtures.run_records import run_records

PLATEAU = [1.0, 1.0]
BY_BATCH = {"nll_few": 20.0, "nll_batch_statistics": 4.0, "deaf": 10.0}


@pytest.mark.parametrize(
    ("slug", "changes"),
    [
        ("input-lengths-wrong", {"dev": {"wrong_lengths": 0.5}}),
        ("zero-infinity-hides-rows", {"step": {"no_path": 2}}),
        ("stride-too-large", {"step": {"no_path": 2, "infeasible": 2}}),
        ("stride-too-large", {"report": {"infeasible": 6}}),
        ("input-lengths-wrong", {"corpus": {"train": {"rows": 40, "full_lengths": 40}}}),
        ("labels-out-of-range", {"corpus": {"train": {"rows": 40, "out_of_range": 4}}}),
        ("blank-mismatch", {"dev": {"written_differs": 0.9}}),
        ("blank-mismatch", {"corpus": {"train": {"rows": 40, "blank_labels": 20}}}),
        ("scores-not-normalised", {"scores": {"normalised": 0.0, "normalised_over": "time"}}),
        ("softmax-as-logits", {"dev": {"already_softmax": 1.0, "top_probability": 0.1}}),
        ("dead-relu", {"train": {"dead": [0.1, 0.95]}}),
        ("batch-of-one", {"train": {"batch": 1, "normed": 4, "nll_few": 2.0}}),
        ("batch-of-one", {"train": {"batch": 1, "normed": 4}}),
        ("normalisation-differs", {"train": {"features_mode_gap": 0.3}}),
        ("normalisation-differs", {"train": BY_BATCH}),
        (
            "normalisation-statistics",
            {"train": {"features_normalised": 1.0, "features_mean": 4.0, "features_std": 1.0}},
        ),
    ],
)
def test_a_cause_by_its_numbers(slug: str, changes: dict[str, Any]) -> None:
    assert verdict(run_records(PLATEAU, **changes)).causes[0].slug == slug


def test_scores_that_hardly_differ_though_steps_are_usual_are_too_small() -> None:
    flat = run_records(
        [1.0] * 5, [40.0] * 5, dev={"top_probability": 0.1}, step={"update_ratio": 0.01}
    )
    assert verdict(flat).causes[0].slug == "scores-too-small"
    sharp = run_records(
        [1.0] * 5, [40.0] * 5, dev={"top_probability": 0.9}, step={"update_ratio": 0.01}
    )
    assert not verdict(sharp).causes


def test_rows_that_were_left_out_hide_nothing() -> None:
    slugs = [
        c.slug for c in verdict(run_records(PLATEAU, step={"no_path": 1, "infeasible": 1})).causes
    ]
    assert slugs == ["stride-too-large"]


def test_not_one_step_is_a_stride_too_large_by_its_reason() -> None:
    event = {"kind": "event", "step": 0, "message": "reworded"}
    assert verdict([event | {"reason": "no-alignment"}]).causes[0].slug == "stride-too-large"
    named = {"kind": "event", "step": 0, "reason": "infeasible", "ids": ["u7: 3 frames"]}
    assert "u7: 3 frames" in verdict([event | {"reason": "no-alignment"}, named]).causes[0].evidence
    old = {"kind": "event", "step": 0, "what": "skipped-step", "message": "none has an alignment"}
    assert verdict([old]).causes[0].slug == "stride-too-large"


def test_running_statistics_may_lag_behind_for_a_check() -> None:
    assert not verdict(run_records([1.0], train=BY_BATCH)).causes
