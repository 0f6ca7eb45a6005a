"""The reference of every public name, a page for each room of the library.

Public is what a room's `__init__` hands on, and what the recipes or the documents import.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

# What a room is for stands in the docstring of its __init__; these are single modules, a page each.
LOOSE = ("batch", "checkpoint", "records", "seq", "specs", "task", "run_cli")
NAMES_INDEX = "reference/index.md"
PROGRAM = ("cli", "commands", "recipes")  # which the other pages of the reference show

_IMPORT = re.compile(r"^\s*from (ctcasr[\w.]*) import (\([^)]*\)|[^\n#]+)", re.MULTILINE)


def name_pages(root: Path) -> dict[str, str]:
    """The pages "reference/ROOM.md" and their index, as Markdown, for a checkout at `root`."""
    by_room = public_names(root)
    pages = {NAMES_INDEX: _index(by_room)}
    for room, names in by_room.items():
        address = f"reference/{_page_of(room)}.md"
        pages[address] = _page(room, names)
    return pages


def name_menu(root: Path) -> list[str]:
    """Addresses for the menu: the index of public names, then the page of each room."""
    rooms = set(name_pages(root)) - {NAMES_INDEX}
    return [NAMES_INDEX, *sorted(rooms)]


def public_names(root: Path) -> dict[str, list[str]]:
    """Room ("ctcasr", "ctcasr.ctc", ...) -> dotted public names, without their doubles."""
    by_room: dict[str, list[str]] = {}
    for room in _rooms(root):
        module = importlib.import_module(room)
        names = getattr(module, "__all__", None)
        if names is None:
            names = _defined_in(room)
        if names:
            by_room[room] = [f"{room}.{name}" for name in names]
    for module_name, name in sorted(set(_imported(root))):
        dotted = f"{module_name}.{name}"
        known = by_room.setdefault(_room_of(module_name), [])
        known_values = [id(_value(other)) for other in known]
        if id(_value(dotted)) not in known_values:
            known.append(dotted)
    return by_room


def _rooms(root: Path) -> Iterator[str]:
    yield "ctcasr"
    for path in sorted((root / "ctcasr").glob("*/__init__.py")):
        if path.parent.name not in PROGRAM:
            yield f"ctcasr.{path.parent.name}"
    yield "ctcasr.ctc.functional"
    for name in LOOSE:
        yield f"ctcasr.{name}"


def _defined_in(module_name: str) -> list[str]:
    """Classes and functions that a module defines, in its order."""
    module = importlib.import_module(module_name)
    names = []
    for name, value in vars(module).items():
        home = getattr(value, "__module__", None)
        if home == module_name and callable(value) and not name.startswith("_"):
            names.append(name)
    return names


def _imported(root: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of what the recipes and the documents import from the library."""
    documents = [root / "README.md", *(root / "docs").rglob("*.md")]
    recipes = (root / "recipes").glob("*.py")
    for source in (*documents, *recipes):
        text = source.read_text(encoding="utf-8")
        for module_name, listed in _IMPORT.findall(text):
            if _room_of(module_name).removeprefix("ctcasr.") in PROGRAM:
                continue
            for entry in listed.strip("()").split(","):
                without_remark = entry.partition("#")[0]
                name = without_remark.partition(" as ")[0].strip()
                if name and not _is_module(f"{module_name}.{name}"):
                    yield module_name, name


def _is_module(dotted: str) -> bool:
    try:
        return importlib.util.find_spec(dotted) is not None
    except ModuleNotFoundError:
        return False


def _room_of(module_name: str) -> str:
    """The room whose page a module's names stand on."""
    if module_name == "ctcasr.ctc.functional":
        return module_name
    return ".".join(module_name.split(".")[:2])


def _value(dotted: str) -> object:
    module_name, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module_name), name)


def _page_of(room: str) -> str:
    """The page of a room: "ctcasr.ctc" is "ctc"."""
    return room.removeprefix("ctcasr.").replace(".", "_")


def _page(room: str, names: list[str]) -> str:
    """A room: what it is for, and everything in it."""
    lines = [f"# `{room}`", "", _purpose(room), ""]
    lines += [f"::: {name}\n" for name in names]
    return "\n".join(lines)


def _index(by_room: dict[str, list[str]]) -> str:
    """All names, with links."""
    lines = [
        "# Public names",
        "",
        "What the rooms of the library hand on, and what recipes and documents import. "
        "Made from the code and its docstrings.",
        "",
    ]
    for room, names in by_room.items():
        page = f"{_page_of(room)}.md"
        links = [f"[`{name.rpartition('.')[2]}`]({page}#{name})" for name in names]
        summary = _purpose(room).partition("\n\n")[0]
        lines += [f"## [`{room}`]({page})", "", summary, "", ", ".join(links), ""]
    return "\n".join(lines)


def _purpose(room: str) -> str:
    """What a room says of itself."""
    return inspect.getdoc(importlib.import_module(room)) or ""
