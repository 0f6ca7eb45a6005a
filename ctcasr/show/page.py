"""The frame of every page: one HTML file that opens from disk, loads nothing, and has one look."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

_SPACE_IN_NUMBER = re.compile(r"(?<=\d) (?=\d)")  # where no line may end


@dataclass(frozen=True)
class Section:
    """A heading, what one sees there, and ready-made HTML; without that a page leaves it out."""

    title: str
    why: str
    inside: str

    @property
    def slug(self) -> str:
        """Where links to it lead."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")

    def html(self) -> str:
        """The section as an element."""
        return (
            f'<section id="{self.slug}"><h2>{escape(self.title)}</h2>'
            f'<p class="why">{self.why}</p>{self.inside}</section>'
        )


@dataclass(frozen=True)
class Column:
    """The heading of a column; `css` "n" keeps numbers on one line, "r" also sets them right."""

    title: str
    css: str = ""


def page(title: str, head: str, sections: Sequence[Section]) -> str:
    """A whole page: the title, `head` (HTML), links to the sections, and these."""
    shown = [section for section in sections if section.inside]
    links = [f'<a href="#{section.slug}">{escape(section.title)}</a>' for section in shown]
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>{escape(title)}</title><link rel="icon" href="data:,">',
        f"<style>{_resource('page.css')}</style>",
        f"<main><h1>{escape(title)}</h1>{head}",
        f'<nav aria-label="sections">{"".join(links)}</nav>' if links else "",
        *(section.html() for section in shown),
        f"</main><script>{_resource('page.js')}</script></html>\n",
    ]
    return "".join(parts)


def write_html(path: Path, html: str) -> Path:
    """Write a page; broken bytes in names are escaped."""
    path.write_text(html, encoding="utf-8", errors="backslashreplace")
    return path


def facts(entries: Sequence[tuple[str, str]]) -> str:
    """Cards of (what, of what).

    Example:
        >>> facts([("4.2 %", "best WER")])
        '<div class="facts"><div><b>4.2 %</b><span>best WER</span></div></div>'
    """
    cards = ""
    for what, name in entries:
        number = _SPACE_IN_NUMBER.sub("\u00a0", escape(what))
        cards += f"<div><b>{number}</b><span>{escape(name)}</span></div>"
    return f'<div class="facts">{cards}</div>'


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, stacked: bool = False
) -> str:
    """A table of ready-made cells (HTML); it scrolls by itself where it is too wide.

    On a phone the cells of a `stacked` one stand below each other, beside the titles of their
    columns: for rows that are read one by one.
    """
    if not rows:
        return ""
    head = "".join(_cell("th", column, escape(column.title)) for column in columns)
    lines = []
    for row in rows:
        cells = []
        for column, inside in zip(columns, row, strict=True):
            cells.append(_cell("td", column, inside, named=stacked))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    css = ' class="stacked"' if stacked else ""
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="table">'
        f"<table{css}><tr>{head}</tr>{''.join(lines)}</table></div>"
    )


def folded(summary: str, inside: str) -> str:
    """HTML that a click on `summary` unfolds; nothing for nothing.

    Example:
        >>> folded("more", "<p>text</p>")
        '<details><summary>more</summary><p>text</p></details>'
    """
    if not inside:
        return ""
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"


def _cell(tag: str, column: Column, inside: str, *, named: bool = False) -> str:
    """A cell, which may know the title of its column."""
    attributes = ""
    if column.css:
        attributes += f' class="{column.css}"'
    if named:
        attributes += f' data-title="{escape(column.title)}"'
    return f"<{tag}{attributes}>{inside}</{tag}>"


def _resource(name: str) -> str:
    return files("ctcasr.show").joinpath(name).read_text(encoding="utf-8")
