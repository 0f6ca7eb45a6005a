"""Causes that only the course of a run tells."""

from __future__ import annotations

from ctcasr.diagnose import verdict
from tests.fixtures.run_records import run_records


def slugs(records: list[dict[str, object]]) -> list[str]:
    return [cause.slug for cause in verdict(records).causes]


def test_texts_learnt_by_heart_while_dev_stays_deaf_are_shuffled() -> None:
    records = run_records([1.0] * 6, [10.0] * 6, train={"nll": 3.0})
    assert slugs(records) == ["transcripts-shuffled"]
    assert not slugs(records[:7])  # three checks are no course
    records = run_records([1.0] * 6, [10.0] * 6, train={"nll": 3.0}, dev={"other": 12.0})
    assert not slugs(records)  # the wrong audio costs loss: something is heard


def test_a_known_training_part_beside_a_dev_part_not_understood_is_a_model_too_large() -> None:
    assert slugs(run_records([0.9] * 4, [8.0] * 4, train={"cer": 0.05})) == ["model-too-large"]
    assert not slugs(run_records([0.9] * 4, [8.0] * 4, train={"cer": 0.5}))


def test_training_utterances_known_once_are_not_known_by_heart() -> None:
    records = run_records([0.9] * 4, [8.0] * 4, train={"cer": 0.3})
    records[-1]["evidence"]["train"]["cer"] = 0.05
    assert not slugs(records)


def test_deletions_that_a_blank_penalty_mends_are_peaky() -> None:
    dev = {
        "cer": 0.4,
        "nll": 4.0,
        "deletions": 0.38,
        "insertions": 0.0,
        "cer_blank_minus_2": 0.2,
        "cer_blank_minus_5": 0.1,
    }
    peaky = run_records([0.4] * 4, dev=dev, report={"blank_excess": 0.1})
    assert slugs(peaky) == ["over-peaky"] and "5 nats lower" in verdict(peaky).causes[0].evidence
    assert not slugs(
        run_records(
            [0.4] * 4,
            dev=dev | {"cer_blank_minus_5": 0.39, "cer_blank_minus_2": 0.39},
            report={"blank_excess": 0.1},
        )
    )


def test_what_a_lower_blank_mends_is_no_model_too_large() -> None:
    mended = {"cer_blank_minus_2": 0.8, "cer_blank_minus_5": 0.1}
    assert not slugs(run_records([0.9] * 4, [8.0] * 4, train={"cer": 0.05}, dev=mended))


def test_a_short_run_that_nobody_planned_is_not_called_shuffled_at_its_end() -> None:
    finished = {"kind": "event", "step": 60, "reason": "finished"}
    records = run_records([1.0] * 6, [10.0] * 6)[1:]  # without the plan
    assert not slugs([*records, finished])
    records = run_records([1.0] * 18, [10.0] * 18)[1:]
    assert slugs([*records, finished | {"step": 180}]) == ["transcripts-shuffled"]


def test_evaluation_that_adds_to_the_blank() -> None:
    train = {"nll_few": 33.0, "nll_batch_statistics": 11.0, "deaf": 10.0}
    mended = train | {f"nll_few_blank_minus_{nats}": 30.0 - 2.3 * nats for nats in (2, 5, 8)}
    assert slugs(run_records([1.0] * 3, train=mended)) == ["over-peaky"]
    assert "over-peaky" not in slugs(run_records([1.0], train=mended))  # once is nothing
    as_bad = train | {f"nll_few_blank_minus_{nats}": 40.0 for nats in (2, 5, 8)}
    assert "over-peaky" not in slugs(run_records([1.0] * 3, train=as_bad))


def test_a_blank_that_is_always_a_little_too_likely() -> None:
    dev = {
        "cer": 0.3,
        "nll": 4.0,
        "deletions": 0.2,
        "insertions": 0.02,
        "cer_blank_minus_2": 0.28,
        "cer_blank_minus_5": 0.25,
    }
    records = run_records([0.3] * 5, dev=dev, report={"blank_excess": 0.012})
    assert slugs(records) == ["over-peaky"]
    assert not slugs(run_records([0.3] * 5, dev=dev, report={"blank_excess": 0.001}))


def test_a_dev_part_that_gets_worse_beside_training_utterances_known_over_several_checks() -> None:
    losses = [12.0, 10.0, 10.3, 10.5, 10.6, 10.8, 11.0, 11.2, 11.5, 12.0]
    known = run_records([0.9] * 10, losses, train={"cer": 0.4, "nll": 3.0})
    assert "model-too-large" in slugs(known)
    assert "model-too-large" not in slugs(known[:-4])  # some checks of a small dev part are nothing
    fewer = [0.9, 0.9, 0.89, 0.88, 0.87, 0.85, 0.8, 0.8, 0.75, 0.7]
    still_learning = run_records(fewer, losses, train={"cer": 0.4, "nll": 3.0})
    assert "model-too-large" not in slugs(still_learning)
    once = run_records([0.9] * 10, losses, train={"cer": 0.4, "nll": 8.0})
    once[-1]["evidence"]["train"]["nll"] = 3.0  # of the few that one check looks at
    assert "model-too-large" not in slugs(once)
