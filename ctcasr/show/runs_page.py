"""Several runs side by side: runs.html, with a table and their curves over each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from ctcasr.diagnose import Verdict
from ctcasr.records import CheckRecord, Record, StepRecord, read_records
from ctcasr.show.charts import Curve, chart
from ctcasr.show.curves import release_step, smoothed
from ctcasr.show.page import Column, Section, facts, page, table, write_html
from ctcasr.show.page_verdicts import last_verdict
from ctcasr.show.records import Series, final_course, metric_names, metrics_of, number, series
from ctcasr.show.run_page import NAME as RUN_PAGE
from ctcasr.show.run_page import valid_wer
from ctcasr.show.run_view import RunView
from ctcasr.show.units import SHARES, UNKNOWN, clock, count, metric, metric_name, short

NAME = "runs.html"
RECORDS = "records.jsonl"
COLOURS = ("blue", "orange", "green", "purple", "red", "grey")
STYLES = ("", "dashed", "faint")  # after the last colour the next begins with the first
_RUNS_WHY = (
    "A name leads to the page about a run, where that was written. Runs that held out different "
    "dev parts are not to be ranked by them. In the charts below, a run has the same colour "
    "throughout; under the pointer, or with the arrow keys in a chart that has the focus, they "
    "tell their values."
)


@dataclass(frozen=True)
class ComparedRun:
    """One run of several: where it is, and what its records tell."""

    name: str
    place: str  # its folder, seen from that of the page
    folder: Path
    records: Sequence[Record]

    @property
    def view(self) -> RunView:
        """The run at its end."""
        return RunView.of(self.records)

    @property
    def verdict(self) -> Verdict:
        """The verdict that it recorded last, or one made from its records."""
        return last_verdict(self.records)[0]


def write_runs_page(folder: Path | str) -> Path:
    """Write runs.html about all runs below `folder` into it.

    Raises:
        FileNotFoundError: where no folder below holds records.jsonl.
    """
    folder = Path(folder)
    runs = find_runs(folder)
    if not runs:
        raise FileNotFoundError(
            f"{folder}: expected folders of runs (each holds {RECORDS}); found none below it"
        )
    title = f"{folder.resolve().name}: {len(runs)} runs"
    sections = [
        Section("Runs", _RUNS_WHY, _table(runs)),
        _losses(runs),
        *_metric_sections(runs),
        _section(runs, "Learning rate", "Of each step.", _steps("lr")),
        _section(
            runs,
            "Blank share",
            "What the model gives the blank, smoothed.",
            _smooth_steps("blank_mass"),
            unit="%",
        ),
    ]
    return write_html(folder / NAME, page(title, _facts(runs), sections))


def find_runs(folder: Path) -> list[ComparedRun]:
    """The runs below a folder, or in it, by the order of their names; empty ones are left out."""
    runs = []
    for path in _files_of_runs(folder):
        records = final_course(read_records(path))
        if records:
            place = path.parent.relative_to(folder).as_posix()
            name = path.parent.resolve().name if place == "." else place
            runs.append(ComparedRun(name, place, path.parent, records))
    return runs


def _files_of_runs(folder: Path) -> list[Path]:
    """The records below a folder, behind links too; each folder once, so that no link is a loop."""
    files = []
    visited = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        resolved = Path(place).resolve()
        if resolved in visited:
            folders.clear()
            continue
        visited.add(resolved)
        if RECORDS in names:  # a file: a folder may be called so, too
            files.append(Path(place) / RECORDS)
    return sorted(files)


def _all_metrics(runs: Sequence[ComparedRun]) -> list[str]:
    """The metrics that any run has, in the order in which they are met."""
    names: dict[str, None] = {}
    for run in runs:
        for name in metric_names(run.records):
            names.setdefault(name)
    return list(names)


def _facts(runs: Sequence[ComparedRun]) -> str:
    """How many there are, how long they took, and the best of them."""
    views = {run.name: run.view for run in runs}
    total_s = sum(view.time_s for view in views.values())
    entries = [(str(len(runs)), "runs"), (clock(total_s), "training time together")]
    best_wers = {}
    for name, view in views.items():
        if view.best is None:
            continue
        wer = number(view.best.metrics.get("wer"))
        if wer is not None:
            best_wers[name] = wer
    if best_wers:
        best = min(best_wers, key=lambda name: best_wers[name])
        lowest = metric("wer", best_wers[best])
        entries.append((lowest, f"lowest WER on a dev part: {best}"))
    return facts(entries)


def _table(runs: Sequence[ComparedRun]) -> str:
    """A row for each run."""
    metrics = _all_metrics(runs)
    wers = [valid_wer(run.folder) for run in runs]
    scored = any(wer is not None for wer in wers)
    columns = [
        Column("run"),
        Column("network"),
        Column("parameters", "r"),
        Column("steps", "r"),
        Column("time", "r"),
        Column("loss, dev", "r"),
        *(Column(f"{metric_name(name)}, best check", "r") for name in metrics),
        Column("at step", "r"),
        *([Column("WER, validation part", "r")] if scored else []),
        Column("release", "r"),
        Column("verdict"),
    ]
    rows = []
    for run, wer in zip(runs, wers, strict=True):
        valid = [escape(metric("wer", wer))] if scored else []
        rows.append(_row(run, metrics, valid))
    return table(columns, rows)


def _row(run: ComparedRun, metrics: Sequence[str], valid: Sequence[str]) -> list[str]:
    """The cells of a run, with that of the validation part; what is not recorded is a dash."""
    view = run.view
    network = view.start.network or UNKNOWN
    parameters = number(view.start.parameters)
    steps = count(view.step)
    if view.steps and view.steps != view.step:
        steps += f" of {count(view.steps)}"
    loss: float | None = None
    best_step: int | None = None
    scores: dict[str, float] = {}
    if view.best is not None:
        loss = number(view.best.loss)
        best_step = view.best.step
        scores = dict(metrics_of(view.best))
    return [
        _link(run),
        escape(network),
        count(parameters),
        steps,
        clock(view.time_s),
        short(loss),
        *(escape(metric(name, scores.get(name))) for name in metrics),
        count(best_step),
        *valid,
        count(release_step(run.records)),
        _verdict(run.verdict),
    ]


def _link(run: ComparedRun) -> str:
    """The name of a run, leading to its page where that was written."""
    name = escape(run.name)
    if not (run.folder / RUN_PAGE).is_file():
        return name
    address = quote(os.fsencode(f"{run.place}/{RUN_PAGE}"))
    return f'<a href="{address}">{name}</a>'


def _verdict(found: Verdict) -> str:
    """The state, and the first cause."""
    text = found.state or UNKNOWN
    if found.causes:
        text += f": {found.causes[0].slug}"
    return escape(text)


Take = Callable[[ComparedRun], Series]
"""What of a run is drawn."""


def _steps(name: str) -> Take:
    """A number of the steps."""
    return lambda run: series(run.records, StepRecord, name)


def _smooth_steps(name: str) -> Take:
    """A number of the steps, smoothed."""
    return lambda run: smoothed(series(run.records, StepRecord, name))


def _checks(name: str) -> Take:
    """A number of the checks."""
    return lambda run: series(run.records, CheckRecord, name)


def _overlaid(
    runs: Sequence[ComparedRun], title: str, take: Take, *, unit: str = "", log: bool = False
) -> str:
    """A curve of every run in one chart; a run has the same colour in all of them."""
    curves = []
    for index, run in enumerate(runs):
        colour = COLOURS[index % len(COLOURS)]
        round_of_colours = index // len(COLOURS)
        style = STYLES[round_of_colours % len(STYLES)]
        points = take(run).points
        curves.append(Curve(run.name, points, colour, style))
    return chart(curves, title=title, unit=unit, log=log)


def _section(
    runs: Sequence[ComparedRun], title: str, what: str, take: Take, *, unit: str = ""
) -> Section:
    return Section(title, what, _overlaid(runs, title, take, unit=unit))


def _losses(runs: Sequence[ComparedRun]) -> Section:
    """Dev above train."""
    parts = []
    for title, take in (("dev", _checks("loss")), ("train", _smooth_steps("loss"))):
        drawn = _overlaid(runs, f"Loss, {title}", take, log=True)
        if drawn:
            parts.append(f"<h3>{title}</h3>{drawn}")
    return Section("Loss", "Nats an utterance.", "".join(parts))


def _metric_sections(runs: Sequence[ComparedRun]) -> list[Section]:
    sections = []
    for name in _all_metrics(runs):
        title = metric_name(name)
        unit = "%" if name in SHARES else ""
        what = "Of the dev part, at each check."
        sections.append(_section(runs, title, what, _checks(name), unit=unit))
    return sections
