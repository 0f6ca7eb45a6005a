"""The live view of a run: one quiet panel, legible at 80 columns, drawn from the story so far."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ctcasr.show.records import number
from ctcasr.show.run_view import RunView, metrics_of
from ctcasr.show.trace import sparkline
from ctcasr.show.units import BLUE, GREEN, GREY, ORANGE, SKY, clock, count, percent, rate, short
from ctcasr.show.words import compare

LABEL = 9  # cells of the column of labels
WIDEST = 120  # a wider panel is no more legible


def screen(story: RunView, width: int) -> RenderableType:
    """The whole view in `width` cells."""
    width = min(width, WIDEST)
    inner = width - 4
    parts: list[RenderableType] = [_progress(story), Text(""), _numbers(story, inner)]
    if story.mean("blank_mass") is not None:
        parts += [Text(""), *_blank(story, inner)]
    if story.check is not None:
        parts += [Text(""), *_transcripts(story.check, inner)]
    tail = _tail(story)
    if tail.row_count:
        parts += [Rule(style=GREY), tail]
    return Panel(
        Group(*parts),
        title=_title(story, inner - 4),
        title_align="left",
        subtitle=_machine(story),
        subtitle_align="right",
        border_style=GREY,
        box=box.ROUNDED,
        width=width,
    )


def score(name: str, value: float) -> str:
    """A figure of a check for people: error rates and accuracies in per cent, others as numbers."""
    return percent(value, 1) if name in ("wer", "cer", "accuracy") else short(value)


def _title(story: RunView, width: int) -> Text:
    title = Text(str(story.start.get("network") or "training"), style="bold")
    title.truncate(width, overflow="ellipsis")
    return title


def _machine(story: RunView) -> Text:
    start = story.start
    size = number(start.get("parameters"))
    parts = ["" if size is None else f"{count(size)} parameters", str(start.get("device") or "")]
    return Text(" · ".join(filter(None, parts)), style="dim")


def _progress(story: RunView) -> RenderableType:
    left = story.left_s
    grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    ends = ""
    if left is not None and left >= 1:
        ends = f", {clock(left)} left (at {datetime.now() + timedelta(seconds=left):%H:%M})"
    grid.add_row(
        Text(f"epoch {story.epoch}" + (f" of {story.epochs}" if story.epochs else "")),
        ProgressBar(
            total=1.0, completed=story.share, style=GREY, complete_style=SKY, finished_style=GREEN
        ),
        Text(f"{100 * story.share:.0f} %  {clock(story.time_s)} gone{ends}"),
    )
    return grid


def _numbers(story: RunView, inner: int) -> RenderableType:
    """Left what should fall, with its history; right the state of the machine."""
    left: list[tuple[str, str, str]] = [
        ("loss", short(story.mean("loss")), "loss"),
        ("gradient", short(story.mean("grad_norm")), "grad_norm"),
    ]
    for name, figure in metrics_of(story.check)[:2] if story.check else ():
        left.append((f"dev {_named(name)}", score(name, figure), name))
    speed, steps = story.speed, story.steps
    right = [
        ("step", count(story.step) + (f" of {count(steps)}" if steps else "")),
        ("lr", rate(number(story.now.get("lr")))),
        ("speed", "-" if speed is None else f"{speed:.{0 if speed >= 10 else 1}f} s audio per s"),
        ("waiting", "-" if story.waiting is None else f"{percent(story.waiting)} for data"),
    ]
    line = max(8, inner - 55)
    grid = Table.grid(padding=(0, 2, 0, 0))
    for style, cells, justify in (
        ("dim", LABEL, "left"),
        ("bold", 8, "right"),
        (SKY, line, "left"),
        ("dim", 7, "left"),
        ("", 19, "left"),
    ):
        grid.add_column(style=style, width=cells, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for i in range(max(len(left), len(right))):
        label, value, trace = left[i] if i < len(left) else ("", "", "")
        drawn = sparkline(story.traces[trace].values, line) if trace in story.traces else ""
        grid.add_row(label, value, drawn, *(right[i] if i < len(right) else ("", "")))
    return grid


def _named(name: str) -> str:
    return name.upper() if name in ("wer", "cer") else name.replace("_", " ")


def _blank(story: RunView, inner: int) -> list[RenderableType]:
    """How much of its mass the model gives to blank, over how much the targets ask for."""
    width = max(8, inner - LABEL - 31)
    argmax = story.mean("blank_argmax")
    rows = [
        ("model", "blank_mass", ORANGE, "" if argmax is None else f"wins {percent(argmax)}"),
        ("targets", "blank_expected", BLUE, "of frames" if argmax is not None else ""),
    ]
    lines: list[RenderableType] = []
    for i, (label, name, colour, note) in enumerate(rows):
        share = story.mean(name)
        full = round(width * (share or 0.0))
        line = Text(("" if i else "blank").ljust(LABEL), style="dim", no_wrap=True)
        line.append(f"{label:8}", style="not dim")
        line.append("━" * full, style=f"{colour} not dim").append("─" * (width - full), style=GREY)
        line.append(f" {percent(share):>5}  ", style="bold not dim").append(note)
        lines.append(line)
    return lines


def _transcripts(check: Mapping[str, Any], inner: int) -> list[RenderableType]:
    samples = [sample for sample in check.get("samples") or () if isinstance(sample, Mapping)][:3]
    if not samples:
        return []
    heading = f"heard at step {count(check['step'])}, reference over hypothesis"
    lines: list[RenderableType] = [Text(heading, style="dim")]
    column = min(12, max(len(str(sample.get("id", ""))) for sample in samples))
    for sample in samples:
        name = Text(str(sample.get("id", "")), style="dim", no_wrap=True)
        name.truncate(column, overflow="ellipsis", pad=True)
        pair = compare(
            str(sample.get("reference") or ""),
            str(sample.get("hypothesis") or ""),
            inner - column - 2,
        )
        lines += [Text.assemble(name, "  ", pair[0]), Text.assemble(" " * (column + 2), pair[1])]
    return lines


def _tail(story: RunView) -> Table:
    grid = Table.grid(padding=(0, 0))
    grid.add_column(width=LABEL, style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    if story.best is not None and metrics_of(story.best):
        scores = ", ".join(
            f"{_named(name)} {score(name, value)}" for name, value in metrics_of(story.best)[:2]
        )
        grid.add_row("best", Text(f"{scores} at step {count(story.best['step'])}", style=GREEN))
    if left_out(story):
        grid.add_row("left out", Text(left_out(story)))
    if story.event is not None:
        message = str(story.event.get("message") or story.event.get("what") or "")
        grid.add_row("event", Text(f"step {count(story.event['step'])}: {message}"))
    if story.verdict is not None:
        grid.add_row("verdict", verdict_text(story.verdict))
    return grid


def left_out(story: RunView) -> str:
    """What training did without, in words; empty where nothing was left out."""
    parts = [
        f"{len(ids)} {what}"
        for what, ids in story.left_out.items()
        if what in ("infeasible", "unreadable")
    ]
    listed = story.start.get("skipped")
    if isinstance(listed, list | tuple) and listed:
        parts.append(f"{len(listed)} line{'s' if len(listed) > 1 else ''} of the manifest")
    if story.skipped_steps:
        parts.append(f"{story.skipped_steps} step{'s' if story.skipped_steps > 1 else ''} skipped")
    return ", ".join(parts)


def verdict_text(verdict: Mapping[str, Any]) -> Text:
    """State, and the first cause with its evidence and cure."""
    state = str(verdict.get("state") or "")
    causes = [cause for cause in verdict.get("causes") or () if isinstance(cause, Mapping)]
    text = Text(state, style=f"bold {ORANGE}" if causes else SKY if "wait" in state else GREEN)
    if verdict.get("estimated") and verdict.get("release_step"):
        text.append(f" (about until step {verdict['release_step']})", style="default not bold")
    for cause in causes[:1]:
        text.append(
            f"  {cause.get('slug', '')}: {cause.get('evidence', '')}", style="default not bold"
        )
        if cause.get("cure"):
            text.append(f"\ncure: {cause['cure']}", style="bold")
    if len(causes) > 1:
        text.append(
            f"\nor: {', '.join(str(cause.get('slug')) for cause in causes[1:])}",
            style="dim not bold",
        )
    return text
