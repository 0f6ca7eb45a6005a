"""The page about a run: doctor.html, one file that opens from disk and loads nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median

from ctcasr.diagnose import verdict
from ctcasr.records import CheckRecord, EpochRecord, EventRecord, Record, StepRecord, read_run
from ctcasr.show.charts import Curve, Mark, Point, chart
from ctcasr.show.curves import smoothed
from ctcasr.show.page import Column, Section, facts, page, table, write_html
from ctcasr.show.page_samples import samples
from ctcasr.show.page_verdicts import banner, history, last_verdict, verdicts_of
from ctcasr.show.records import (
    FIRST_METRICS,
    Suspect,
    final_course,
    metric_names,
    metrics_of,
    number,
    series,
    suspects_of,
)
from ctcasr.show.run_view import RunView
from ctcasr.show.units import (
    SHARES,
    clock,
    count,
    metric,
    metric_name,
)

NAME = "doctor.html"
_EVENTS = 200  # that are listed
_FEWEST = 2  # checks that a plateau is drawn through

_BLANK_WHY = (
    "CTC pulls the model's blank mass (orange) towards the share that its own alignments of the "
    "targets ask for (blue); the distance between them is the mean gradient on the blank. On the "
    "blank plateau both curves are together and the blank (dashed), or blank and space, is the "
    "likeliest nearly everywhere: the model has not found yet what depends on the sound. It ends "
    "at the release: the first of three checks in a row that hear and have a character error rate "
    "at or below 80 %."
)
_LOSS_WHY = "A model can come down far by learning what is usually said when, without listening."
_DASHED_WHY = (
    " The dashed line is where that ends; only a loss below it shows that the sound is used."
)
_LISTENING_WHY = (
    "The same texts scored with their own sound and with that of another utterance, in nats. While "
    "both are equal, the model ignores what it hears."
)
_ERRORS_WHY = "Words and characters of the part that selects, by greedy decoding."
_STEPS_WHY = (
    "A gradient norm that grows while the loss does not fall, or jumps by powers of ten, asks for "
    "a lower rate; steps usually are 1e-4 to 1e-2 of the weights."
)
_SUSPECTS_WHY = (
    "Lines whose loss stands far out each of the last times that they were learnt from, the worst "
    "first: read and hear them. <code>ctcasr audit</code> judges every line by a network that did "
    "not learn it, and says what is wrong."
)


def write_page(run: Path | str) -> Path:
    """Write doctor.html into the folder of a run, or beside its records.jsonl.

    Raises:
        FileNotFoundError: without records.jsonl.
        ValueError: where it holds no record.
    """
    folder = Path(run)
    if folder.is_file():  # records.jsonl itself
        folder = folder.parent
    course = Course.of(final_course(read_run(folder)))
    latest, is_recorded = last_verdict(course.records)
    head = banner(latest, recorded=is_recorded) + _facts(course, valid_wer(folder))
    sections = [
        _blank(course),
        _loss(course),
        _listening(course),
        _error_rates(course),
        _other_metrics(course),
        _steps(course),
        samples(course.records),
        history(verdicts_of(course.records)),
        _suspects(course),
        _events(course),
    ]
    return write_html(folder / NAME, page(folder.resolve().name, head, sections))


@dataclass(frozen=True)
class Course:
    """The records that count, and where the run left the blank plateau."""

    records: Sequence[Record]
    released: int | None

    @staticmethod
    def of(records: Sequence[Record]) -> Course:
        """The course of a run by its records."""
        own = verdict(records)
        return Course(records, None if own.estimated else own.release_step)

    @property
    def last(self) -> float:
        """The last step of which anything is known."""
        return float(max((record.step for record in self.records), default=0))

    def chart(
        self, curves: Sequence[Curve], title: str, *, unit: str = "", log: bool = False
    ) -> str:
        """Curves over all steps, with the release."""
        marks = []
        if self.released is not None:
            marks.append(Mark(self.released, f"release, step {self.released}"))
        return chart(curves, title=title, unit=unit, log=log, marks=marks, last=self.last)

    def steps(self, name: str) -> list[Point]:
        """A number of the steps."""
        return series(self.records, StepRecord, name).points

    def smooth_steps(self, name: str) -> list[Point]:
        """A number of the steps, smoothed."""
        return smoothed(series(self.records, StepRecord, name)).points

    def checks(self, name: str) -> list[Point]:
        """A number of the checks."""
        return series(self.records, CheckRecord, name).points

    def yardsticks(self, name: str) -> list[Point]:
        """A yardstick of the checks: `deaf`, `own` or `other`, of the dev part."""
        points = []
        for record in self.records:
            if not isinstance(record, CheckRecord):
                continue
            dev = record.evidence.get("dev")
            if not isinstance(dev, Mapping):
                continue
            value = number(dev.get(name))
            if value is not None:
                points.append((float(record.step), value))
        return points


def valid_wer(run: Path) -> float | None:
    """The WER of the validation part that a recipe scored after training; None without."""
    with suppress(OSError, ValueError):
        scores = json.loads((run / "valid" / "scores.json").read_text(encoding="utf-8"))
        if isinstance(scores, dict):
            return number(scores.get("wer"))
    return None


def _facts(course: Course, wer: float | None) -> str:
    """Steps, time, network and scores; `wer` is that of the validation part."""
    view = RunView.of(course.records)
    steps = count(view.step)
    if view.steps:
        steps += f" of {count(view.steps)}"
    network = view.start.network or "network"
    parameters = count(number(view.start.parameters))
    entries = [
        (steps, "steps"),
        (clock(view.time_s), "training time"),
        (parameters, f"parameters, {network}"),
    ]
    best = view.best
    if best is not None and metrics_of(best):
        name, value = metrics_of(best)[0]
        score = metric(name, value)
        where = f"best {metric_name(name)} on {best.scored_on}, at step {best.step}"
        entries.append((score, where))
    if wer is not None:
        entries.append((metric("wer", wer), "WER on the validation part"))
    if course.checks("cer"):
        released = "not yet"
        if course.released is not None:
            released = f"step {count(course.released)}"
        entries.append((released, "release from the blank plateau"))
    return facts(entries)


def _blank(course: Course) -> Section:
    likeliest = course.smooth_steps("blank_argmax")
    mass = course.smooth_steps("blank_mass")
    asked = course.smooth_steps("blank_expected")
    curves = [
        Curve("blank is the likeliest class", likeliest, "purple", "dashed"),
        Curve("mass that the model gives the blank", mass, "orange"),
        Curve("share that the targets ask for", asked, "blue"),
    ]
    title = "Blank share"
    return Section(title, _BLANK_WHY, course.chart(curves, title, unit="%"))


def _loss(course: Course) -> Section:
    dev = course.checks("loss")
    deaf = course.yardsticks("deaf")
    plateau = [] if deaf else _plateau(dev, course.released)
    curves = [
        Curve("", course.steps("loss"), "blue", "faint"),
        Curve("train, nats an utterance", course.smooth_steps("loss"), "blue"),
        Curve("dev", dev, "orange", "dots"),
        Curve("best model that does not listen", deaf, "grey", "dashed"),
        Curve("plateau: median of the dev loss before release", plateau, "grey", "dashed"),
    ]
    why = _LOSS_WHY
    if deaf or plateau:
        why += _DASHED_WHY
    return Section("Loss", why, course.chart(curves, "Loss", log=True))


def _plateau(dev: Sequence[Point], released: int | None) -> list[Point]:
    """The median loss of the later half of the checks before the release, as a level line."""
    before = list(dev)
    if released is not None:
        before = [(step, loss) for step, loss in dev if step < released]
    if len(before) < _FEWEST:
        return []
    half = len(before) // 2
    level = median(loss for _, loss in before[half:])
    first_step, _ = before[0]
    last_step, _ = before[-1]
    return [(first_step, level), (last_step, level)]


def _listening(course: Course) -> Section:
    curves = [
        Curve("with its own sound", course.yardsticks("own"), "blue", "dots"),
        Curve("with the sound of another utterance", course.yardsticks("other"), "red", "dots"),
    ]
    title = "Does it listen?"
    return Section(title, _LISTENING_WHY, course.chart(curves, title, log=True))


def _error_rates(course: Course) -> Section:
    curves = [
        Curve("WER", course.checks("wer"), "blue", "dots"),
        Curve("CER", course.checks("cer"), "orange", "dots"),
    ]
    title = "Error rates"
    return Section(title, _ERRORS_WHY, course.chart(curves, title, unit="%"))


def _other_metrics(course: Course) -> Section:
    """Whatever else the checks measured, a chart each."""
    charts = ""
    for name in metric_names(course.records):
        if name in FIRST_METRICS:
            continue
        title = metric_name(name)
        unit = "%" if name in SHARES else ""
        curve = Curve(title, course.checks(name), "blue", "dots")
        charts += course.chart([curve], title, unit=unit)
    return Section("Metrics", "Of the part that selects.", charts)


def _steps(course: Course) -> Section:
    rate = [Curve("learning rate", course.steps("lr"), "blue")]
    norm = [
        Curve("", course.steps("grad_norm"), "grey", "faint"),
        Curve("gradient norm", course.smooth_steps("grad_norm"), "purple"),
    ]
    ratio = "length of a step against that of the weights"
    ratios = [Curve(ratio, course.smooth_steps("update_ratio"), "green")]
    charts = [
        course.chart(rate, "Learning rate"),
        course.chart(norm, "Gradient norm", log=True),
        course.chart(ratios, ratio, log=True),
    ]
    return Section("Steps", _STEPS_WHY, "".join(charts))


def _suspects(course: Course) -> Section:
    """Lines whose loss stood out, from the last epoch that named any."""
    suspects: list[Suspect] = []
    for record in course.records:
        if isinstance(record, EpochRecord):
            suspects = suspects_of(record) or suspects
    rows = [[escape(suspect.line), f"{suspect.loss:.2f}"] for suspect in suspects]
    columns = [Column("line"), Column("nats a symbol", "r")]
    return Section("Wrong transcripts?", _SUSPECTS_WHY, table(columns, rows))


def _events(course: Course) -> Section:
    rows = []
    for record in course.records:
        if isinstance(record, EventRecord):
            reason = escape(str(record.reason))
            message = escape(record.message)
            rows.append([str(record.step), reason, message])
    columns = [Column("step", "n"), Column("what"), Column("")]
    why = "What was left out, skipped or interrupted."
    if len(rows) > _EVENTS:
        why += f" The first {_EVENTS} of {len(rows)}."
    return Section("Events", why, table(columns, rows[:_EVENTS]))
