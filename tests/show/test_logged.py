"""What a record says to programs that keep curves."""

from __future__ import annotations

from ctcasr.records import record_from
from ctcasr.show.logged import numbers_of, texts_of


def test_numbers_are_grouped_and_what_is_no_number_is_left_out() -> None:
    step = record_from({"kind": "step", "step": 5, "loss": 3.5, "lr": 1e-3, "grad_norm": "nan"})
    assert dict(numbers_of(step)) == {"train/loss": 3.5, "train/lr": 1e-3}
    check = record_from({"kind": "check", "step": 5, "wer": 0.75, "report": {"blank_mass": 0.5}})
    assert dict(numbers_of(check)) == {"dev/wer": 0.75, "dev/report/blank_mass": 0.5}
    assert dict(numbers_of(record_from({"kind": "start", "step": 0, "parameters": 7}))) == {}


def test_texts_are_the_verdict_what_was_heard_and_events() -> None:
    cause = {"slug": "rate-too-high", "evidence": "ratio 0.4.", "cure": "a tenth of it", "step": 5}
    check = record_from(
        {
            "kind": "check",
            "step": 5,
            "samples": [{"id": "u", "reference": "cat", "hypothesis": "cut"}],
            "verdict": {"state": "trouble", "causes": [cause]},
        }
    )
    assert dict(texts_of(check)) == {
        "verdict": "trouble. rate-too-high: ratio 0.4. Cure: a tenth of it",
        "heard": "said: cat  \nheard: cut",
    }
    event = record_from(
        {"kind": "event", "step": 5, "reason": "unreadable", "message": "a.wav", "ids": ["a.wav"]}
    )
    assert dict(texts_of(event)) == {"event/unreadable": "a.wav"}
