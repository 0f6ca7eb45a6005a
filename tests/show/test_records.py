"""What views take from records: finite numbers, and the course that counts."""

from __future__ import annotations

from ctcasr.records import CheckRecord, EpochRecord, StepRecord, record_from
from ctcasr.show.records import (
    Suspect,
    final_course,
    metrics_of,
    number,
    number_of,
    samples_of,
    series,
    suspects_of,
    verdict_of,
)


def test_numbers_are_finite_numbers():
    for value in (None, True, "3", "nan", float("nan"), float("inf"), [1], 10**400):
        assert number(value) is None
    assert number(3) == 3.0 and number(-0.5) == -0.5


def test_steps_gone_over_again_count_once(records):
    steps = [r for r in records if r.kind == "step"]
    crashed, again = steps[:35], steps[30:]
    assert final_course(
        crashed
        + [
            record_from({"kind": "start", "step": 30}),
            record_from({"kind": "event", "step": 30, "what": "resumed"}),
        ]
        + again
    ) == (
        steps[:30]
        + [
            record_from({"kind": "start", "step": 30}),
            record_from({"kind": "event", "step": 30, "what": "resumed"}),
        ]
        + steps[30:]
    )
    assert final_course(crashed + again) == steps
    assert final_course(records + records)[-len(records) :] == records
    assert final_course(records) == records


def test_metrics_are_scores_only_error_rates_first():
    check = record_from(
        {
            "kind": "check",
            "step": 3,
            "dev_loss": 2.0,
            "utterances": 7,
            "cer": 0.1,
            "wer": 0.2,
            "best": True,
            "accuracy": "nan",
            "figures": {"si_sdr_db": 9.0},
        }
    )
    assert metrics_of(check) == [("wer", 0.2), ("cer", 0.1), ("si_sdr_db", 9.0)]


def test_a_number_is_found_in_fields_details_and_metrics():
    step = StepRecord(step=5, loss=2.0, details={"blank_mass": 0.5, "odd": "x"})
    assert [number_of(step, name) for name in ("loss", "blank_mass", "odd", "lr")] == [
        2.0,
        0.5,
        None,
        None,
    ]
    checks = [CheckRecord(step=9, loss=float("nan"), metrics={"wer": 0.25})]
    assert series([step, *checks], CheckRecord, "wer") == ([9], [0.25])
    assert series([step, *checks], CheckRecord, "loss") == ([], [])


def test_samples_and_verdicts_of_anybody_do_no_harm():
    check = CheckRecord(
        step=9, samples=[3, {"id": None}, {"reference": "a", "blank": "x"}], verdict=7
    )
    assert [sample.reference for sample in samples_of(check)] == ["", "a"]
    assert samples_of(check)[1].blank is None and verdict_of(check) is None
    odd = CheckRecord(step=9, verdict={"causes": [3, {"slug": "x"}], "release_step": "soon"})
    verdict = verdict_of(odd)
    assert verdict is not None and verdict.release_step is None and verdict.causes[0].step == 9


def test_suspects_are_read_and_what_is_none_is_passed_over() -> None:
    told = [{"line": "a", "loss": 2.0}, "b", {"line": "c"}, {"line": "d", "loss": "NaN"}]
    epoch = EpochRecord(step=1, details={"suspects": told})
    assert suspects_of(epoch) == [Suspect("a", 2.0)]
    assert suspects_of(EpochRecord(step=1)) == []
