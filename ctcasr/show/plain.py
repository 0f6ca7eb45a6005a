"""The run as plain lines, for logs and pipes: ASCII but for messages, columns that stay."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ctcasr.diagnose import Verdict
from ctcasr.records import (
    CheckRecord,
    EpochRecord,
    EventRecord,
    Record,
    StartRecord,
    StepRecord,
)
from ctcasr.show.records import metrics_of, number, verdict_of
from ctcasr.show.run_view import RunView
from ctcasr.show.units import (
    SHARES,
    UNKNOWN,
    binary,
    clock,
    count,
    percent,
    rate,
    short,
)

EVERY_S = 10.0  # a step has a line at most this often, by the clock of the records
_NAMED = 5  # utterances of an event, and lines of a manifest, that are named
_CHARACTERS = 10  # that are named of those outside the alphabet


class PlainLines:
    """Turns records into lines; a step makes one now and then, every other kind always."""

    def __init__(self) -> None:
        self.view = RunView()
        self._last_line_s: float | None = None
        self._last_verdict: object = None

    def lines(self, record: Record) -> list[str]:
        """The lines that `record` is worth, maybe none."""
        self.view.add(record)
        if isinstance(record, StepRecord):
            return self._step_lines()
        if isinstance(record, StartRecord):
            return start_lines(record)
        if isinstance(record, CheckRecord):
            return [self._line("check", check_columns(record)), *self._verdict_lines(record)]
        if isinstance(record, EpochRecord):
            return [self._line("epoch", epoch_columns(record))]
        if isinstance(record, EventRecord):
            return [self._line(str(record.reason), f"{record.message}{named(record)}")]
        return []

    def _step_lines(self) -> list[str]:
        time_s = self.view.time_s
        if self._last_line_s is not None and time_s - self._last_line_s < EVERY_S:
            return []
        self._last_line_s = time_s
        return [self._line("", step_columns(self.view))]

    def _verdict_lines(self, check: CheckRecord) -> list[str]:
        """The verdict of a check, where it is another than the last."""
        verdict = verdict_of(check)
        if verdict is None:
            return []
        gist = (verdict.state, tuple(cause.slug for cause in verdict.causes))
        if gist == self._last_verdict:
            return []
        self._last_verdict = gist
        return [self._line("verdict", verdict_columns(verdict))]

    def _line(self, what: str, columns: str) -> str:
        """A line with the time, the epoch and the step in front."""
        view = self.view
        epoch = _of(view.epoch, view.epochs, width=2)
        step = _of(view.step, view.steps, width=5)
        heading = f"{what}  " if what else ""
        line = f"{clock(view.time_s):>8}  epoch {epoch}  step {step}  {heading}{columns}"
        return line.rstrip()


def _of(done: int, planned: int | None, width: int) -> str:
    """`3/10`, as wide as the last of them will be; the plan only where it is known."""
    if not planned:
        return f"{done:>{width}}"
    return f"{done:>{max(width, len(str(planned)))}}/{planned}"


def step_columns(view: RunView) -> str:
    """Means over the recent steps, each behind its name."""
    learning_rate = number(view.latest_step.lr) if view.latest_step else None
    columns = [
        f"loss {short(view.mean('loss')):>7}",
        f"lr {rate(learning_rate):>7}",
        f"grad {short(view.mean('grad_norm')):>7}",
    ]
    if view.speed is not None:
        columns.append(f"audio/s {view.speed:>5.1f}")
        columns.append(f"wait {_tight(view.waiting):>4}")
    blank_mass = view.mean("blank_mass")
    if blank_mass is not None:
        columns.append(
            f"blank {_tight(blank_mass):>4} asked {_tight(view.mean('blank_expected')):>4}"
        )
    if view.left_s is not None:
        columns.append(f"left {clock(view.left_s)}")
    return "  ".join(columns)


def _tight(share: float | None, digits: int = 0) -> str:
    """Per cent without the space, so that columns stay narrow."""
    return percent(share, digits).replace(" ", "")


def check_columns(check: CheckRecord) -> str:
    """The dev part's loss and metrics, and whether they are the best so far."""
    columns = [f"dev loss {short(number(check.loss)):>7}"]
    for name, value in metrics_of(check):
        if name in SHARES:
            columns.append(f"{name.upper()} {_tight(value, 1):>7}")
        else:
            columns.append(f"{name} {short(value):>7}")
    if check.best:
        columns.append("best")
    return "  ".join(columns)


