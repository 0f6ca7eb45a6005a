"""An examination as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ctcasr.doctor.examination import Examination
from ctcasr.doctor.finding import plural
from ctcasr.show.units import clock

_STYLE = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def table(result: Examination) -> RenderableType:
    """What was examined, what was found, on which lines, and what to do."""
    parts: list[RenderableType] = [Text(result.manifest, style="bold"), _facts(result)]
    if result.findings:
        grid = Table(show_lines=True, expand=True)
        grid.add_column("finding", no_wrap=True)
        for heading, ratio in (("what", 4), ("lines", 1), ("what to do", 3)):
            grid.add_column(heading, ratio=ratio)
        for f in result.findings:
            name = Text.assemble((f.severity, _STYLE[f.severity]), "\n", f.slug)
            grid.add_row(name, Text(f.message), Text(ranges(f.lines), style="dim"), Text(f.cure))
        parts.append(grid)
    parts.append(_conclusion(result))
    return Group(*parts)


def ranges(lines: Sequence[int], most: int = 8) -> str:
    """Line numbers as `3, 7-9, 12`, the first few of them and how many follow."""
    spans: list[list[int]] = []
    for line in lines:
        if spans and line == spans[-1][1] + 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])
    shown = [f"{a}" if a == b else f"{a}-{b}" for a, b in spans[:most]]
    hidden = sum(b - a + 1 for a, b in spans[most:])
    return ", ".join(shown) + (f" and {hidden} more" if hidden else "")


def _facts(result: Examination) -> Text:
    text = Text(
        f"{plural(result.lines, 'line')}, {clock(result.seconds)} of sound that can be used"
    )
    if result.speakers:
        text.append(f", {plural(result.speakers, 'speaker')}")
    if result.listened < result.utterances:
        text.append(
            f"; listened to {result.listened} of {result.utterances}, of the others only the header was read"
        )
    if result.slack:
        s = result.slack
        text.append(
            f"\nframes of {1000 * result.frame_s:.0f} ms beyond what the texts need: least {s.least}, 1 % below {s.p1:.0f}, "
            f"5 % below {s.p5:.0f}, median {s.median:.0f}, 95 % below {s.p95:.0f}; "
            f"{s.infeasible} have too few, {s.tight} are tight"
        )
    return text


def _conclusion(result: Examination) -> Text:
    if result.hurts:
        count = sum(f.severity == "error" for f in result.findings)
        return Text(
            f"Training would be hurt: {plural(count, 'error')}. Mend them first.", style="bold red"
        )
    if any(f.severity == "warning" for f in result.findings):
        return Text("Ready to train; look at the warnings.", style="bold yellow")
    return Text("Ready to train.", style="bold green")
