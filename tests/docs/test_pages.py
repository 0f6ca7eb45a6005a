"""What the site is made of: every flag, every public name, formulas, links."""

from __future__ import annotations

import doctest
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tools.pages.github
import tools.pages.root_files
from ctcasr.cli import COMMANDS
from ctcasr.commands.prepare import CORPORA
from ctcasr.commands.train import recipe_names
from tools.fresh_install import declared_versions, interpreter_of
from tools.pages.flags import command_parser, corpus_parser, flag_pages, recipe_parser
from tools.pages.links import wrong_links
from tools.pages.mathematics import with_mathematics
from tools.pages.public_names import (
    NAMES_INDEX,
    PROGRAM,
    name_menu,
    name_pages,
    public_names,
)
from tools.pages.root_files import PAGES, with_site_links

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def flags() -> dict[str, str]:
    return flag_pages()


@pytest.fixture(scope="module")
def names() -> dict[str, str]:
    return name_pages(ROOT)


def parsers() -> Iterator[tuple[str, str]]:
    """(page, flag) of everything that has flags."""
    for name in COMMANDS:
        for action in command_parser(name)._actions:
            yield from (("reference/commands.md", flag) for flag in action.option_strings)
    for name in CORPORA:
        for action in corpus_parser(name)._actions:
            yield from (("reference/corpora.md", flag) for flag in action.option_strings)
    for name in recipe_names():
        for action in recipe_parser(name)._actions:
            yield from (("reference/recipes.md", flag) for flag in action.option_strings)


def test_every_flag_is_in_the_reference(flags: dict[str, str]) -> None:
    missing = {
        (page, flag) for page, flag in parsers() if f"<code>{flag}</code>" not in flags[page]
    }
    assert {flag for _, flag in missing} <= {"-h", "--help"}


def test_tables_of_flags_are_whole(flags: dict[str, str]) -> None:
    for text in flags.values():
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert rows and all(row.count("|") in (3, 4) for row in rows)


def test_every_public_name_has_its_entry(names: dict[str, str]) -> None:
    whole = "\n".join(names.values())
    by_room = public_names(ROOT)
    assert len(by_room) > 20 and sum(map(len, by_room.values())) > 200
    for room in by_room.values():
        for name in room:
            assert f"::: {name}\n" in whole


def test_every_room_has_a_page_in_the_menu_with_all_that_it_hands_on(
    names: dict[str, str],
) -> None:
    menu = name_menu(ROOT)
    assert menu[0] == NAMES_INDEX and sorted(menu) == sorted(names)
    rooms = ["ctcasr", "ctcasr.ctc.functional"]
    for path in sorted((ROOT / "ctcasr").glob("*/__init__.py")):
        if path.parent.name not in PROGRAM:
            rooms.append(f"ctcasr.{path.parent.name}")
    for room in rooms:
        module = importlib.import_module(room)
        handed_on = getattr(module, "__all__", ())
        if handed_on:
            first_line = (module.__doc__ or "").strip().partition("\n")[0]
            assert first_line in names[NAMES_INDEX]
        page = room.removeprefix("ctcasr.").replace(".", "_") + ".md"
        for name in handed_on:
            assert f"::: {room}.{name}\n" in names[f"reference/{page}"]
            assert f"({page}#{room}.{name})" in names[NAMES_INDEX]


@pytest.mark.parametrize(
    "name",
    [
        "ctcasr.Recogniser",
        "ctcasr.watch",
        "ctcasr.ctc.ctc_loss",
        "ctcasr.ctc.functional.CTCLoss",
        "ctcasr.records.CheckRecord",
        "ctcasr.run_cli.run_training",
        "ctcasr.train.fit",
    ],
)
def test_names_that_documents_speak_of_are_public(name: str) -> None:
    assert name in {entry for room in public_names(ROOT).values() for entry in room}


def test_files_at_the_root_lead_to_their_pages() -> None:
    for source in PAGES:
        assert (ROOT / source).is_file()
    assert with_site_links("[a](../../README.md)", "benchmarks/b.md") == "[a](../index.md)"
    assert with_site_links("[a](https://x.org/y.md)", "b.md") == "[a](https://x.org/y.md)"


@pytest.mark.parametrize("module", [tools.pages.github, tools.pages.root_files])
def test_examples(module: object) -> None:
    outcome = doctest.testmod(module)  # type: ignore[arg-type]
    assert outcome.attempted and not outcome.failed


def test_formulas_become_mathml() -> None:
    pytest.importorskip("latex2mathml", reason="the extra `docs` is not installed")
    page = with_mathematics("where $`T`$ is\n\n```math\n\\frac{1}{T}\n```\n")
    assert page.count("<math") == 2 and "$`" not in page and "<mfrac>" in page


def test_formulas_of_pages_have_both_ends() -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert len(re.findall(r"\$`", text)) == len(re.findall(r"\$`[^`]+`\$", text)), path


def test_dead_links_are_found(tmp_path: Path) -> None:
    links = ["b.html#here", "b.html#nowhere", "c.html", "https://x.org/y"]
    page = "".join(f'<a href="{link}">x</a>' for link in links) + '<img src="https://x.org/p.png">'
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    (tmp_path / "b.html").write_text('<h1 id="here">x</h1>', encoding="utf-8")
    assert sorted(wrong_links(tmp_path)) == [
        "a.html: b.html#nowhere: no such place in the page",
        "a.html: c.html: no such file",
        "a.html: https://x.org/p.png: loaded from elsewhere",
    ]


def test_pythons_that_are_declared_are_tried() -> None:
    assert declared_versions()[0] == "3.11" and len(declared_versions()) >= 3
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert interpreter_of(running) and interpreter_of("3.999") is None
