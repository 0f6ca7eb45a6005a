"""The records of a run: each is written, then told; what goes wrong is named once and counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from ctcasr.batch import Skip
from ctcasr.records import CheckRecord, EventRecord, Reason, Record, RecordFile
from ctcasr.task import Batches, Factual, LossRefused, Task
from ctcasr.train.config import TrainConfig
from ctcasr.train.state import TrainState
from ctcasr.train.stepper import PROBLEMS, Decision, StepResult
from ctcasr.train.world import World

FEW_UNREADABLE = 10  # utterances of an epoch that may always be unreadable, in a corpus of any size
_FEW_NAMED = 5  # unreadable utterances that an error names
_FEW_SUSPECTS = 3  # utterances that a skipped step names

R = TypeVar("R", bound=Record)


class TrainingError(RuntimeError):
    """Training cannot go on; says why and what to do."""


class Stamp(TypedDict):
    """Where in the run a record was written: the fields that all records have."""

    step: int
    time_s: float


Lines = Mapping[Reason, Sequence[str]]  # utterances by why they were left out


class RunLog:
    """Writes the records of a run, names what is left out once, and knows when it is too much."""

    def __init__(self, task: Task, config: TrainConfig, state: TrainState, world: World) -> None:
        self.task = task
        self.config = config
        self.state = state
        self.world = world
        self.file = RecordFile(None)
        self.named: set[str] = set()  # lines that were told

    @property
    def history(self) -> Sequence[Record]:
        """All records of the run so far."""
        return self.file.history

    def open(self, path: Path) -> None:
        """Go on with the records of a file, as many as the run's state knows of."""
        self.file = RecordFile(path, keep=self.state.records)

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def stamp(self) -> Stamp:
        """Where the run stands now."""
        return {"step": self.state.step, "time_s": round(self.state.seconds, 3)}

    def write(self, record: R) -> R:
        """Write a record, and return it."""
        return self.file.write(record)

    def event(
        self,
        reason: Reason,
        message: str,
        ids: Sequence[str] = (),
        details: Mapping[str, Any] | None = None,
    ) -> EventRecord:
        """Write a record of something that happened."""
        return self.write(
            EventRecord(
                **self.stamp(),
                reason=reason,
                message=message,
                ids=list(ids),
                details=details or {},
            )
        )

    def resumed(self, where: str) -> EventRecord:
        """Write that the run goes on, with its best check: who looks from here on saw none."""
        details: dict[str, Any] = {}
        for record in self.history:
            if isinstance(record, CheckRecord) and record.best:
                details = {"best_step": record.step, "best_metrics": dict(record.metrics)}
        return self.event(Reason.RESUMED, where, details=details)

    def refused(self, refusal: LossRefused) -> EventRecord:
        """Write that the loss has refused its arguments, with the facts that explain it."""
        return self.event(Reason.LOSS_FAILED, str(refusal), details={"facts": refusal.facts})

    def cannot_go_on(self, refusal: LossRefused) -> TrainingError:
        """The error that ends training where the loss has refused its arguments."""
        return TrainingError(f"the loss refused its arguments: {refusal}{self._diagnosis()}")

    def after_step(self, result: StepResult | None, train: Batches) -> Iterator[Record]:
        """Name what a step of any process left out, once for each utterance.

        Raises:
            TrainingError: where too many files cannot be read, or steps cannot be taken.
        """
        yield from self._name_left_out(result, train)
        if result is None:
            return
        if result.halved:
            if not self.state.halved:
                yield self.event(
                    Reason.OUT_OF_MEMORY,
                    "a batch did not fit into memory and was halved, and so will others be without "
                    "a word; the step records count them (halved)",
                )
            self.state.halved += result.halved
        if result.undecided is None:
            yield from self.decided([Decision(result.problem, result.suspects)])

    def decided(self, made: Sequence[Decision]) -> Iterator[Record]:
        """Tell which steps were not taken.

        Raises:
            TrainingError: where too many in a row were not.
        """
        for decision in made:
            if decision.problem is None:
                self.state.bad_in_row = 0
            else:
                self.state.bad_in_row += 1
                yield from self._not_taken(decision.problem, decision.suspects)

    def _not_taken(self, problem: Reason, suspects: Sequence[str]) -> Iterator[Record]:
        what = PROBLEMS[problem]
        names = ", ".join(suspects[:_FEW_SUSPECTS])
        facts = {"facts": self.task.facts()} if isinstance(self.task, Factual) else None
        message = f"{what} ({names})" if names else what
        yield self.event(problem, message, suspects, facts)
        if self.state.bad_in_row >= self.config.skips:
            raise self._too_many_skipped(what, names)

    def name_unreadable(self, loader: Batches) -> Iterator[Record]:
        """Tell of what any process could not read; every process must ask."""
        everywhere = self.world.gather(by_reason(loader.skipped))
        yield from self._name(everywhere)

    def nothing_trained(self, train: Batches) -> TrainingError:
        """The error of an epoch without a single step."""
        first = _line(train.skipped[0]) if train.skipped else min(self.named, default="")
        reason = f"; the first: {first}" if first else ""
        return TrainingError(
            "not one step could be made in a whole epoch: nothing could be read, or nothing has an "
            f"alignment{reason}{self._diagnosis()}"
        )

    def _name_left_out(self, result: StepResult | None, train: Batches) -> Iterator[Record]:
        """Name what is new among skipped, infeasible and too large utterances of all processes."""
        lines: dict[Reason, Sequence[str]] = {**by_reason(train.skipped)}
        if result is not None:
            lines[Reason.INFEASIBLE] = result.left_out
            lines[Reason.TOO_LARGE] = [
                f"{name}: does not fit into memory, even alone" for name in result.too_large
            ]
        new = {reason: self._new(names) for reason, names in lines.items()}
        n_new, n_unread = self.world.all_reduce(
            sum(map(len, new.values())), len(train.unread) if train.skipped else 0
        )
        if n_new:
            yield from self._name(self.world.gather(new))
        allowed = max(FEW_UNREADABLE, self.config.unreadable * train.utterances) if n_unread else 0
        if n_unread > allowed:
            raise self._too_many_unreadable(train)

    def _name(self, everywhere: Sequence[Lines]) -> Iterator[Record]:
        """Tell of those that have not been told of, reason by reason."""
        reasons = dict.fromkeys(reason for lines in everywhere for reason in lines)
        for reason in reasons:
            names = [name for lines in everywhere for name in lines.get(reason, ())]
            new = self._new(names)
            self.named.update(new)
            if new:
                more = " ..." if len(new) > 1 else ""
                yield self.event(reason, f"{len(new)} left out: {new[0]}{more}", new)

    def _too_many_unreadable(self, train: Batches) -> TrainingError:
        """The error that names files which cannot be read; every process must ask."""
        everywhere = self.world.gather([*train.unread])
        skips = [skip for of_rank in everywhere for skip in of_rank]
        more = " ..." if len(skips) > _FEW_NAMED else ""
        named = "; ".join(_line(skip) for skip in skips[:_FEW_NAMED])
        uncovered = sum(skip.text_uncovered for skip in skips)
        if 2 * uncovered > len(skips):
            what = "have a text that the alphabet cannot write"
            advice = "Choose the alphabet of these texts, or leave the lines out"
        else:
            what = "could not be read"
            advice = "Is the disk still there? Look at the files"
        return TrainingError(
            f"{len(skips)} of {train.utterances} utterances {what} in epoch {self.state.epoch}, "
            f"more than --unreadable {self.config.unreadable:g} allows: {named}{more}. "
            f"{advice}, or allow more, and resume{self._diagnosis()}"
        )

    def _too_many_skipped(self, problem: str, names: str) -> TrainingError:
        """The error of too many steps in a row that could not be taken."""
        where = f" in {names}" if names else ""
        return TrainingError(
            f"{self.state.bad_in_row} steps in a row could not be used; the last because "
            f"{problem}{where}. "
            f"Lower the learning rate, or look at these utterances{self._diagnosis()}"
        )

    def _diagnosis(self) -> str:
        """What the task makes of the run so far, for its last words."""
        verdict = self.task.judge(self.history) or {}
        causes = verdict.get("causes") or ()
        if not causes:
            return ""
        cause = causes[0]
        why = f"{cause['slug']} ({cause['evidence']})"
        return f". The likely cause: {why}; the cure: {cause['cure']}"

    def _new(self, lines: Sequence[str]) -> list[str]:
        """Those that were not told of, each once."""
        return [line for line in dict.fromkeys(lines) if line not in self.named]


def by_reason(skips: Sequence[Skip]) -> dict[Reason, list[str]]:
    """Lines about skipped utterances: files that cannot be read, and texts outside the alphabet."""
    lines: dict[Reason, list[str]] = {Reason.UNREADABLE: [], Reason.TEXT_UNCOVERED: []}
    for skip in skips:
        reason = Reason.TEXT_UNCOVERED if skip.text_uncovered else Reason.UNREADABLE
        lines[reason].append(_line(skip))
    return lines


def _line(skip: Skip) -> str:
    return f"{skip.where}: {skip.reason}"
