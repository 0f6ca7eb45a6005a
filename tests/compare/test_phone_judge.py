"""A recogniser of phones as a judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ctcasr.compare.judge import JudgeError
from ctcasr.compare.judges import load_judge
from ctcasr.compare.phone_judge import PhoneJudge, PhoneLexicon
from ctcasr.scoring.errors import word_errors

LINES = [";;; comment", "BLUE  B L UW1", "BLUE(2) X", "a AH0", "a(2) EY1", "it's IH1 T S", "empty"]


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    path = tmp_path / "cmudict.dict"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def test_the_first_pronunciation_counts_and_stress_does_not(lexicon: Path) -> None:
    found = PhoneLexicon.read(lexicon)
    assert found.spell("A blue, it's!") == "ah b l uw ih t s"
    with pytest.raises(JudgeError, match=r"cmudict.dict: .* green are not there"):
        found.spell("blue green")


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a lexicon"):
        PhoneLexicon.read(tmp_path / "nowhere")
    (tmp_path / "words").write_text("blue\n", encoding="utf-8")
    with pytest.raises(ValueError, match="found none"):
        PhoneLexicon.read(tmp_path / "words")


def test_references_are_phones_and_hypotheses_stay(
    lexicon: Path, recogniser: Callable[..., Path]
) -> None:
    judge = load_judge(f"P=phones:{lexicon},{recogniser({})}")
    assert isinstance(judge, PhoneJudge) and judge.name == "P"
    reference = judge.reference("a blue").text
    assert reference == "/ah/ /b/ /l/ /uw/"
    heard = "/b/ /l/ /uw/"  # what `listen` writes: "b" is no word here
    assert judge.reference(heard).text == heard
    assert word_errors(reference, heard).rate == 0.25
    (text,) = judge.listen([torch.zeros(8000)], 8000)
    assert text == "" or all(phone[0] == phone[-1] == "/" for phone in text.split())
    assert "phone error rates by cmudict.dict" in judge.remarks[-1]


def test_it_wants_a_lexicon_and_a_checkpoint() -> None:
    with pytest.raises(JudgeError, match="expected phones:LEXICON,CHECKPOINT"):
        load_judge("phones:only.pt")
