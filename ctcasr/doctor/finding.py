"""A finding: what is wrong, how bad it is, on which lines, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ctcasr.batch import Skip, Utterance

Severity = Literal["error", "warning", "note"]

TOLERATED = 0.01  # share of the lines that may be spoilt before training is hurt


@dataclass(frozen=True)
class Finding:
    """One thing found in a manifest: `error` hurts training, `warning` may, `note` is worth knowing."""

    slug: str
    severity: Severity
    message: str
    cure: str
    lines: tuple[int, ...] = ()  # of the manifest, counted from 1
    figures: Mapping[str, Any] = field(
        default_factory=dict
    )  # plain numbers and texts, for programs


def graded(count: int, total: int) -> Severity:
    """An error where more than 1 % of the lines are spoilt, a warning below: the trainer leaves those out, or survives them."""
    return "error" if count > TOLERATED * total else "warning"


def line_of(entry: Utterance | Skip) -> int:
    """Number of the line in its manifest, from 1; 0 where it was not read from one."""
    number = entry.where.rpartition(":")[2]
    return int(number) if number.isdigit() else 0


def lines_of(entries: Iterable[Utterance | Skip]) -> tuple[int, ...]:
    """Numbers of the lines, ascending, each once."""
    return tuple(sorted({line_of(entry) for entry in entries}))


def plural(count: int, noun: str) -> str:
    """`1 line`, `2 lines`, `1 204 lines`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}".replace(",", " ")
