"""The run as plain lines, for logs and pipes: ASCII but for messages, columns that stay."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ctcasr.diagnose import Verdict
from ctcasr.records import (
    CheckRecord,
    EpochRecord,
    EventRecord,
    Record,
    StartRecord,
    StepRecord,
)
from ctcasr.scoring.figures import plural
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
        self._next_line_s = 0.0  # when a step has a line again
        self._last_verdict: object = None

    def lines(self, record: Record) -> list[str]:
        """The lines that `record` is worth, maybe none."""
        self.view.add(record)
        if isinstance(record, StepRecord):
            return self._step_lines()
        if isinstance(record, StartRecord):
            return start_lines(record)
        if isinstance(record, CheckRecord):
            line = self._line("check", check_columns(record))
            return [line, *self._verdict_lines(record)]
        if isinstance(record, EpochRecord):
            line = self._line("epoch", epoch_columns(record))
            return [line]
        if isinstance(record, EventRecord):
            line = self._line(str(record.reason), event_columns(record))
            return [line]
        return []

    def _step_lines(self) -> list[str]:
        time_s = self.view.time_s
        if time_s < self._next_line_s:
            return []
        self._next_line_s = time_s + EVERY_S
        line = self._line("", step_columns(self.view))
        return [line]

    def _verdict_lines(self, check: CheckRecord) -> list[str]:
        """The verdict of a check, where it is another than the last."""
        verdict = verdict_of(check)
        if verdict is None:
            return []
        slugs = [cause.slug for cause in verdict.causes]
        gist = (verdict.state, slugs)
        if gist == self._last_verdict:
            return []
        self._last_verdict = gist
        line = self._line("verdict", verdict_columns(verdict))
        return [line]

    def _line(self, what: str, columns: str) -> str:
        """A line with the time, the epoch and the step in front."""
        view = self.view
        epoch = _of(view.epoch, view.epochs, width=2)
        step = _of(view.step, view.steps, width=5)
        time = f"{clock(view.time_s):>8}"
        parts = [time, f"epoch {epoch}", f"step {step}"]
        if what:
            parts.append(what)
        parts.append(columns)
        return "  ".join(parts).rstrip()


def _of(done: int, planned: int | None, width: int) -> str:
    """`3/10`, as wide as the last of them will be; the plan only where it is known."""
    if not planned:
        return str(done).rjust(width)
    plan = str(planned)
    width = max(width, len(plan))
    return f"{str(done).rjust(width)}/{plan}"


def step_columns(view: RunView) -> str:
    """Means over the recent steps, each behind its name."""
    loss = short(view.mean("loss"))
    gradient = short(view.mean("grad_norm"))
    columns = [
        f"loss {loss:>7}",
        f"lr {rate(view.learning_rate):>7}",
        f"grad {gradient:>7}",
    ]
    if view.speed is not None:
        waiting = _tight(view.waiting)
        columns.append(f"audio/s {view.speed:>5.1f}")
        columns.append(f"wait {waiting:>4}")
    blank_mass = view.mean("blank_mass")
    if blank_mass is not None:
        mass = _tight(blank_mass)
        asked = _tight(view.mean("blank_expected"))
        columns.append(f"blank {mass:>4} asked {asked:>4}")
    left_s = view.left_s
    if left_s is not None:
        columns.append(f"left {clock(left_s)}")
    return "  ".join(columns)


def _tight(share: float | None, digits: int = 0) -> str:
    """Per cent without the space, so that columns stay narrow."""
    return percent(share, digits).replace(" ", "")


def check_columns(check: CheckRecord) -> str:
    """The dev part's loss and metrics, and whether they are the best so far.

    Example:
        >>> check_columns(CheckRecord(step=5, loss=2.0, metrics={"wer": 0.5}, best=True))
        'dev loss    2.00  WER   50.0%  best'
    """
    loss = short(number(check.loss))
    columns = [f"dev loss {loss:>7}"]
    for name, value in metrics_of(check):
        if name in SHARES:
            share = _tight(value, 1)
            columns.append(f"{name.upper()} {share:>7}")
        else:
            columns.append(f"{name} {short(value):>7}")
    if check.best:
        columns.append("best")
    return "  ".join(columns)


def epoch_columns(epoch: EpochRecord) -> str:
    """The mean loss of an epoch and the time it took.

    Example:
        >>> epoch_columns(EpochRecord(step=5, train_loss=2.0, seconds=61.0))
        'train loss    2.00   took 1:01'
    """
    train_loss = short(number(epoch.train_loss))
    time = clock(number(epoch.seconds))
    return f"train loss {train_loss:>7}   took {time}"


def event_columns(event: EventRecord) -> str:
    """What happened, and to which utterances."""
    return event.message + named(event)


def verdict_columns(verdict: Verdict) -> str:
    """The state, and every cause with its evidence and cure."""
    parts = [verdict.state]
    if verdict.waits_until:
        parts[0] += f" (about until step {verdict.waits_until})"
    for cause in verdict.causes:
        evidence = f"{cause.slug}: {cause.evidence}"
        parts.append(f"{evidence}; cure: {cause.cure}")
    return "  ".join(parts)


def named(event: EventRecord) -> str:
    """The utterances of an event that its message does not name, the first five.

    Example:
        >>> named(EventRecord(step=5, message="left out: u1", ids=["u1", "u2: too short"]))
        ' (u2)'
    """
    names = []
    for entry in event.ids:
        # A name may carry its reason behind a colon.
        name, _, _ = str(entry).partition(": ")
        whole_word = rf"(?<!\w){re.escape(name)}(?!\w)"
        if not re.search(whole_word, event.message):
            names.append(name)
    if not names:
        return ""
    first = ", ".join(names[:_NAMED])
    more = _and_more(len(names), _NAMED)
    return f" ({first}{more})"


def _and_more(total: int, shown: int) -> str:
    """What is said of those that are not shown."""
    if total <= shown:
        return ""
    return f" and {total - shown} more"


def start_lines(start: StartRecord) -> list[str]:
    """What is going to be trained, and what it is expected to take.

    Example:
        >>> start_lines(StartRecord(step=0, network="BiLSTM", parameters=1234, device="cpu"))
        ['network: BiLSTM, 1 234 parameters, on cpu', 'plan: - epochs, - steps']
    """
    name = start.network or UNKNOWN
    device = start.device or UNKNOWN
    parameters = count(number(start.parameters))
    network = f"{name}, {parameters} parameters, on {device}"
    epochs = plural(start.epochs, "epoch") if start.epochs else f"{UNKNOWN} epochs"
    steps = count(number(start.steps))
    plan = f"{epochs}, {steps} steps"
    train_s = number(start.train_seconds)
    if train_s is not None:
        plan += f", {clock(train_s)} of audio in each epoch"
    if start.budget:
        plan += f"; as many as fit into {start.budget}, counted anew after each epoch"
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
        time = clock(epoch_s)
        expected.append(f"{time} per epoch")
    total_s = number(start.expected_total_s)
    if total_s is not None:
        time = clock(total_s)
        expected.append(f"{time} in all")
    memory_bytes = number(start.expected_memory_bytes)
    if memory_bytes is not None:
        memory = binary(memory_bytes)
        expected.append(f"{memory} of memory at first")
    return expected


def _uncovered_lines(uncovered: object) -> list[str]:
    """Characters of the texts that the alphabet lacks, the most frequent ones."""
    if not isinstance(uncovered, Mapping) or not uncovered:
        return []
    counts = {character: number(times) or 0 for character, times in uncovered.items()}
    most_frequent = sorted(counts, key=lambda character: -counts[character])
    shown = []
    for character in most_frequent[:_CHARACTERS]:
        shown.append(f"{character!r} x {uncovered[character]}")
    characters = ", ".join(shown)
    more = _and_more(len(counts), _CHARACTERS)
    return [f"not in the alphabet: {characters}{more}"]


def _skipped_lines(skipped: object) -> list[str]:
    """Lines of the manifest that were left out, the first ones."""
    if not isinstance(skipped, list | tuple) or not skipped:
        return []
    lines = [f"left out of the manifest: {len(skipped)}"]
    lines += [f"  {line}" for line in skipped[:_NAMED]]
    if len(skipped) > _NAMED:
        lines.append(f" {_and_more(len(skipped), _NAMED)}")
    return lines
