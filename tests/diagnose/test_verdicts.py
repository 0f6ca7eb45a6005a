"""The verdict reads nothing but plain records."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from ctcasr.diagnose import verdict
from ctcasr.diagnose.causes import CAUSES
from ctcasr.diagnose.history import RunHistory
from tests.fixtures.run_records import run_records

DOCS = Path(__file__).resolve().parents[2] / "docs" / "causes.md"


def test_a_plateau_is_to_be_waited_for_and_its_release_is_found() -> None:
    cers = [1.0, 0.95, 0.9, 0.7, 0.5, 0.3, 0.2]
    for count in range(1, 4):
        early = verdict(run_records(cers[:count], total=70))
        assert (early.state, early.causes, early.estimated) == ("plateau: wait", (), True)
    after = verdict(run_records(cers))
    assert (after.state, after.release_step, after.estimated) == ("learning", 40, False)


@pytest.mark.parametrize("metrics", [{"accuracy": 0.95}, {"si_sdr_db": 9.0}, {}])
def test_what_is_no_recogniser_is_not_judged(metrics: dict[str, float]) -> None:
    start = {"kind": "start", "step": 0, "steps": 100}
    check = {"kind": "check", "step": 10, "loss": 1.0, **metrics}
    for records in ([], [start], [start, check]):
        judgement = verdict(records)
        assert (judgement.state, judgement.release_step, judgement.last_word) == ("", None, ())


def test_a_loss_that_is_no_number_is_not_the_least() -> None:
    cers = [0.9, 0.5] + [0.1] * 8
    losses: list[float | str] = [30.0, 20.0, *[4.0] * 8]
    records = run_records(cers, losses)
    first_check = next(record for record in records if record["kind"] == "check")
    first_check["loss"] = "nan"
    assert verdict(records).state == "converged"


def test_a_run_that_no_longer_hears_is_not_said_to_hear() -> None:
    records = run_records([0.9, 0.5, 0.4, 0.4, 0.4])
    records[-1]["evidence"]["dev"] |= {"own": 20.0, "other": 19.9, "gap_error": 0.5, "pairs": 8}
    assert "so it does hear" not in " ".join(verdict(records).last_word)


def test_one_low_check_is_no_release() -> None:
    assert verdict(run_records([0.7, 0.9, 0.9, 0.9, 0.9], total=400)).state == "plateau: wait"
    assert RunHistory.of(run_records([0.7, 0.9, 0.6, 0.6, 0.6])).release == 30


def test_what_no_longer_falls_has_converged() -> None:
    assert verdict(run_records([0.9, 0.5] + [0.1] * 8)).state == "converged"
    assert (
        verdict(run_records([0.9] + [0.6] * 9)).state == "learning"
    )  # a halt half way is not the end


def test_a_loss_that_stands_still_since_all_is_known_by_heart_has_not_converged() -> None:
    cers = [0.9] + [0.4] * 9
    assert verdict(run_records(cers)).state == "converged"
    assert verdict(run_records(cers, train={"nll": 0.1})).state == "learning"


def test_a_dev_part_that_gets_worse_while_training_goes_on_is_told() -> None:
    cers, losses = [0.9, 0.6, 0.5] + [0.5] * 7, [30.0, 20.0, 18.0] + [19.0 + at for at in range(7)]
    records = run_records(cers, losses)
    by_heart = (30.0, 20.0, 16.0, 14.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0)
    for record, heart in zip((r for r in records if r["kind"] == "check"), by_heart, strict=True):
        record["evidence"]["train"] = {**record["evidence"]["train"], "nll": heart, "cer": 0.2}
    found = verdict(records)
    assert [cause.slug for cause in found.causes] == ["model-too-large"]
    assert "risen from 18.0 to 25.0 in 7 checks" in found.causes[0].evidence
    assert not verdict(records[:10]).causes  # two checks later that is no course yet
    for record in records:
        if record["kind"] == "check":
            record["evidence"]["dev"]["cer"] = 0.05
    assert not verdict(
        records
    ).causes  # losses rise in good models, too: what counts is what they write


@pytest.mark.parametrize("elapsed", [20, 50, 200])
def test_an_estimate_lies_ahead_and_within_reach(elapsed: int) -> None:
    found = verdict(run_records([1.0] * (elapsed // 10), total=elapsed * 10))
    assert found.release_step is not None and 1.2 * elapsed <= found.release_step <= 3 * elapsed


def test_a_cause_stays_until_a_dozen_checks_have_not_shown_it() -> None:
    records = run_records([1.0] * 16, total=10_000)
    checks = [record for record in records if record["kind"] == "check"]
    checks[1]["evidence"]["dev"] = checks[1]["evidence"]["dev"] | {"written_differs": 1.0}
    shown = []
    for number in range(2, len(records) + 1, 2):
        shown.append([cause.slug for cause in verdict(records[: number + 1]).causes])
    assert shown == [[], *[["blank-mismatch"]] * 12, [], [], []]


def test_what_is_understood_needs_no_old_causes() -> None:
    records = run_records([1.0, 0.5])
    records[2]["evidence"]["dev"] = records[2]["evidence"]["dev"] | {"written_differs": 1.0}
    assert not verdict(records).causes


def test_a_deaf_network_that_guesses_is_not_said_to_learn() -> None:
    deaf = {"own": 11.0, "other": 11.2, "gap_error": 0.4}
    losses = [12.0, 11.5] + [11.0] * 14
    found = verdict(run_records([0.7] * 16, losses, dev=deaf, total=1000))
    assert found.state == "plateau: wait" and found.estimated
    late = verdict(run_records([0.7] * 16, losses, dev=deaf))
    assert [cause.slug for cause in late.causes] == ["transcripts-shuffled"]


def test_any_prefix_and_any_gap_in_the_records_can_be_judged() -> None:
    records = run_records([1.0, 0.9, 0.6, 0.3])
    draw = random.Random(0)
    for _ in range(200):
        part = [dict(record) for record in records[: draw.randint(0, len(records))]]
        for record in part:
            for key in draw.sample(sorted(record), draw.randint(0, len(record) - 1)):
                if key != "kind":
                    record[key] = draw.choice([None, "nan", "inf", {}, float("nan")])
        json.dumps(verdict(part).as_json())


def test_a_verdict_survives_the_file(tmp_path: Path) -> None:
    records = run_records([1.0, 1.0], frozen=1)
    records[-1]["evidence"]["parameters"] = {"frozen": 0.5, "frozen_names": ["a.weight"]}
    again = json.loads(json.dumps(records))
    found = verdict(again)
    assert found == verdict(records)
    assert [cause.slug for cause in found.causes] == [
        "frozen-parameters"
    ] and "50 %" in found.causes[0].evidence


def test_every_cause_is_in_the_documents() -> None:
    text = DOCS.read_text(encoding="utf-8")
    files = {look.__code__.co_filename for look in CAUSES}
    source = "".join(Path(file).read_text(encoding="utf-8") for file in files)
    slugs = set(re.findall(r'Cause\(\s*"([a-z-]+)"', source))
    assert len(slugs) >= 25
    assert not [slug for slug in slugs if f"`{slug}`" not in text]
