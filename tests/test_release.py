"""What a release says of itself: commands of the README, licences, versions, pictures."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from ctcasr.cli import HAND_ON, build_parser
from ctcasr.commands.prepare import CORPORA
from ctcasr.commands.train import load_recipe
from ctcasr.train.settings import settings_parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *(ROOT / "docs" / name for name in ("transcripts.md", "cli.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def commands_of(page: Path) -> list[str]:
    """The lines of its shell blocks, continued ones together, without comments."""
    text = page.read_text(encoding="utf-8")
    lines = []
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        lines += block.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


COMMANDS = [
    pytest.param(line, id=f"{page.name}: {line[:40]}")
    for page in PAGES
    for line in commands_of(page)
    if line.startswith("ctcasr ") and "--completion" not in line
]


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_of_documents_are_calls_of_the_program(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    if words[0] not in HAND_ON:
        build_parser(words[0]).parse_args(words)
    elif words[0] == "train":
        settings_parser(load_recipe(words[1]).Settings).parse_args(words[2:])
    else:
        assert words[1] in CORPORA


@pytest.mark.parametrize("line", commands_of(ROOT / "README.md"))
def test_programs_of_the_readme_exist(line: str) -> None:
    for word in shlex.split(line, comments=True):
        if word.endswith(".py"):
            assert (ROOT / word).is_file()


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text) + re.findall(r'src="([^":]+)"', text)
    assert len(links) > 20
    for link in links:
        assert (ROOT / link).exists(), link


def test_every_dependency_has_its_licence_told() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| ([\w-]+) \|", page, re.MULTILINE)) - {"package", "---"}
    extras = PROJECT["optional-dependencies"].values()
    wanted = [*PROJECT["dependencies"], *(entry for extra in extras for entry in extra)]
    names = {re.split(r"[<>=\[ ]", entry)[0] for entry in wanted} - {"ctcasr"}
    assert told == names


def test_the_citation_has_the_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {PROJECT['version']}\n" in citation
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## .*\b{re.escape(PROJECT['version'])}\b", changes, re.MULTILINE)


def test_types_travel() -> None:
    assert (ROOT / "ctcasr" / "py.typed").is_file()
    assert "Typing :: Typed" in PROJECT["classifiers"]
