"""What goes wrong while a run trains: named once, counted, and an error where it is too much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ctcasr.batch import Batch, Skip
from ctcasr.records import Record, RecordFile, record_from
from ctcasr.task import Task
from ctcasr.train.config import TrainConfig
from ctcasr.train.state import TrainState
from ctcasr.train.stepper import StepResult
from ctcasr.train.world import World

_FEW = 10  # unreadable utterances in an epoch that no corpus is too small for


class Batches(Protocol):
    """What `fit` asks of a loader; with several processes each has a loader of its own share."""

    def __len__(self) -> int: ...

    @property
    def seconds(self) -> float: ...  # in an epoch, all processes synced

    @property
    def utterances(
        self,
    ) -> int: ...  # in an epoch, all processes synced; asked only if some were skipped

    @property
    def skipped(self) -> Sequence[Skip]: ...  # all that could not be read so far

    @property
    def unread(
        self,
    ) -> Sequence[Skip]: ...  # those of the epoch that is going on; asked only if some were skipped

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch | None]: ...


class TrainingError(RuntimeError):
    """Training cannot go on; says why and what to do."""


class RunLog:
    """Tells of trouble in the records of a run."""

    def __init__(self, task: Task, config: TrainConfig, at: TrainState, world: World) -> None:
        self.task, self.config, self.state, self.world = task, config, at, world
        self.file = RecordFile(None)
        self.named: set[str] = set()  # lines that were told

    def write(self, kind: str, data: Mapping[str, Any]) -> Record:
        """Write a record, and return it."""
        return self.file.write(
            record_from(
                {
                    "kind": kind,
                    "step": self.state.step,
                    "time_s": round(self.state.seconds, 3),
                    **data,
                }
            )
        )

    def event(self, what: str, message: str, ids: Sequence[str] = ()) -> Record:
        """Write a record of something that happened."""
        return self.write("event", {"what": what, "message": message, "ids": list(ids)})

    def after(self, outcome: StepResult | None, train: Batches) -> Iterator[Record]:
        """Name what a step of any process left out, once for each utterance; TrainingError where too much cannot be used."""
        left_out = outcome.left_out if outcome else ()
        too_large = (
            [f"{name}: does not fit into memory, even alone" for name in outcome.too_large]
            if outcome
            else []
        )
        new = {
            "unreadable": self._new(_lines(train.skipped)),
            "infeasible": self._new(left_out),
            "too-large": self._new(too_large),
        }
        fresh, unread = self.world.all_reduce(
            sum(map(len, new.values())), len(train.unread) if train.skipped else 0
        )
        if fresh:
            everywhere = self.world.gather(new)
            for what in new:
                yield from self.name(what, [line for lines in everywhere for line in lines[what]])
        if unread > _FEW and unread > self.config.unreadable * train.utterances:
            lines = [line for lines in self.world.gather(_lines(train.unread)) for line in lines]
            raise TrainingError(
                f"{len(lines)} of {train.utterances} utterances could not be read in epoch {self.state.epoch}, more than "
                f"--unreadable {self.config.unreadable:g} allows: {'; '.join(lines[:5])}{' ...' if len(lines) > 5 else ''}. "
                "Is the disk still there? Look at the files, or allow more, and resume"
            )
        if outcome is not None and outcome.halved:
            if not self.state.halved:
                yield self.event(
                    "out-of-memory",
                    "a batch did not fit into memory and was halved, and so will others be without a word; "
                    "the step records count them (halved)",
                )
            self.state.halved += outcome.halved
        yield from self._unusable(outcome)

    def name(self, what: str, lines: Sequence[str]) -> Iterator[Record]:
        """Tell of those that have not been told of."""
        new = self._new(lines)
        self.named.update(new)
        if new:
            yield self.event(
                what, f"{len(new)} left out: {new[0]}" + (" ..." if len(new) > 1 else ""), new
            )

    def nothing(self, train: Batches) -> TrainingError:
        """An epoch without a single step."""
        first = next(iter(sorted(self.named)), None) if not train.skipped else str(train.skipped[0])
        reason = f"; the first: {first}" if first else ""
        return TrainingError(
            "not one step could be made in a whole epoch: nothing could be read, or nothing has an alignment"
            + reason
            + self._diagnosis()
        )

    def _unusable(self, outcome: StepResult | None) -> Iterator[Record]:
        """Count steps that could not be taken, in a row."""
        if outcome is None or not outcome.problem:
            self.state.bad_in_row = 0 if outcome is not None else self.state.bad_in_row
            return
        self.state.bad_in_row += 1
        names = ", ".join(outcome.suspects[:3])
        yield self.event(
            "skipped-step",
            f"{outcome.problem}" + (f" ({names})" if names else ""),
            outcome.suspects,
        )
        if self.state.bad_in_row >= self.config.skips:
            where = f" in {names}" if names else ""
            raise TrainingError(
                f"{self.state.bad_in_row} steps in a row could not be used; the last because {outcome.problem}{where}. "
                f"Lower the learning rate, or look at these utterances{self._diagnosis()}"
            )

    def _diagnosis(self) -> str:
        """What the task makes of the story so far, for the last words of a run."""
        causes = (self.task.judge(self.file.history) or {}).get("causes") or ()
        return (
            f". The likely cause: {causes[0]['slug']} ({causes[0]['evidence']}); the cure: {causes[0]['cure']}"
            if causes
            else ""
        )

    def _new(self, lines: Sequence[str]) -> list[str]:
        return [line for line in dict.fromkeys(lines) if line not in self.named]


def _lines(skips: Sequence[Skip]) -> list[str]:
    return [f"{skip.where}: {skip.reason}" for skip in skips]
