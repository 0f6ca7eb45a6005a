"""Anybody's program as a judge."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
import torch

from ctcasr.compare.command_judge import CommandJudge
from ctcasr.compare.judge import JudgeError, TextsError

SOUNDS = [torch.zeros(80), torch.full((160,), 2.5)]
HEAD = "import sys\nimport soundfile\npaths = sys.stdin.read().split()\n"


def judge_of(tmp_path: Path, body: str) -> CommandJudge:
    """A judge that runs a script."""
    script = tmp_path / "asr.py"
    script.write_text(HEAD + body, encoding="utf-8")
    return CommandJudge.load(f"command:{shlex.join([sys.executable, str(script)])}", "mine")


def test_paths_go_in_and_texts_come_back_in_any_order(tmp_path: Path) -> None:
    judge = judge_of(
        tmp_path,
        "for path in reversed(paths):\n"
        "    samples, rate = soundfile.read(path)\n"
        "    print(f'{path}\\t{len(samples)} samples, {rate} Hz, peak {max(samples)}')\n",
    )
    assert judge.listen(SOUNDS, 8000) == [
        "80 samples, 8000 Hz, peak 0.0",
        "160 samples, 8000 Hz, peak 2.5",
    ]
    assert judge.reference("It's a Test!").text == "its a test"


def test_a_sound_without_a_text_is_named(tmp_path: Path) -> None:
    judge = judge_of(tmp_path, "print(f'{paths[0]}\\tone')\n")
    with pytest.raises(TextsError, match=r"mine: expected a line .* sound 2 has none") as caught:
        judge.listen(SOUNDS, 8000)
    assert caught.value.sound == 1


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    judge = judge_of(tmp_path, "sys.exit('no model here')\n")
    with pytest.raises(JudgeError, match="mine: ended with status 1: no model here"):
        judge.listen(SOUNDS, 8000)
    with pytest.raises(JudgeError, match="cannot be run"):
        CommandJudge.load("command:no-such-program-here").listen(SOUNDS, 8000)
    with pytest.raises(JudgeError, match="expected a program"):
        CommandJudge.load("command:")


def test_it_is_remembered_until_a_file_of_it_changes(tmp_path: Path) -> None:
    first = judge_of(tmp_path, "")
    assert first.fingerprint == judge_of(tmp_path, "").fingerprint
    assert first.fingerprint != judge_of(tmp_path, "# changed\n").fingerprint
