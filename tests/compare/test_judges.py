"""Recognisers by what the command line calls them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ctcasr import checkpoint
from ctcasr.compare.command_judge import CommandJudge
from ctcasr.compare.judge import JudgeError
from ctcasr.compare.judges import load_judge, load_judges
from ctcasr.recognise.onnx import OnnxRecogniser
from ctcasr.recognise.recogniser import Recogniser


def test_names_tell_judges_apart(recogniser: Callable[..., Path], listener: str) -> None:
    path = recogniser({})
    names = [str(path), str(path), f"R1={path}", listener, f"toy={listener}"]
    judges = load_judges(names)
    assert [judge.name for judge in judges] == ["r", "r (2)", "R1", listener, "toy"]


@pytest.mark.parametrize(
    "name",
    ["nowhere.pt", "no_such_module:listen", "json:no_such_function", "bundle:NO_SUCH", "what"],
)
def test_a_judge_that_cannot_be_found_is_told_in_a_sentence(name: str) -> None:
    sentence = "expected|needs a torchaudio"  # without torchaudio no bundle can be looked for
    with pytest.raises((JudgeError, checkpoint.CheckpointError), match=sentence):
        load_judge(name)


def test_several_checkpoints_with_commas_are_one_judge(recogniser: Callable[..., Path]) -> None:
    first = recogniser({}, "first")
    second = recogniser({}, "second")
    assert load_judge(f"{first},{second}").name == "first + second"
    assert load_judge(f"both={first},{second}").name == "both"


def test_a_command_may_hold_equals_signs() -> None:
    judge = load_judge("PS=command:python asr.py --lm=big")
    assert isinstance(judge, CommandJudge)
    assert (judge.name, list(judge.words)) == ("PS", ["python", "asr.py", "--lm=big"])
    assert load_judge("command:asr --lm=big").name == "command:asr --lm=big"


def test_checkpoints_are_loaded_where_they_shall_compute(
    recogniser: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def noting(path: Path, device: object) -> Recogniser | OnnxRecogniser:
        asked.append(str(device))
        return load(path)

    load = Recogniser.load
    monkeypatch.setattr(Recogniser, "load", staticmethod(noting))
    path = recogniser({})
    other = recogniser({}, "other")
    load_judges([str(path), f"{path},{other}"], "cuda:1")
    assert asked == ["cuda:1"] * 3
