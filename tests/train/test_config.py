"""Budgets, and settings that all have a help text."""

from __future__ import annotations

import dataclasses

import pytest

from ctcasr.train import TrainConfig


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("90s", 90),
        ("30m", 1800),
        ("8h", 28800),
        ("1.5h", 5400),
        ("2d", 172800),
    ],
)
def test_budgets(text: str, seconds: float | None) -> None:
    assert TrainConfig(budget=text).budget_s == seconds


@pytest.mark.parametrize(
    "text", ["h", "8x", "45", "0.5", "eight hours", "1h30m", "0m", "-5m", "nanm", "infs"]
)
def test_a_budget_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"budget: expected a time as 90s, 30m or 8h"):
        _ = TrainConfig(budget=text).budget_s


def test_every_field_has_a_help_text() -> None:
    assert all(field.metadata.get("help") for field in dataclasses.fields(TrainConfig))
