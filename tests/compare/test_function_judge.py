"""Anybody's function as a judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr.compare.function_judge import FunctionJudge, import_function
from ctcasr.compare.judge import JudgeError
from ctcasr.compare.judges import load_judge
from ctcasr.text import plain_words


def test_a_function_is_found_in_the_working_folder_and_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "def listen(sounds, rate_hz):\n    return ['one' for _ in sounds]\n"
    (tmp_path / "my_asr_here.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    for name in ("my_asr_here:listen", "PS=./my_asr_here.py:listen", "PS=my_asr_here:listen"):
        judge = load_judge(name)
        assert judge.listen([torch.zeros(8)] * 2, 8000) == ["one", "one"]
    fingerprint = judge.fingerprint
    (tmp_path / "my_asr_here.py").write_text(source + "# changed\n")
    changed = load_judge("./my_asr_here.py:listen")
    assert fingerprint and changed.fingerprint not in ("", fingerprint)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "expected a list of 2 texts; got NoneType None"),
        ("one two", "expected a list of 2 texts; got str 'one two'"),
        ({"text": "one"}, "got dict"),
        (["one"], "expected 2 texts for 2 sounds; got 1"),
        (["one", {"text": "two"}], "got dict .* for sound 2 of 2"),
        ([None, "two"], "got NoneType None for sound 1 of 2"),
    ],
)
def test_what_is_no_list_of_texts_is_named(returned: Any, message: str) -> None:
    judge = FunctionJudge("asr:f", lambda sounds, rate_hz: returned, plain_words)
    with pytest.raises(JudgeError, match=f"asr:f: .*{message}"):
        judge.listen([torch.zeros(8)] * 2, 8000)


def test_what_was_looked_for_is_named() -> None:
    with pytest.raises(JudgeError, match="expected a normaliser as module:function"):
        import_function("json:no_such_function", "normaliser")


@pytest.mark.parametrize(
    ("source", "reason"), [("1 / 0", "ZeroDivisionError"), ("nothing", "NameError")]
)
def test_a_module_that_fails_is_told(tmp_path: Path, source: str, reason: str) -> None:
    (tmp_path / "broken.py").write_text(source)
    with pytest.raises(JudgeError, match=rf"expected a recogniser .*{reason}"):
        FunctionJudge.load(f"{tmp_path / 'broken.py'}:f")
    with pytest.raises(JudgeError, match="expected a recogniser"):
        FunctionJudge.load(".broken:f")
