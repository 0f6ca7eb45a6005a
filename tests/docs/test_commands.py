"""Commands in the documents: each is a call of a program that takes these flags.

Looked at are blocks of ```sh and indented blocks, of every page.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import inspect
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from unittest.mock import patch

import pytest

from ctcasr.cli import build_parser
from ctcasr.commands.prepare import CORPORA
from tools.pages.flags import Parsed, about_to_parse, corpus_parser, recipe_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = re.compile(r"^```sh[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:^    \S[^\n]*\n(?:^    [^\n]*\n)*)", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
BEGINS = ("ctcasr ", "python ", "python3 ", "torchrun ", "pytest ")
ELIDED = "..."  # stands for flags that were told before


class Command(NamedTuple):
    """A command, and the page on which it stands."""

    page: str
    words: tuple[str, ...]


def commands_of(path: Path) -> Iterator[Command]:
    """The calls of our programs on a page."""
    text = path.read_text(encoding="utf-8")
    blocks = SHELL.findall(text) + INDENTED.findall(FENCED.sub("", text))
    for block in blocks:
        whole = expanded(re.sub(r"\s*\\\n\s*", " ", block))
        for line in whole.splitlines():
            for call in calls_in(line.strip()):
                yield Command(path.relative_to(ROOT).as_posix(), call)


def expanded(block: str) -> str:
    """A block in which variables that it sets itself have their values."""
    for name, value in re.findall(r'^\s*([A-Z]+)="([^"]*)"$', block, re.MULTILINE):
        block = re.sub(rf"\${name}\b", lambda _, value=value: value, block)
    return block


def calls_in(line: str) -> Iterator[tuple[str, ...]]:
    """The calls in one line of shell: those between `;`, `&&` and `|`, inside loops too."""
    line = re.sub(r"\$\([^)]*\)", "made", line)
    line = re.split(r"\s{3,}(?!#)", line)[0]  # what stands far to the right is a remark
    for part in re.split(r"\s*(?:;|&&|(?<!\S)[|>](?!\S))\s*", line):
        call = re.sub(r"^(do |then |[A-Z_]+=\S* )+", "", part)
        if call.startswith(BEGINS):
            words = shlex.split(call, comments=True)
            yield tuple(re.sub(r"^\[|\]$", "", word) for word in words)


COMMANDS = sorted({command for path in PAGES for command in commands_of(path)})


@functools.cache
def parser_for(program: str, name: str) -> argparse.ArgumentParser:
    """The parser of `ctcasr NAME`, of `ctcasr prepare NAME`, or of a recipe."""
    if program == "corpus":
        return corpus_parser(name)
    if program == "recipe":
        return recipe_parser(name)
    return build_parser(name)


def parsed_by_tool(path: Path, words: list[str]) -> Parsed | None:
    """The parser that a tool builds for these words; None for one that takes them as they are.

    Skips where the tool wants what is not installed.
    """
    try:
        main = loaded(path).main
    except ImportError as error:
        pytest.skip(f"{path.name}: {error}")
    parameters = inspect.signature(main).parameters
    with patch.object(sys, "argv", [path.name, *words]):
        if len(parameters) > 1:
            assert len(parameters) == len(words)
            return None
        return about_to_parse(main if parameters else lambda _: main(), words)


def loaded(path: Path) -> ModuleType:
    """The module of a program, which finds those that lie beside it."""
    name = "documented_" + path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with patch.object(sys, "path", [str(path.parent), *sys.path]):
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return module


def called(words: tuple[str, ...]) -> tuple[str, str, list[str]] | None:
    """(kind of program, its name, what stands behind); None for what is not ours."""
    program, *rest = words
    if program == "torchrun":
        script = next(index for index, word in enumerate(rest) if word.endswith(".py"))
        return called(("python", *rest[script:]))
    if program == "ctcasr":
        if rest[0].startswith("--"):
            return None
        if rest[0] == "prepare":
            return "corpus", rest[1], rest[2:]
        if rest[0] == "train":
            return "recipe", rest[1], rest[2:]
        return "command", rest[0], rest
    if program.startswith("python") and rest[0].endswith(".py"):
        folder, _, name = rest[0].partition("/")
        if folder == "recipes":
            return "recipe", name.removesuffix(".py"), rest[1:]
        return "tool", rest[0], rest[1:]
    return None


def known_flags(parser: argparse.ArgumentParser) -> set[str]:
    """All flags, those of subcommands too."""
    flags: set[str] = set()
    for action in parser._actions:
        flags.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                flags |= known_flags(inner)
    return flags


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 100
    assert len({command.page for command in COMMANDS}) > 20


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: f"{one.page}: {one.words[:4]}")
def test_a_command_is_a_call(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    call = called(command.words)
    if call is None:
        return
    program, name, rest = call
    if program == "corpus" and name not in CORPORA:
        assert name.isupper(), f"{name}: neither a corpus nor a stand-in for one"
        return
    if program == "tool":
        assert (ROOT / name).is_file()
        if name in ("tools/test.py", "tools/demo.py"):  # hand on what they are given
            return
        parsed = parsed_by_tool(ROOT / name, [word for word in rest if word != ELIDED])
        if parsed is None:
            return
        parser = parsed.parser
        words = parsed.words
    else:
        parser = parser_for(program, name)
        words = [word for word in rest if word != ELIDED]
    flags = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert flags <= known_flags(parser)
    if ELIDED in rest or any(re.search(r"\$[a-z]", word) for word in rest):  # of a loop
        return
    try:
        parser.parse_args(words)
    except SystemExit:
        pytest.fail(f"{' '.join(command.words)}\n{capsys.readouterr().err}")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_that_tests_are_named_by_exist(path: Path) -> None:
    for name in re.findall(r"`(?:[^`]* )?(tests/[\w/.]+)", path.read_text(encoding="utf-8")):
        assert (ROOT / name.rstrip(".")).exists(), name
