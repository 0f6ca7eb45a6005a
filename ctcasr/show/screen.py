"""The live view of a run: one quiet panel, legible at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ctcasr.diagnose import Verdict
from ctcasr.records import CheckRecord, Reason
from ctcasr.show.records import metrics_of, number, samples_of
from ctcasr.show.run_view import RunView
from ctcasr.show.terminal import printable
from ctcasr.show.trace import sparkline
from ctcasr.show.units import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    UNKNOWN,
    clock,
    count,
    metric,
    metric_name,
    percent,
    plural,
    rate,
    short,
)
from ctcasr.show.words import compare

WIDEST = 120  # a wider panel is no more legible
LABEL = 9  # cells of the column of labels
SAMPLES = 3  # utterances that are shown
_FRAME = 4  # cells that the border of the panel takes
_NUMBER = 8  # cells of a number
_FACT = 19  # cells of what is told of the machine
_FACT_LABEL = 7
_PADDING = 2  # cells between columns
_NARROWEST = 8  # cells of a sparkline or a bar
_NAME = 12  # cells of an utterance's name at most

_LEFT_OUT = {  # what training does without, in words
    Reason.INFEASIBLE: "infeasible",
    Reason.UNREADABLE: "unreadable",
    Reason.TEXT_UNCOVERED: "outside the alphabet",
    Reason.TOO_LARGE: "too large",
}


def screen(view: RunView, width: int) -> RenderableType:
    """The whole view in `width` cells."""
    width = min(width, WIDEST)
    inner = width - _FRAME
    parts: list[RenderableType] = [_progress(view), Text(""), _numbers(view, inner)]
    if view.mean("blank_mass") is not None:
        parts += [Text(""), *_blank(view, inner)]
    if view.check is not None:
        parts += [Text(""), *_transcripts(view.check, inner)]
    tail = _tail(view)
    if tail.row_count:
        parts += [Rule(style=GREY), tail]
    return Panel(
        Group(*parts),
        title=_title(view, inner - _FRAME),
        title_align="left",
        subtitle=_machine(view),
        subtitle_align="right",
        border_style=GREY,
        box=box.ROUNDED,
        width=width,
    )


def _title(view: RunView, width: int) -> Text:
    title = Text(view.start.network or "training", style="bold")
    title.truncate(width, overflow="ellipsis")
    return title


def _machine(view: RunView) -> Text:
    parts = []
    parameters = number(view.start.parameters)
    if parameters is not None:
        parts.append(f"{count(parameters)} parameters")
    if view.start.device:
        parts.append(view.start.device)
    return Text(" · ".join(parts), style="dim")


def _progress(view: RunView) -> RenderableType:
    """The epoch, a bar, and the time that has gone and is left."""
    epoch = f"epoch {view.epoch}"
    if view.epochs:
        epoch += f" of {view.epochs}"
    times = f"{100 * view.share:.0f} %  {clock(view.time_s)} gone"
    left_s = view.left_s
    if left_s is not None and left_s >= 1:
        end = datetime.now() + timedelta(seconds=left_s)
        times += f", {clock(left_s)} left (at {end:%H:%M})"
    bar = ProgressBar(
        total=1.0, completed=view.share, style=GREY, complete_style=SKY, finished_style=GREEN
    )
    grid = Table.grid(expand=True, padding=(0, _PADDING, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_row(Text(epoch), bar, Text(times))
    return grid


class _Falling(NamedTuple):
    """A number that should fall, and the name of its history."""

    label: str
    value: str
    trace: str


def _numbers(view: RunView, inner: int) -> RenderableType:
    """Left what should fall, with its history; right the state of the machine."""
    falling = [
        _Falling("loss", short(view.mean("loss")), "loss"),
        _Falling("gradient", short(view.mean("grad_norm")), "grad_norm"),
    ]
    if view.check is not None:
        for name, score in metrics_of(view.check)[:2]:
            falling.append(_Falling(f"dev {metric_name(name)}", metric(name, score), name))
    facts = _facts(view)
    taken = LABEL + _NUMBER + _FACT_LABEL + _FACT + 6 * _PADDING
    line_width = max(_NARROWEST, inner - taken)
    grid = Table.grid(padding=(0, _PADDING, 0, 0))
    grid.add_column(style="dim", width=LABEL, no_wrap=True)
    grid.add_column(style="bold", width=_NUMBER, justify="right", no_wrap=True)
    grid.add_column(style=SKY, width=line_width, no_wrap=True)
    grid.add_column(style="dim", width=_FACT_LABEL, no_wrap=True)
    grid.add_column(width=_FACT, no_wrap=True)
    for row in range(max(len(falling), len(facts))):
        cells = ["", "", ""]
        if row < len(falling):
            label, value, trace = falling[row]
            values = view.traces[trace].values if trace in view.traces else []
            cells = [label, value, sparkline(values, line_width)]
        if row < len(facts):
            cells += facts[row]
        grid.add_row(*cells)
    return grid


def _facts(view: RunView) -> list[tuple[str, str]]:
    """(label, value) of the step, the learning rate, the speed, and the wait for data."""
    steps = count(view.step)
    if view.steps:
        steps += f" of {count(view.steps)}"
    learning_rate = number(view.latest_step.lr) if view.latest_step else None
    speed = UNKNOWN
    if view.speed is not None:
        digits = 0 if view.speed >= 10 else 1
        speed = f"{view.speed:.{digits}f} s audio per s"
    waiting = UNKNOWN
    if view.waiting is not None:
        waiting = f"{percent(view.waiting)} for data"
    return [
        ("step", steps),
        ("lr", rate(learning_rate)),
        ("speed", speed),
        ("waiting", waiting),
    ]


def _blank(view: RunView, inner: int) -> list[RenderableType]:
    """How much of its mass the model gives to the blank, over how much the targets ask for."""
    likeliest = view.mean("blank_argmax")
    notes = ("", "")
    if likeliest is not None:
        notes = (f"wins {percent(likeliest)}", "of frames")
    width = max(_NARROWEST, inner - LABEL - 31)  # cells of the names, the shares and the notes
    model = _bar("blank", "model", view.mean("blank_mass"), ORANGE, width, notes[0])
    targets = _bar("", "targets", view.mean("blank_expected"), BLUE, width, notes[1])
    return [model, targets]


def _bar(label: str, name: str, share: float | None, colour: str, width: int, note: str) -> Text:
    """A share as a bar of `width` cells, between its name and its value."""
    full = round(width * (share or 0.0))
    line = Text(label.ljust(LABEL), style="dim", no_wrap=True)
    line.append(f"{name:8}", style="not dim")
    line.append("━" * full, style=f"{colour} not dim")
    line.append("─" * (width - full), style=GREY)
    line.append(f" {percent(share):>5}  ", style="bold not dim")
    line.append(note)
    return line


def _transcripts(check: CheckRecord, inner: int) -> list[RenderableType]:
    """Three hypotheses under their references."""
    samples = samples_of(check)[:SAMPLES]
    if not samples:
        return []
    heading = f"heard at step {count(check.step)}, reference over hypothesis"
    lines: list[RenderableType] = [Text(heading, style="dim")]
    column = min(_NAME, max(len(sample.id) for sample in samples))
    indent = " " * (column + _PADDING)
    for sample in samples:
        name = Text(sample.id, style="dim", no_wrap=True)
        name.truncate(column, overflow="ellipsis", pad=True)
        above, below = compare(sample.reference, sample.hypothesis, inner - len(indent))
        lines.append(Text.assemble(name, " " * _PADDING, above))
        lines.append(Text.assemble(indent, below))
    return lines


def _tail(view: RunView) -> Table:
    """The best check, what was left out, the last event, and the verdict."""
    grid = Table.grid(padding=(0, 0))
    grid.add_column(width=LABEL, style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    if view.best is not None and metrics_of(view.best):
        scores = metrics_text(metrics_of(view.best)[:2])
        grid.add_row("best", Text(f"{scores} at step {count(view.best.step)}", style=GREEN))
    if left_out(view):
        grid.add_row("left out", Text(left_out(view)))
    if view.event is not None:
        message = printable(view.event.message) or str(view.event.reason)
        grid.add_row("event", Text(f"step {count(view.event.step)}: {message}"))
    if view.verdict is not None:
        grid.add_row("verdict", verdict_text(view.verdict))
    return grid


def metrics_text(metrics: Sequence[tuple[str, float]]) -> str:
    """`WER 5.0 %, CER 2.5 %`."""
    return ", ".join(f"{metric_name(name)} {metric(name, value)}" for name, value in metrics)


def left_out(view: RunView) -> str:
    """What training did without, in words; empty where nothing was left out."""
    parts = []
    for reason, utterances in view.left_out.items():
        if reason in _LEFT_OUT:
            parts.append(f"{len(utterances)} {_LEFT_OUT[reason]}")
    listed = view.start.details.get("skipped")
    if isinstance(listed, list | tuple) and listed:
        parts.append(f"{plural(len(listed), 'line')} of the manifest")
    if view.skipped_steps:
        parts.append(f"{plural(view.skipped_steps, 'step')} skipped")
    return ", ".join(parts)


def verdict_text(verdict: Verdict) -> Text:
    """State, and the first cause with its evidence and cure."""
    colour = GREEN
    if verdict.causes:
        colour = f"bold {ORANGE}"
    elif "wait" in verdict.state:
        colour = SKY
    text = Text(verdict.state, style=colour)
    if verdict.estimated and verdict.release_step:
        text.append(f" (about until step {verdict.release_step})", style="default not bold")
    if not verdict.causes:
        return text
    first, *others = verdict.causes
    text.append(f"  {first.slug}: {first.evidence}", style="default not bold")
    if first.cure:
        text.append(f"\ncure: {first.cure}", style="bold")
    if others:
        slugs = ", ".join(cause.slug for cause in others)
        text.append(f"\nor: {slugs}", style="dim not bold")
    return text
