"""Every run ends in three sentences."""

from __future__ import annotations

import pytest

from ctcasr.diagnose import verdict
from tests.fixtures.run_records import run_records

RUNS = {
    "plateau": run_records([1.0, 1.0], dev={"gap_error": 0.5, "pairs": 30}),
    "listening": run_records([1.0, 1.0], dev={"own": 9.0, "other": 12.0, "gap_error": 0.1}),
    "learning": run_records([1.0, 0.5, 0.4, 0.3, 0.2]),
    "converged": run_records([0.9, 0.5] + [0.1] * 8),
    "trouble": run_records([1.0, 1.0], dev={"written_differs": 1.0}),
}


@pytest.mark.parametrize("name", RUNS)
def test_any_run_ends_in_three_sentences(name: str) -> None:
    sentences = verdict(RUNS[name]).last_word
    assert len(sentences) == 3
    assert all(text[0].isupper() and text.endswith(".") for text in sentences), sentences
    assert "nan" not in " ".join(sentences)


def test_before_the_first_check_there_is_no_word() -> None:
    assert verdict([]).last_word == ()


def test_trouble_tells_evidence_cure_and_how_sure() -> None:
    happened, advice, sure = verdict(RUNS["trouble"]).last_word
    assert "blank-mismatch" in happened and "same blank index" in advice and "as it is" in sure


def test_a_loss_that_still_falls_asks_for_more_and_one_that_does_not_for_the_score() -> None:
    assert "train longer" in verdict(RUNS["learning"]).last_word[1]
    assert "score it" in verdict(RUNS["converged"]).last_word[1]


def test_a_run_that_ends_before_its_plan_is_not_told_to_learn_more_slowly() -> None:
    records = run_records([1.0, 0.5, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3], total=160)
    stopped = verdict(records)
    assert stopped.state == "learning"
    assert "50 % of the planned steps" in stopped.last_word[1]
    refused = run_records([1.0, 0.5, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3], total=81)
    assert "planned" not in verdict(refused).last_word[1]
    by_time = [{**records[0], "budget": "5m"}, *records[1:]]
    assert "planned" not in verdict(by_time).last_word[1]
    finished = {"kind": "event", "step": 80, "reason": "finished"}
    assert "planned" not in verdict([*records, finished]).last_word[1]


def test_few_checks_tell_nothing_about_how_a_loss_falls() -> None:
    assert "2 checks cannot tell" in verdict(run_records([1.0, 0.3])).last_word[1]


def test_rates_of_few_utterances_are_said_to_be_so() -> None:
    records = run_records([1.0, 0.5, 0.4, 0.3])
    records[-1]["utterances"] = 30
    assert "30 utterances, which is few" in verdict(records).last_word[2]


def test_what_could_not_be_measured_is_said() -> None:
    records = run_records([1.0], unmeasured={"the voices": "RuntimeError: no FFT"})
    assert verdict(records).unmeasured == (
        "the voices could not be looked at: RuntimeError: no FFT",
    )


def test_without_a_dev_part_and_words_none_are_told_of() -> None:
    for cers in ([1.0, 1.0], [1.0, 0.5, 0.4, 0.3, 0.2]):
        records = run_records(cers)
        for record in records:
            if record["kind"] == "check":
                record["on_training_rows"] = 1.0
                del record["wer"]
        happened = verdict(records).last_word[0]
        assert "on training rows" in happened and "dev part" not in happened
        assert "WER" not in happened
