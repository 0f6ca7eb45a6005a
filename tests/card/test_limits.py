"""Limits: live or not, by the spec."""

from __future__ import annotations

import pytest

from ctcasr.card import find_subject
from ctcasr.card.limits import limits


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("default", "not for live use"),
        ("mask_tiny", "delay by its window"),
        ("dualpath", "not for live use"),
        ("av_mask", "not for live use"),
        ("av_mask_causal", "delay by its window: 32 ms"),
        ("lips", "reads lips, not sound"),
        ("kws_cnn", "of each clip"),
        ("streaming", "a preset: the statistics"),
    ],
)
def test_the_spec_decides(name: str, sentence: str) -> None:
    assert any(sentence in limit for limit in limits(find_subject(name)))


def test_what_streams_does_not_need_the_whole_recording() -> None:
    assert not any("not for live use" in limit for limit in limits(find_subject("streaming")))
