"""An audit as a table for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ctcasr.audit import Audit, LineVerdict
from ctcasr.audit.result import line_number
from ctcasr.show.terminal import printable
from ctcasr.show.units import UNKNOWN, percent

_ROWS = 20
_CAUTION = (
    "Hear them before you believe it: where most words are seldom written, or most talkers say "
    "little, the audit is too sure."
)


def audit_table(audit: Audit) -> RenderableType:
    """How many lines are wrong, and the surest of them."""
    expected, least, most = audit.expected
    head = Text(audit.manifest, style="bold")
    head.append(
        f"\n{len(audit.lines)} lines; expected to be wrong {expected:.0f} "
        f"({least:.0f} to {most:.0f}), suspected {len(audit.suspects)}",
        style="not bold",
    )
    if audit.skipped:
        first = audit.skipped[0]
        head.append(
            f"; {len(audit.skipped)} could not be judged and are in no file "
            f"({printable(first.where)}: {printable(first.reason)})",
            style="not bold",
        )
    parts: list[RenderableType] = [head]
    if audit.suspects:
        parts.append(_suspects(audit))
    if len(audit.suspects) > _ROWS:
        parts.append(Text(f"and {len(audit.suspects) - _ROWS} more", style="dim"))
    if audit.suspects:
        parts.append(Text(_CAUTION, style="dim"))
    return Group(*parts)


def rather(line: LineVerdict) -> str:
    """What a suspected line rather says; a dash where nothing better than its text was found."""
    return UNKNOWN if line.suggestion == line.heard.text else line.suggestion


def _suspects(audit: Audit) -> Table:
    grid = Table(expand=True)
    grid.add_column("line", justify="right", no_wrap=True)
    grid.add_column("wrong", justify="right", no_wrap=True)
    grid.add_column("how", no_wrap=True)
    grid.add_column("written", ratio=1)
    grid.add_column("rather", ratio=1)
    for line in audit.suspects[:_ROWS]:
        grid.add_row(
            str(line_number(line.heard.utterance)),
            percent(line.wrong),
            line.kind,
            Text(printable(line.heard.text)),
            Text(printable(rather(line))),
        )
    return grid