def epoch_columns(epoch: EpochRecord) -> str:
    """The mean loss of an epoch and the time it took."""
    train_loss = short(number(epoch.train_loss))
    return f"train loss {train_loss:>7}   took {clock(number(epoch.seconds))}"


def verdict_columns(verdict: Verdict) -> str:
    """The state, and every cause with its evidence and cure."""
    parts = [verdict.state]
    for cause in verdict.causes:
        parts.append(f"{cause.slug}: {cause.evidence}; cure: {cause.cure}")
    return "  ".join(parts)


def named(event: EventRecord) -> str:
    """The utterances of an event that its message does not name, the first five."""
    names = []
    for entry in event.ids:
        name = str(entry).partition(": ")[0]  # a name may carry its reason behind a colon
        if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", event.message):
            names.append(name)
    if not names:
        return ""
    return f" ({', '.join(names[:_NAMED])}{_and_more(len(names), _NAMED)})"


def _and_more(total: int, shown: int) -> str:
    return f" and {total - shown} more" if total > shown else ""


def start_lines(start: StartRecord) -> list[str]:
    """What is going to be trained, and what it is expected to take."""
    parameters = count(number(start.parameters))
    network = f"{start.network or UNKNOWN}, {parameters} parameters, on {start.device or UNKNOWN}"
    plan = f"{start.epochs or UNKNOWN} epochs, {count(number(start.steps))} steps"
    train_s = number(start.train_seconds)
    if train_s is not None:
        plan += f", {clock(train_s)} of audio in each epoch"
    lines = [f"network: {network}", f"plan: {plan}"]
    expected = _expected(start)
    if expected:
        lines.append(f"expected: {', '.join(expected)}")
    lines += _uncovered_lines(start.details.get("uncovered"))
    lines += _skipped_lines(start.details.get("skipped"))
    return lines


def _expected(start: StartRecord) -> list[str]:
    """Times and memory that the run is expected to take, as far as they are known."""
    expected = []
    epoch_s = number(start.expected_epoch_s)
    if epoch_s is not None:
        expected.append(f"{clock(epoch_s)} per epoch")
    total_s = number(start.expected_total_s)
    if total_s is not None:
        expected.append(f"{clock(total_s)} in all")
    memory = number(start.expected_memory_bytes)
    if memory is not None:
        expected.append(f"{binary(memory)} of memory")
    return expected


def _uncovered_lines(uncovered: object) -> list[str]:
    """Characters of the texts that the alphabet lacks, the most frequent ones."""
    if not isinstance(uncovered, Mapping) or not uncovered:
        return []
    by_count = sorted(uncovered.items(), key=lambda entry: -(number(entry[1]) or 0))
    shown = [f"{character!r} x {times}" for character, times in by_count[:_CHARACTERS]]
    more = _and_more(len(by_count), _CHARACTERS)
    return [f"not in the alphabet: {', '.join(shown)}{more}"]


def _skipped_lines(skipped: object) -> list[str]:
    """Lines of the manifest that were left out, the first ones."""
    if not isinstance(skipped, Sequence) or isinstance(skipped, str) or not skipped:
        return []
    lines = [f"left out of the manifest: {len(skipped)}"]
    lines += [f"  {line}" for line in skipped[:_NAMED]]
    if len(skipped) > _NAMED:
        lines.append(f" {_and_more(len(skipped), _NAMED)}")
    return lines
