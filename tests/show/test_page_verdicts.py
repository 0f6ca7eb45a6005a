"""Verdicts on the page: the last one in full, stretches that agree as one row."""

from __future__ import annotations

from typing import Any

from ctcasr.diagnose import Cause, Verdict
from ctcasr.records import CheckRecord, EventRecord, Reason
from ctcasr.show.page_verdicts import banner, history, last_verdict, verdicts_of
from ctcasr.show.records import verdict_of

CAUSE = Cause("rate-too-high", "ratio 0.4 & more", "a <tenth>", step=20, confidence=0.7)


def test_verdicts_are_read_from_the_checks(cause: dict[str, Any]) -> None:
    plain = {"state": "trouble", "causes": [cause], "release_step": 40, "estimated": True}
    (verdict,) = verdicts_of([CheckRecord(step=10), CheckRecord(step=20, verdict=plain)])
    assert (verdict.state, verdict.release_step, verdict.estimated) == ("trouble", 40, True)
    assert [found.slug for found in verdict.causes] == ["rate-too-high"]


def test_the_banner_tells_state_evidence_and_cure() -> None:
    html = banner(Verdict("trouble", 30, causes=(CAUSE,)), recorded=True)
    assert 'class="verdict trouble"' in html and "confidence 0.7" in html
    assert "ratio 0.4 &amp; more" in html and "a &lt;tenth&gt;" in html
    troubled = banner(Verdict("trouble", 30, 90, estimated=True, causes=(CAUSE,)), recorded=True)
    assert "expected" not in troubled, "nobody who is in trouble is promised a release"
    waiting = banner(Verdict("plateau: wait", 30, 90, estimated=True), recorded=False)
    assert "expected about step 90" in waiting and "recorded no verdict" in waiting


def test_steps_that_are_refused_after_the_last_check_count() -> None:
    waits = CheckRecord(step=5, metrics={"cer": 1.0}, verdict={"state": "plateau: wait"})
    refused = [EventRecord(step=5, reason=Reason.GRADIENT_NOT_FINITE)] * 20
    assert last_verdict([waits]) == (verdict_of(waits), True)
    latest, is_recorded = last_verdict([waits, *refused])
    assert latest.state == "trouble" and not is_recorded


def test_what_is_not_judged_has_no_verdict_made_from_its_records() -> None:
    html = banner(Verdict("", 30), recorded=False)
    assert "no verdict" in html and "made from its records" not in html


def test_stretches_that_agree_are_one_row() -> None:
    waits = [Verdict("plateau: wait", step) for step in (10, 20, 30)]
    section = history([*waits, Verdict("trouble", 40, causes=(CAUSE,))])
    assert "10 to 30" in section.inside and ">40<" in section.inside
    assert section.inside.count("<tr>") == 3  # the heading is one
    assert history([]).inside == ""
