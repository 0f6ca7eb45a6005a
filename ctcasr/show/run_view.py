"""The story of a run so far: one fold over its records that every view reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ctcasr.show.records import RecordLike, number, time_of
from ctcasr.show.trace import Trace

RECENT = 50  # steps that the shown loss, gradient, speed and blank shares are means of
# Numbers of a check that are no scores, or are shown in a place of their own.
_NO_SCORES = {
    "step",
    "epoch",
    "time_s",
    "dev_loss",
    "loss",
    "best",
    "utterances",
    "empty_hypotheses",
}


@dataclass
class RunView:
    """What is known after the records handed to `add`; constant memory, however long the run."""

    start: Mapping[str, Any] = field(default_factory=dict)
    step: int = 0
    now: Mapping[str, Any] = field(default_factory=dict)  # the last step
    check: Mapping[str, Any] | None = None  # the last check, with its "step"
    best: Mapping[str, Any] | None = None  # the best check, with its "step"
    verdict: Mapping[str, Any] | None = None
    event: Mapping[str, Any] | None = None  # the last event, with its "step"
    left_out: dict[str, set[str]] = field(
        default_factory=dict
    )  # utterances named by events, by what befell them
    skipped_steps: int = 0
    time_s: float = 0.0  # training time, resumed parts added up
    audio_s: float = 0.0  # audio heard in training
    first_loss: float | None = None
    traces: dict[str, Trace] = field(
        default_factory=lambda: {"loss": Trace(), "grad_norm": Trace()}
    )
    recent: deque[Mapping[str, Any]] = field(default_factory=deque)
    _last_time: float = 0.0
    _epoch_audio: float = 0.0  # audio heard in the epoch that is under way
    _marks: deque[tuple[float, float, int]] = field(
        default_factory=lambda: deque(maxlen=1000)
    )  # time, audio, step

    @staticmethod
    def of(records: Iterable[RecordLike]) -> RunView:
        """The story of all `records`."""
        story = RunView()
        for record in records:
            story.add(record)
        return story

    def add(self, record: RecordLike) -> None:
        """Take in one record; unknown kinds and absent fields are passed over."""
        data = record.data
        self._tick(time_of(record), data if record.kind == "step" else {})
        if record.kind == "start":
            self.start, self.step, self._epoch_audio = data, record.step, 0.0
            self._marks.clear()
            self._marks.append((self.time_s, self.audio_s, self.step))
        elif record.kind == "step":
            self._take_step(record.step, data)
        elif record.kind == "check":
            self.check = {"step": record.step, **data}
            self.verdict = data.get("verdict") or self.verdict
            if data.get("best") or self.best is None:
                self.best = self.check
            for name, value in metrics_of(data):
                self.traces.setdefault(name, Trace()).add(value)
        elif record.kind == "epoch":  # with a time budget the plan changes on the way
            self.start = {
                **self.start,
                **{name: data[name] for name in ("steps", "epochs") if name in data},
            }
        elif record.kind == "event":
            self.event = {"step": record.step, **data}
            self.skipped_steps += data.get("what") == "skipped-step"
            ids = data.get("ids") or ()
            if ids:
                self.left_out.setdefault(str(data.get("what")), set()).update(map(str, ids))

    def _tick(self, time_s: float | None, step: Mapping[str, Any]) -> None:
        if time_s is None:
            self.time_s += number(step.get("step_s")) or 0.0
            return
        # A resumed run may start its clock anew: what the clock shows then is all that has passed since.
        self.time_s += time_s - self._last_time if time_s >= self._last_time else time_s
        self._last_time = time_s

    def _take_step(self, step: int, data: Mapping[str, Any]) -> None:
        if self._epoch_of(step) != self._epoch_of(self.step):
            self._epoch_audio = 0.0
        audio_s = number(data.get("audio_s")) or 0.0
        self.step, self.now = step, data
        self.audio_s, self._epoch_audio = self.audio_s + audio_s, self._epoch_audio + audio_s
        self._marks.append((self.time_s, self.audio_s, step))
        self.recent.append(data)
        while (
            len(self.recent) > 1 and sum(number(d.get("steps")) or 1 for d in self.recent) > RECENT
        ):
            self.recent.popleft()  # a record may sum up several steps
        loss = number(data.get("loss"))
        self.first_loss = loss if self.first_loss is None else self.first_loss
        self.traces["loss"].add(loss)
        self.traces["grad_norm"].add(number(data.get("grad_norm")))

    # What the views ask for -------------------------------------------------------------------------------------

    @property
    def steps(self) -> int | None:
        """All steps of the run, where the start told them."""
        return int(number(self.start.get("steps")) or 0) or None

    @property
    def epochs(self) -> int | None:
        """All epochs of the run, where the start told them."""
        return int(number(self.start.get("epochs")) or 0) or None

    @property
    def epoch(self) -> int:
        """The epoch under way, counted from 1."""
        return self._epoch_of(self.step) + 1

    def _epoch_of(self, step: int) -> int:
        if not self.steps or not self.epochs:
            return int(number(self.now.get("epoch")) or 0)
        return min(max(0, step - 1) * self.epochs // self.steps, self.epochs - 1)

    def mean(self, name: str) -> float | None:
        """Mean of a field over the recent steps; None where none has it."""
        found = [value for data in self.recent if (value := number(data.get(name))) is not None]
        return sum(found) / len(found) if found else None

    @property
    def speed(self) -> float | None:
        """Audio seconds per second of training, over the recent steps."""
        audio, work = self.mean("audio_s"), self.mean("step_s")
        return audio / (work + (self.mean("wait_s") or 0.0)) if audio is not None and work else None

    @property
    def waiting(self) -> float | None:
        """Share of the recent steps' time that went by waiting for data."""
        wait, work = self.mean("wait_s"), self.mean("step_s")
        return wait / (wait + work) if wait is not None and work else None

    @property
    def left_s(self) -> float | None:
        """Seconds to the end at the pace of the last thousand steps, checks included; None where nothing is known."""
        if not self.steps:
            return None
        left = max(0, self.steps - self.step)
        marks = self._marks or [(0.0, 0.0, 0)]
        (time_0, audio_0, step_0), (time_1, audio_1, step_1) = marks[0], marks[-1]
        if step_1 - step_0 < 5 or time_1 <= time_0:
            expected = number(self.start.get("expected_total_s"))
            return None if expected is None else expected * left / self.steps
        train_s = number(self.start.get("train_seconds"))
        if not train_s or not self.epochs or audio_1 <= audio_0:
            return left * (time_1 - time_0) / (step_1 - step_0)
        # By audio, not by steps: where batches go from short to long, early steps are the quick ones.
        whole, part = divmod(left * self.epochs, self.steps)
        audio = whole * train_s + (max(0.0, train_s - self._epoch_audio) if part else 0.0)
        return audio * (time_1 - time_0) / (audio_1 - audio_0)

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1; 0 where its length is unknown."""
        return min(1.0, self.step / self.steps) if self.steps else 0.0


def metrics_of(check: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The scores of a check by their names, error rates first: (name, value)."""
    inside = check.get("figures")
    scores = {**(inside if isinstance(inside, Mapping) else {}), **check}
    names = [
        "wer",
        "cer",
        *(name for name in scores if name not in ("wer", "cer") and name not in _NO_SCORES),
    ]
    return [(name, value) for name in names if (value := number(scores.get(name))) is not None]
