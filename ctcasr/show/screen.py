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
from ctcasr.show.trace import Trace, sparkline
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
_NUMBERS = LABEL + _NUMBER + _FACT_LABEL + _FACT + 6 * _PADDING  # cells beside a sparkline
_BARS = LABEL + 31  # cells beside a bar: names, shares and notes
_NARROWEST = 8  # cells of a sparkline or a bar
_NAME = 12  # cells of an utterance's name at most

LEFT_OUT = {  # what training does without, in words
    Reason.INFEASIBLE: "infeasible",
    Reason.UNREADABLE: "unreadable",
    Reason.TEXT_UNCOVERED: "outside the alphabet",
    Reason.TOO_LARGE: "too large",
}


def screen(view: RunView, width: int, samples: int = SAMPLES) -> RenderableType:
    """The whole view in `width` cells, with the transcripts of so many utterances.

    Example:
        >>> from rich.console import Console
        >>> paper = Console(width=60, force_terminal=False, force_jupyter=False)
        >>> paper.print(screen(RunView(), 60))
        ╭─ training ───────────────────────────────────────────────╮
        ...
    """
    width = min(width, WIDEST)
    inner = width - _FRAME
    empty_line = Text("")
    parts: list[RenderableType] = [
        _progress(view),
        empty_line,
        _numbers(view, inner),
    ]
    if view.mean("blank_mass") is not None:
        parts.append(empty_line)
        parts.extend(_blank(view, inner))
    if view.check is not None and samples:
        parts.append(empty_line)
        parts.extend(_transcripts(view.check, inner, samples))
    tail = _tail(view)
    if tail.row_count:
        parts.append(Rule(style=GREY))
        parts.append(tail)
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
    """The network, as much of it as fits."""
    name = view.start.network or "training"
    title = Text(name, style="bold")
    title.truncate(width, overflow="ellipsis")
    return title


def _machine(view: RunView) -> Text:
    """The size of the network and what it runs on, as far as they are known."""
    parts = []
    parameters = number(view.start.parameters)
    if parameters is not None:
        size = count(parameters)
        parts.append(f"{size} parameters")
    if view.start.device:
        parts.append(view.start.device)
    return Text(" · ".join(parts), style="dim")


def _progress(view: RunView) -> RenderableType:
    """The epoch, a bar, and the time that has gone and is left."""
    epoch = f"epoch {view.epoch}"
    if view.epochs:
        epoch += f" of {view.epochs}"
    done = f"{100 * view.share:.0f} %"
    gone = clock(view.time_s)
    times = f"{done}  {gone} gone"
    left_s = view.left_s
    if left_s is not None and left_s >= 1:
        left = clock(left_s)
        end = datetime.now() + timedelta(seconds=left_s)
        times += f", {left} left (at {end:%H:%M})"
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
    """A number that should fall, and the name of its history.

    The history is drawn beside it.
    """

    label: str
    value: str
    trace: str


def _numbers(view: RunView, inner: int) -> RenderableType:
    """Left what should fall, with its history; right the state of the machine."""
    loss = short(view.mean("loss"))
    gradient = short(view.mean("grad_norm"))
    falling = [
        _Falling("loss", loss, "loss"),
        _Falling("gradient", gradient, "grad_norm"),
    ]
    if view.check is not None:
        for name, score in metrics_of(view.check)[:2]:
            label = f"dev {metric_name(name)}"
            falling.append(_Falling(label, metric(name, score), name))
    facts = _facts(view)
    line_width = max(_NARROWEST, inner - _NUMBERS)
    grid = Table.grid(padding=(0, _PADDING, 0, 0))
    grid.add_column(style="dim", width=LABEL, no_wrap=True)
    grid.add_column(style="bold", width=_NUMBER, justify="right", no_wrap=True)
    grid.add_column(style=SKY, width=line_width, no_wrap=True)
    grid.add_column(style="dim", width=_FACT_LABEL, no_wrap=True)
    grid.add_column(width=_FACT, no_wrap=True)
    rows = max(len(falling), len(facts))
    for row in range(rows):
        cells = ["", "", ""]
        if row < len(falling):
            number_that_falls = falling[row]
            trace = view.traces.get(number_that_falls.trace, Trace())
            drawn = sparkline(trace.values, line_width)
            cells = [number_that_falls.label, number_that_falls.value, drawn]
        if row < len(facts):
            cells += facts[row]
        grid.add_row(*cells)
    return grid


def _facts(view: RunView) -> list[tuple[str, str]]:
    """(label, value) of the step, the learning rate, the speed, and the wait for data."""
    steps = count(view.step)
    if view.steps:
        steps += f" of {count(view.steps)}"
    speed = UNKNOWN
    if view.speed is not None:
        digits = 0 if view.speed >= 10 else 1
        seconds = f"{view.speed:.{digits}f} s"
        speed = f"{seconds} audio per s"
    waiting = UNKNOWN
    if view.waiting is not None:
        share = percent(view.waiting)
        waiting = f"{share} for data"
    return [
        ("step", steps),
        ("lr", rate(view.learning_rate)),
        ("speed", speed),
        ("waiting", waiting),
    ]


