"""The dispatcher: it loads one command alone, and knows its version."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ctcasr.cli import COMMANDS, EXAMPLES, GROUPS, HAND_ON, build_parser, load_command, main
from ctcasr.commands.offset import UNSURE
from ctcasr.run_cli import DONE, FAILED, INTERRUPTED, PIPE_CLOSED, WRONG_CALL

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_module_with_arguments_and_a_run(name: str) -> None:
    module = load_command(name)
    assert callable(module.add_arguments) and callable(module.run) and module.__doc__


def test_every_module_is_a_command_or_shared_by_some() -> None:
    shared = {"__init__", "completion", "decoder_flags", "device_flag", "out_folder", "progress"}
    shared |= {"text_flags"}
    modules = {path.stem for path in (ROOT / "ctcasr" / "commands").glob("*.py")} - shared
    assert modules == {name.replace("-", "_") for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_the_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0 and f"usage: ctcasr {name}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert re.fullmatch(r"ctcasr \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_python_runs_the_package_as_the_command() -> None:
    called = [sys.executable, "-m", "ctcasr", "--version"]
    done = subprocess.run(called, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0 and done.stdout.startswith("ctcasr ")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["no-such-command"],
        ["card"],
        ["evaluate", "--nothing"],
        ["enhance", "--", "a", "--", "b", "c"],
    ],
)
def test_a_wrong_call_is_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2 and "usage: ctcasr" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["prepare", "--help"], ["train", "--help"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    program = (
        "import sys\n"
        "from ctcasr.cli import main\n"
        "try:\n"
        f"    main({words!r})\n"
        "except SystemExit:\n"
        "    heavy = {'torch', 'numpy', 'rich', 'numba'} & set(sys.modules)\n"
        "    raise SystemExit(' '.join(sorted(heavy)) or None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr


def test_help_lists_every_command_under_a_heading(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in text] == []
    assert [heading for heading in GROUPS if f"\n{heading}:\n" not in text] == []
    assert max(len(line) for line in text.splitlines()) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_a_command_is_a_call_of_it(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert f"ctcasr {EXAMPLES[name]}" in capsys.readouterr().out
    words = shlex.split(EXAMPLES[name])
    if name in HAND_ON:
        words = words[:2]
    assert build_parser(name).parse_args(words).command == name


def test_completion_knows_the_flags_of_commands_and_recipes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--completion", "bash"])
    assert stop.value.code == 0
    script = capsys.readouterr().out
    assert "--cue-words" in script and '"train recognise")' in script and "--dev-share" in script


def test_the_document_has_every_exit_status() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    statuses = {int(status) for status in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert statuses == {DONE, FAILED, WRONG_CALL, UNSURE, INTERRUPTED, PIPE_CLOSED}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["audit", "x.jsonl", "--out", "a", "--budjet", "3m"], "did you mean '--budget'?"),
        (["trainn", "recognise"], "did you mean 'train'?"),
    ],
)
def test_what_was_probably_meant_is_named(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == WRONG_CALL and hint in capsys.readouterr().err


def test_the_nearest_recipe_and_the_nearest_manifest_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "recognize"])
    assert stop.value.code == WRONG_CALL
    assert "did you mean 'recognise'?" in capsys.readouterr().err
    (tmp_path / "train.jsonl").touch()
    assert main(["doctor", str(tmp_path / "trian.jsonl")]) == FAILED
    assert "did you mean 'train.jsonl'?" in capsys.readouterr().err
