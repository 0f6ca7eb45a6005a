"""An examination as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ctcasr.doctor.examination import Examination
from ctcasr.scoring.figures import plural
from ctcasr.show.units import clock

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_MOST_RANGES = 8


def table(result: Examination) -> RenderableType:
    """What was examined, what was found, on which lines, and what to do."""
    name = Text(result.manifest, style="bold")
    parts: list[RenderableType] = [name, _facts(result)]
    if result.findings:
        parts += [Text(), _findings(result)]
    parts.append(_conclusion(result))
    return Group(*parts)


def ranges(lines: Sequence[int], most: int = _MOST_RANGES) -> str:
    """Line numbers as `3, 7-9, 12`, the first few of them and how many follow.

    Example:
        >>> ranges([3, 7, 8, 9, 12], most=2)
        '3, 7-9 and 1 more'
    """
    spans: list[_Span] = []
    for line in lines:
        if spans and line == spans[-1].last + 1:
            first = spans.pop().first
            spans.append(_Span(first, line))
        else:
            spans.append(_Span(line, line))
    shown = spans[:most]
    text = ", ".join(str(span) for span in shown)
    hidden = sum(span.lines for span in spans[most:])
    if hidden:
        text += f" and {hidden} more"
    return text


@dataclass(frozen=True)
class _Span:
    """Lines without a gap."""

    first: int
    last: int

    @property
    def lines(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}-{self.last}"


def _findings(result: Examination) -> Table:
    """A block for each finding, legible at any width: what, on which lines, what to do."""
    grid = Table.grid(padding=(0, 2, 1, 0), collapse_padding=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for finding in result.findings:
        severity = Text(finding.severity, style=_STYLES[finding.severity])
        told = Text(finding.slug, style="bold")
        if finding.lines:
            told.append(f"  lines {ranges(finding.lines)}", style="not bold dim")
        told.append(f"\n{finding.message}", style="not bold")
        told.append(f"\nto do: {finding.cure}", style="not bold cyan")
        grid.add_row(severity, told)
    return grid


def _facts(result: Examination) -> Text:
    """How much there is, how much of it was listened to, and how many frames the texts leave."""
    lines = plural(result.lines, "line")
    usable = clock(result.seconds)
    text = Text(f"{lines}, {usable} of sound that can be used")
    if result.speakers:
        speakers = plural(result.speakers, "speaker")
        text.append(f", {speakers}")
    if result.listened < result.utterances:
        text.append(
            f"; listened to {result.listened} of {result.utterances}, "
            "of the others only the header was read"
        )
    slack = result.slack
    if slack:
        text.append(
            f"\nframes of {1000 * result.frame_s:.0f} ms beyond what the texts need: "
            f"least {slack.least}, 1 % below {slack.p1:.0f}, 5 % below {slack.p5:.0f}, "
            f"median {slack.median:.0f}, 95 % below {slack.p95:.0f}; "
            f"{slack.infeasible} have too few, {slack.tight} are tight"
        )
    return text


def _conclusion(result: Examination) -> Text:
    severities = [finding.severity for finding in result.findings]
    if result.hurts:
        errors = plural(severities.count("error"), "error")
        return Text(f"Training would be hurt: {errors}. Mend them first.", style="bold red")
    if "warning" in severities:
        return Text("Ready to train; look at the warnings.", style="bold yellow")
    return Text("Ready to train.", style="bold green")
