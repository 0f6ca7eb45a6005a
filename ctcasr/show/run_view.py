"""A run so far: one fold over its records that every view reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ctcasr.diagnose import Verdict
from ctcasr.records import (
    CheckRecord,
    EpochRecord,
    EventRecord,
    Reason,
    Record,
    StartRecord,
    StepRecord,
)
from ctcasr.show.records import Suspect, metrics_of, number, number_of, suspects_of, verdict_of
from ctcasr.show.trace import Trace

RECENT = 50  # steps that the shown loss, gradient, speed and blank shares are means of
_MARKS = 1000  # steps that the pace is taken from
_FEWEST_STEPS = 5  # after fewer the pace is what was expected


class Mark(NamedTuple):
    """How far a run was at some moment."""

    time_s: float
    audio_s: float
    step: int


@dataclass
class RunView:
    """What is known after the records handed to `add`; constant memory, however long the run.

    Example:
        >>> view = RunView.of([StepRecord(step=5, loss=2.0, time_s=1.0)])
        >>> view.step, view.mean("loss"), view.best
        (5, 2.0, None)
    """

    start: StartRecord = field(default_factory=lambda: StartRecord(step=0))
    step: int = 0
    steps: int | None = None  # all steps of the run, where it told them
    epochs: int | None = None  # all epochs of the run, where it told them
    latest_step: StepRecord | None = None
    check: CheckRecord | None = None  # the last one
    best: CheckRecord | None = None
    verdict: Verdict | None = None
    event: EventRecord | None = None  # the last one
    left_out: dict[Reason, set[str]] = field(default_factory=dict)  # utterances named by events
    suspects: list[Suspect] = field(default_factory=list)  # of the last epoch that named any
    skipped_steps: int = 0
    time_s: float = 0.0  # training time, resumed parts added up
    began: Mark | None = None  # where the first record stands: not at 0 where a run was resumed
    audio_s: float = 0.0  # audio heard in training
    first_loss: float | None = None
    traces: dict[str, Trace] = field(default_factory=dict)  # by the name of what they follow
    recent: deque[StepRecord] = field(default_factory=deque)
    _recent_steps: int = 0  # that the recent records sum up
    _clock_s: float = 0.0  # what the run's own clock showed last
    _epoch_audio_s: float = 0.0  # audio heard in the epoch that is under way
    _marks: deque[Mark] = field(default_factory=lambda: deque(maxlen=_MARKS))

    @staticmethod
    def of(records: Iterable[Record]) -> RunView:
        """The view of all `records`."""
        view = RunView()
        for record in records:
            view.add(record)
        return view

    def add(self, record: Record) -> None:
        """Take in one record; unknown kinds and absent fields are passed over."""
        self._tick(record.time_s)
        if self.began is None:
            self.began = Mark(self.time_s, 0.0, record.step)
        if isinstance(record, StartRecord):
            self._add_start(record)
        elif isinstance(record, StepRecord):
            self._add_step(record)
        elif isinstance(record, CheckRecord):
            self._add_check(record)
        elif isinstance(record, EpochRecord):
            self._plan(record)
            self.suspects = suspects_of(record) or self.suspects
        elif isinstance(record, EventRecord):
            self._add_event(record)

    @property
    def watched_s(self) -> float:
        """Training time since the first of the records, in which `audio_s` was heard."""
        return self.time_s - (self.began.time_s if self.began else 0.0)

    def _tick(self, clock_s: float) -> None:
        """A resumed run may start its clock anew: it then shows all that has passed since."""
        if clock_s >= self._clock_s:
            self.time_s += clock_s - self._clock_s
        else:
            self.time_s += clock_s
        self._clock_s = clock_s

    def _plan(self, record: StartRecord | EpochRecord) -> None:
        """How long the run will be; with a time budget that changes on the way."""
        steps = number(record.steps)
        epochs = number(record.epochs)
        if steps:
            self.steps = int(steps)
        if epochs:
            self.epochs = int(epochs)

    def _add_start(self, start: StartRecord) -> None:
        self.start = start
        self.step = start.step
        self._plan(start)
        self._epoch_audio_s = 0.0
        self._marks.clear()
        self._marks.append(Mark(self.time_s, self.audio_s, self.step))

    def _add_step(self, record: StepRecord) -> None:
        if self._epoch_of(record.step) != self._epoch_of(self.step):
            self._epoch_audio_s = 0.0
        audio_s = number(record.audio_s) or 0.0
        self.audio_s += audio_s
        self._epoch_audio_s += audio_s
        self.step = record.step
        self.latest_step = record
        self._marks.append(Mark(self.time_s, self.audio_s, self.step))
        self.recent.append(record)
        self._recent_steps += record.steps or 1
        while len(self.recent) > 1 and self._recent_steps > RECENT:
            self._recent_steps -= self.recent.popleft().steps or 1
        loss = number(record.loss)
        if self.first_loss is None:
            self.first_loss = loss
        self._follow("loss", loss)
        self._follow("grad_norm", number(record.grad_norm))

    def _add_check(self, check: CheckRecord) -> None:
        self.check = check
        self.verdict = verdict_of(check) or self.verdict
        if check.best or self.best is None:
            self.best = check
        for name, value in metrics_of(check):
            self._follow(name, value)

    def _add_event(self, event: EventRecord) -> None:
        self.event = event
        if event.skipped_step:
            self.skipped_steps += 1
        if event.ids:
            named = self.left_out.setdefault(event.reason, set())
            named.update(str(utterance) for utterance in event.ids)
        if event.reason == Reason.RESUMED and self.best is None:
            self.best = _best_before(event)

    def _follow(self, name: str, value: float | None) -> None:
        self.traces.setdefault(name, Trace()).add(value)

    # What the views ask for

    @property
    def epoch(self) -> int:
        """The epoch under way, counted from 1."""
        return self._epoch_of(self.step) + 1

    def _epoch_of(self, step: int) -> int:
        """The epoch of a step, counted from 0."""
        if self.steps and self.epochs:
            steps_before = max(0, step - 1)
            return steps_before * self.epochs // self.steps
        if self.latest_step is None:
            return 0
        return int(self.latest_step.epoch or 0)

    def mean(self, name: str) -> float | None:
        """Mean of a field or detail over the recent steps; None where none has it."""
        values = []
        for record in self.recent:
            value = number_of(record, name)
            if value is not None:
                values.append(value)
        if not values:
            return None
        return sum(values) / len(values)

    @property
    def learning_rate(self) -> float | None:
        """That of the last step."""
        if self.latest_step is None:
            return None
        return number(self.latest_step.lr)

    @property
    def speed(self) -> float | None:
        """Audio seconds per second of training, over the recent steps."""
        audio_s = self.mean("audio_s")
        work_s = self.mean("step_s")
        if audio_s is None or not work_s:
            return None
        return audio_s / (work_s + (self.mean("wait_s") or 0.0))

    @property
    def waiting(self) -> float | None:
        """Share of the recent steps' time that went by waiting for data."""
        wait_s = self.mean("wait_s")
        work_s = self.mean("step_s")
        if wait_s is None or not work_s:
            return None
        return wait_s / (wait_s + work_s)

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1; 0 where its length is unknown."""
        if not self.steps:
            return 0.0
        return min(1.0, self.step / self.steps)

    @property
    def left_s(self) -> float | None:
        """Seconds to the end at the pace of the last thousand steps, checks included.

        None where nothing is known.
        """
        if not self.steps:
            return None
        steps_left = max(0, self.steps - self.step)
        pace = self._pace()
        if pace is None:
            expected_s = number(self.start.expected_total_s)
            if expected_s is None:
                return None
            return expected_s * steps_left / self.steps
        epoch_s = number(self.start.train_seconds)
        if not epoch_s or not self.epochs or pace.audio_s <= 0:
            return steps_left * pace.time_s / pace.step
        # By audio, not by steps: where batches go from short to long, early steps are quick.
        whole_epochs, part = divmod(steps_left * self.epochs, self.steps)
        audio_left_s = whole_epochs * epoch_s
        if part:
            audio_left_s += max(0.0, epoch_s - self._epoch_audio_s)
        return audio_left_s * pace.time_s / pace.audio_s

    def _pace(self) -> Mark | None:
        """What was done over the marks, and in what time; None while that is too little."""
        if not self._marks:
            return None
        first = self._marks[0]
        last = self._marks[-1]
        done = Mark(
            time_s=last.time_s - first.time_s,
            audio_s=last.audio_s - first.audio_s,
            step=last.step - first.step,
        )
        if done.step < _FEWEST_STEPS or done.time_s <= 0:
            return None
        return done


def _best_before(resumed: EventRecord) -> CheckRecord | None:
    """The best check before a run was resumed, where the event tells it."""
    step = number(resumed.details.get("best_step"))
    metrics = resumed.details.get("best_metrics")
    if step is None or not isinstance(metrics, Mapping):
        return None
    return CheckRecord(step=int(step), metrics=metrics, best=True)
