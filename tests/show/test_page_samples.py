"""Samples on the page: every utterance, few checks, characters that are right told apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ctcasr.records import CheckRecord, StepRecord
from ctcasr.show.page_samples import few, marked, samples
from ctcasr.show.records import Sample


def check(step: int, hypothesis: str) -> CheckRecord:
    return CheckRecord(
        step=step, samples=[{"id": "u1", "reference": "bin blue", "hypothesis": hypothesis}]
    )


def test_an_utterance_is_a_block_with_a_row_for_each_check() -> None:
    section = samples([check(10, ""), StepRecord(step=11), check(20, "bin blew")])
    assert section.inside.count("<h3>u1</h3>") == 1
    assert "only blanks" in section.inside and "<b>bin blue</b>" in section.inside
    assert samples([StepRecord(step=1)]).inside == ""


def test_what_is_missing_is_struck_out() -> None:
    assert '<span class="missing">b</span>' in marked("bin", "in")
    section = samples([check(10, "bin")])
    assert '<span class="missing"> blue</span>' in section.inside


def test_nothing_but_spaces_is_not_called_blanks() -> None:
    sample = {"id": "u1", "reference": "a b", "hypothesis": " ", "spikes": [[3, "_", 0.9]]}
    section = samples([CheckRecord(step=10, samples=[sample])])
    assert "blanks and spaces" in section.inside and "only blanks" not in section.inside


@given(st.integers(1, 200))
def test_few_checks_hold_the_first_and_the_last(count: int) -> None:
    seen = [(step, Sample("u", "a", "a")) for step in range(count)]
    steps = [step for step, _ in few(seen)]
    assert steps[0] == 0 and steps[-1] == count - 1
    assert len(steps) == len(set(steps)) == min(count, 16)


def test_right_and_wrong_characters_are_told_apart() -> None:
    html = marked("cat", "c<t")
    assert '<span class="right">c</span><span class="wrong">&lt;</span>' in html
    assert "wrong" not in marked("cat", "cat")
