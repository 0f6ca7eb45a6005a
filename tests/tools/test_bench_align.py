"""The measure of word times, on times and hypotheses made by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ctcasr.batch import Utterance
from ctcasr.recognise import Hypothesis, Word

PATH = Path(__file__).resolve().parents[2] / "tools" / "bench" / "align.py"
TIMES = "0 25000 sil\n25000 50000 bin\n50000 60000 sp\n60000 75000 blue\n75000 80000 sil\n"


@pytest.fixture(scope="module")
def align() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_align", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def heard(*words: Word) -> Hypothesis:
    return Hypothesis(" ".join(word.text for word in words), words, (), 0.0)


def test_times_are_read_without_silences_and_shifted(align: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "a.align"
    path.write_text(TIMES, encoding="utf-8")
    words = align.read_times(path, shift_s=0.5)
    assert [tuple(word) for word in words] == [("bin", 1.5, 2.5), ("blue", 2.9, 3.5)]


def test_right_words_meet_those_of_the_reference(align: ModuleType) -> None:
    reference = [align.TimedWord(text, k, k + 0.5) for k, text in enumerate("abac")]
    hypothesis = heard(Word("a", 0.1, 0.6), Word("x", 1.0, 1.5), Word("a", 2.2, 2.4))
    pairs = list(align.right_pairs(hypothesis, "a b a c", reference))
    assert [(word.start_s, truth.start_s) for word, truth in pairs] == [(0.1, 0), (2.2, 2)]


def test_times_of_another_text_are_refused(align: ModuleType) -> None:
    reference = [align.TimedWord("bin", 0.0, 0.5)]
    with pytest.raises(ValueError, match="expected the words 'lay'"):
        list(align.right_pairs(heard(), "lay", reference))


def test_errors_are_late_or_early_in_milliseconds(align: ModuleType) -> None:
    errors = align.Errors()
    truth = align.TimedWord("bin", 1.0, 2.0)
    for late_s in (-0.1, 0.02, 0.03):
        errors.add(1.0 + late_s, 2.0, truth)
    text = align.summary(errors.starts_ms)
    assert "median error +20 ms, median size 30 ms" in text
    assert "66.7 % below 80 ms, 3 words" in text
    assert "median size 0 ms" in align.summary(errors.ends_ms)


def test_a_line_without_times_is_named_and_no_right_word_is_no_error(align: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"m\.jsonl:1 .*: expected align_filepath"):
        align.times_file(Utterance(Path("a.wav"), where="m.jsonl:1"))
    assert align.summary([]) == "0 words"