def _blank(view: RunView, inner: int) -> list[RenderableType]:
    """How much of its mass the model gives to the blank, over how much the targets ask for."""
    width = max(_NARROWEST, inner - _BARS)
    model = Text("blank".ljust(LABEL), style="dim", no_wrap=True)
    targets = Text(" " * LABEL, style="dim", no_wrap=True)
    _append_bar(model, "model", view.mean("blank_mass"), ORANGE, width)
    _append_bar(targets, "targets", view.mean("blank_expected"), BLUE, width)
    likeliest = view.mean("blank_argmax")
    if likeliest is not None:
        model.append(f"wins {percent(likeliest)}")
        targets.append("of frames")
    return [model, targets]


def _append_bar(line: Text, name: str, share: float | None, colour: str, width: int) -> None:
    """A share as a bar of `width` cells, between its name and its value."""
    full = round(width * (share or 0.0))
    empty = width - full
    line.append(f"{name:8}", style="not dim")
    line.append("━" * full, style=f"{colour} not dim")
    line.append("─" * empty, style=GREY)
    line.append(f" {percent(share):>5}  ", style="bold not dim")


def _transcripts(check: CheckRecord, inner: int, most: int) -> list[RenderableType]:
    """Hypotheses under their references, `most` at most."""
    samples = samples_of(check)[:most]
    if not samples:
        return []
    heading = f"heard at step {count(check.step)}, reference over hypothesis"
    lines: list[RenderableType] = [Text(heading, style="dim")]
    longest_name = max(len(sample.id) for sample in samples)
    column = min(_NAME, longest_name)
    gap = " " * _PADDING
    text_width = inner - column - _PADDING
    for sample in samples:
        name = Text(sample.id, style="dim", no_wrap=True)
        name.truncate(column, overflow="ellipsis", pad=True)
        no_name = " " * column
        above, below = compare(sample.reference, sample.hypothesis, text_width)
        lines.append(Text.assemble(name, gap, above))
        lines.append(Text.assemble(no_name, gap, below))
    return lines


def _tail(view: RunView) -> Table:
    """The best check, what was left out, the last event, and the verdict."""
    grid = Table.grid(padding=(0, 0))
    grid.add_column(width=LABEL, style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    if view.best is not None and metrics_of(view.best):
        scores = metrics_text(metrics_of(view.best)[:2])
        best = f"{scores} at step {count(view.best.step)}"
        grid.add_row("best", Text(best, style=GREEN))
    if left_out(view):
        grid.add_row("left out", Text(left_out(view)))
    event = view.event
    if event is not None:
        message = printable(event.message)
        what = f"{event.reason}: {message}" if message else str(event.reason)
        step = count(event.step)
        grid.add_row("event", Text(f"step {step}, {what}"))
    if view.verdict is not None:
        grid.add_row("verdict", verdict_text(view.verdict))
    return grid


def metrics_text(metrics: Sequence[tuple[str, float]]) -> str:
    """Names and values behind each other.

    Example:
        >>> metrics_text([("wer", 0.05), ("si_sdr", 9.126)])
        'WER 5.0 %, si sdr 9.13'
    """
    texts = []
    for name, value in metrics:
        score = metric(name, value)
        texts.append(f"{metric_name(name)} {score}")
    return ", ".join(texts)


def left_out(view: RunView) -> str:
    """What training did without, in words; empty where nothing was left out."""
    parts = []
    for reason, utterances in view.left_out.items():
        word = LEFT_OUT.get(reason)
        if word is not None:
            parts.append(f"{len(utterances)} {word}")
    listed = view.start.details.get("skipped")
    if isinstance(listed, list | tuple) and listed:
        lines = plural(len(listed), "line")
        parts.append(f"{lines} of the manifest")
    if view.skipped_steps:
        steps = plural(view.skipped_steps, "step")
        parts.append(f"{steps} skipped")
    return ", ".join(parts)


def verdict_text(verdict: Verdict) -> Text:
    """State, and the first cause with its evidence and cure."""
    waits = "wait" in verdict.state
    colour = GREEN
    if verdict.causes:
        colour = f"bold {ORANGE}"
    elif waits:
        colour = SKY
    text = Text(verdict.state, style=colour)
    if verdict.waits_until:
        text.append(f" (about until step {verdict.waits_until})", style="default not bold")
    if not verdict.causes:
        return text
    first, *others = verdict.causes
    evidence = f"  {first.slug}: {first.evidence}"
    text.append(evidence, style="default not bold")
    if first.cure:
        text.append(f"\ncure: {first.cure}", style="bold")
    if others:
        slugs = ", ".join(cause.slug for cause in others)
        text.append(f"\nor: {slugs}", style="dim not bold")
    return text
