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


def test_scores_alike_though_the_weights_have_gone_far_are_too_small_from_the_first_check_on() -> (
    None
):
    def slugs(highest: float, **changes: Any) -> list[str]:
        dev = {"highest": highest, "lowest": 0.0}
        far = {"train": {"nll": 40.0, "deaf": 10.0}, "step": {"update_ratio": 0.02}}
        return [
            c.slug for c in verdict(run_records([1.0], [40.0], dev=dev, **far | changes)).causes
        ]

    assert slugs(0.2) == ["scores-too-small"]
    assert not slugs(2.0)
    assert not slugs(0.2, parameters={"grown": 0.7})


def test_a_symbol_with_which_as_the_blank_utterances_cost_less_is_trained_as_one() -> None:
    def slugs(cost: float, **step: float) -> list[str]:
        train = {"nll_few": 400.0, "nll_few_unsaid_blank": cost}
        records = run_records(PLATEAU, train=train, dev={"unsaid_class": 7}, blank=0, step=step)
        return [cause.slug for cause in verdict(records).causes]

    assert slugs(30.0) == ["blank-mismatch"]
    assert not slugs(390.0)
    assert "blank-mismatch" not in slugs(30.0, update_ratio=0.3)


def test_rows_of_the_dev_part_alone_may_lack_frames_for_another_reason() -> None:
    both = run_records(PLATEAU, report={"infeasible": 6}, step={"no_path": 2, "infeasible": 2})
    assert verdict(both).causes[0].confidence > 0.9
    alone = run_records(PLATEAU, report={"infeasible": 6})
    assert verdict(alone).causes[0].confidence < 0.7


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
