"""Normalisers by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.compare.normalisers import normaliser

TEXT = "Mr. Smith's  colour: 25 dollars!"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("none", "Mr. Smith's colour: 25 dollars!"), ("ctcasr", "mr smiths colour 25 dollars")],
)
def test_own_normalisers(name: str, expected: str) -> None:
    assert normaliser(name)(TEXT) == expected


def test_whispers_normalisers_fold_spellings_and_numbers() -> None:
    pytest.importorskip("whisper_normalizer", reason="the extra `whisper` is not installed")
    assert normaliser("whisper_english")(TEXT) == "mister smith is color $25"
    assert normaliser("whisper_basic")(TEXT) == "mr smith s colour 25 dollars"


def test_nemos_normaliser_speaks_numbers_out() -> None:
    pytest.importorskip("nemo_text_processing", reason="nemo_text_processing is not installed")
    normalise = normaliser("nemo_english")
    assert normalise("Dr. Smith paid $20.50 at 10:30!") == (
        "doctor smith paid twenty dollars fifty cents at ten thirty"
    )


def test_anybodys_function_is_found_by_its_file(tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text("def shout(text):\n    return '  ' + text.upper()\n", encoding="utf-8")
    assert normaliser(f"{module}:shout")("a  b") == "A B"


@pytest.mark.parametrize("name", ["nothing", "json:no_such_function", "no_such_module:f"])
def test_a_name_that_is_none_is_told(name: str) -> None:
    with pytest.raises(ValueError, match="normaliser"):
        normaliser(name)


@pytest.mark.parametrize(
    ("body", "told"),
    [("return None", "it made NoneType"), ("raise KeyError(1)", "raised KeyError")],
)
def test_faults_of_a_function_are_told_with_its_name(tmp_path: Path, body: str, told: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"def normalise(text):\n    {body}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"mine.py:normalise.*{told}.*'a b'"):
        normaliser(f"{path}:normalise")("a b")
