"""The measure of confidences, on hypotheses made by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ctcasr.recognise import Hypothesis, Word

PATH = Path(__file__).resolve().parents[2] / "tools" / "bench" / "confidence.py"


@pytest.fixture(scope="module")
def confidence() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_confidence", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def heard(text: str) -> Hypothesis:
    words = tuple(Word(word, 0.0, 0.1) for word in text.split())
    return Hypothesis(text, words, (), 0.0)


@pytest.mark.parametrize(
    ("reference", "text", "right"),
    [
        ("a b c", "a x c", [True, False, True]),
        ("a b", "a b b b", [True, False, False, True]),
        ("a b", "", []),
        ("", "a", [False]),
    ],
)
def test_right_words(reference: str, text: str, right: list[bool], confidence: ModuleType) -> None:
    found = confidence.right_words(reference, heard(text))
    assert sum(found) == sum(right) and len(found) == len(right)


def test_the_area_is_one_for_order_a_half_for_none(confidence: ModuleType) -> None:
    assert confidence.area([0.9, 0.8, 0.1], [True, True, False]) == 1.0
    assert confidence.area([0.1, 0.8, 0.9], [True, False, False]) == 0.0
    assert confidence.area([0.5] * 4, [True, False, True, False]) == 0.5


def test_the_report_counts_words_by_confidence(
    confidence: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    confidence.report(np.array([0.3, 0.97, 0.96]), np.array([False, True, True]))
    text = capsys.readouterr().out
    assert "3 words, 1 wrong" in text and "0.95 to 0.99: 2 words" in text and "1.000" in text
