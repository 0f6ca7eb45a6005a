"""The script of tab completion, asked as bash asks it."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

import pytest

from ctcasr.commands.completion import completion_script

BASH = shutil.which("bash")


def parser_with(*flags: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    for flag in flags:
        parser.add_argument(flag)
    parser.add_argument("--digits", choices=("keep", "spell"))
    return parser


@pytest.fixture
def script(tmp_path: Path) -> Path:
    parsers = {
        "doctor": parser_with("--run"),
        "train": parser_with(),
        "train demo": parser_with("--lr"),
    }
    path = tmp_path / "completion"
    path.write_text(completion_script("bash", parsers, {"train": ["demo"]}), encoding="utf-8")
    return path


def completed(script: Path, *words: str) -> list[str]:
    """What Tab offers behind the last of the words."""
    program = (
        f'source "{script}"; COMP_WORDS=(ctcasr "$@"); COMP_CWORD=$#; _ctcasr; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        [str(BASH), "--norc", "-c", program, "bash", *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=script.parent,
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.skipif(BASH is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["d"], ["doctor"]),
        ([""], ["doctor", "train", "--help", "--version"]),
        (["doctor", "--r"], ["--run"]),
        (["doctor", "--digits", ""], ["keep", "spell"]),
        (["doctor", "x.jsonl", "--digits", "s"], ["spell"]),
        (["doctor", "comp"], ["completion"]),  # a file
        (["train", ""], ["demo"]),
        (["train", "demo", "--l"], ["--lr"]),
    ],
)
def test_tab_offers_commands_names_flags_choices_and_files(
    words: list[str], offered: list[str], script: Path
) -> None:
    assert completed(script, *words) == offered


def test_zsh_gets_the_same_behind_its_own_first_lines() -> None:
    parsers = {"doctor": parser_with()}
    zsh = completion_script("zsh", parsers, {})
    assert zsh.endswith(completion_script("bash", parsers, {})) and "bashcompinit" in zsh
