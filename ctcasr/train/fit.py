"""`fit`: trains any task and tells what happens, as a stream of records."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from ctcasr import checkpoint
from ctcasr.batch import Batch, Skip
from ctcasr.tasks.task import Task
from ctcasr.train.clock import Clock
from ctcasr.train.estimate import estimate
from ctcasr.train.interrupt import Interrupt
from ctcasr.train.plan import Plan, learning_rate, make_optimiser
from ctcasr.train.records import Record, RecordFile
from ctcasr.train.state import Progress, rng_state, set_rng_state
from ctcasr.train.stepper import Outcome, take_step
from ctcasr.train.window import Window


class Batches(Protocol):
    """What `fit` asks of a loader."""

    def __len__(self) -> int: ...

    @property
    def seconds(self) -> float: ...

    @property
    def skipped(self) -> Sequence[Skip]: ...          # all that could not be read so far

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch | None]: ...


class TrainingError(RuntimeError):
    """Training cannot go on; says why and what to do."""


def fit(task: Task, train: Batches, dev: Batches | None, *, out: Path | str, plan: Plan, resume: bool = False) -> Iterator[Record]:
    """Train `task` and yield a Record of all that happens; best.pt, last.pt and records.jsonl lie in `out`.

    With `resume`, goes on from last.pt: on a CPU the result equals that of a run that was never stopped, to the bit.
    Raises TrainingError after `plan.skips` unusable steps in a row, KeyboardInterrupt (state saved) on Ctrl-C or SIGTERM.
    """
    return _Run(task, train, dev, Path(out), plan).records(resume)


def pick_device(name: str) -> torch.device:
    """The device called `name`; "auto" is CUDA where there is one."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


class _Run:
    """The moving parts of one `fit`."""

    def __init__(self, task: Task, train: Batches, dev: Batches | None, out: Path, plan: Plan) -> None:
        self.task, self.train, self.dev, self.out, self.plan = task, train, dev, out, plan
        self.device = pick_device(plan.device)
        task.network.to(self.device)
        self.optimiser = make_optimiser(plan, task.parameters())
        self.at = Progress(epochs=plan.epochs)
        self.clock = Clock()
        self.named: set[str] = set()           # utterances that were already reported as left out

    def records(self, resume: bool) -> Iterator[Record]:
        """The whole run."""
        saved = checkpoint.load(self.out / "last.pt") if resume else None
        if saved is not None:
            self._restore(saved)
        self.out.mkdir(parents=True, exist_ok=True)
        self.file = RecordFile(self.out / "records.jsonl", keep=self.at.records)
        try:
            with Interrupt() as self.interrupt:
                yield from self._begin(resume)
                while self.at.epoch < self.at.epochs and not self._stop_early():
                    yield from self._epoch()
                yield self._event("finished", f"{self.at.step} steps in {self.at.epoch} epochs")
        finally:
            self.file.close()

    # the parts of a run ----------------------------------------------------------------------------------------------

    def _begin(self, resume: bool) -> Iterator[Record]:
        """Say what is about to happen, with the time and memory that it will take."""
        middle = len(self.train) // 2
        trial = [b for b in itertools.islice(self.train.epoch(0, max(0, middle - 1)), 3) if b is not None]
        guess = estimate(self.task, trial, self.device)
        pace = guess.step_s_per_audio_s if guess else 0.0
        epoch_s = pace * self.train.seconds + (0.4 * pace * self.dev.seconds / self.plan.check_every if self.dev else 0.0)
        budget = self.plan.budget_s
        if budget is not None and not resume:
            if not epoch_s:
                raise TrainingError("a time budget was given, but no trial step could be made to measure the pace: see the doctor")
            self.at.epochs = max(1, round(budget / epoch_s))
        left = (self.at.epochs - self.at.epoch) * len(self.train) - self.at.batch
        yield self._write("start", {
            "network": self.task.title, "parameters": sum(p.numel() for p in self.task.parameters()),
            "device": str(self.device), "threads": torch.get_num_threads(), "epochs": self.at.epochs,
            "steps": self.at.epochs * self._steps_per_epoch, "batches_per_epoch": len(self.train),
            "train_seconds": self.train.seconds, "dev_seconds": self.dev.seconds if self.dev else 0.0,
            "expected_epoch_s": epoch_s, "expected_total_s": epoch_s * left / len(self.train),
            "expected_memory_bytes": guess.memory_bytes if guess else None,
        })
        if resume:
            yield self._event("resumed", f"from step {self.at.step}, epoch {self.at.epoch}, batch {self.at.batch}")

    def _epoch(self) -> Iterator[Record]:
        """The rest of the epoch that is going on, then its check."""
        at, plan = self.at, self.plan
        first, done, started, window = at.batch, at.step, at.seconds, Window()
        self.task.network.train()
        self.clock.start(at.seconds)
        stream = self.train.epoch(at.epoch, at.batch)
        while at.batch < len(self.train):
            waited = self.clock.now()
            group = list(itertools.islice(stream, plan.accumulate))
            batches = [batch.to(self.device) for batch in group if batch is not None]
            begun = self.clock.now()
            rate = learning_rate(plan, at.done, at.checks)
            measure = window.steps + 1 >= plan.log_every or at.batch + plan.accumulate >= len(self.train)
            outcome = take_step(self.task, self.optimiser, batches, at.step, rate, plan.clip, measure)
            at.batch += len(group) or plan.accumulate
            at.done = min(1.0, at.done + (1 - at.done) / max(1, self._steps_left() + 1))
            at.seconds = self.clock.now()
            yield from self._report(outcome)
            if outcome is not None and not outcome.problem:
                at.step += 1
                self.task.after_step(at.step, self.at.epochs * self._steps_per_epoch)
                window.add(outcome, batches, rate, at.seconds - begun, begun - waited)
                if window.steps >= plan.log_every:
                    yield self._write("step", {"epoch": at.epoch, **window.close()})
            yield from self._pause()
        if first == 0 and at.step == done:
            reason = f"; the first: {self.train.skipped[0]}" if self.train.skipped else ""
            raise TrainingError(f"not one step could be made in a whole epoch: nothing could be read, or nothing has an alignment{reason}"
                                + self._diagnosis())
        if window.steps:
            yield self._write("step", {"epoch": at.epoch, **window.close()})
        at.epoch, at.batch = at.epoch + 1, 0
        if self.dev is not None and (at.epoch % plan.check_every == 0 or at.epoch >= at.epochs):
            yield self._check(self.dev)
            yield from self._name("unreadable", self.dev.skipped)
        at.seconds = self.clock.now()
        self._fit_epochs(at.seconds - started, first)
        ended = self._write("epoch", {"epoch": at.epoch, "seconds": at.seconds - started, "train_loss": window.mean_loss,
                                    "epochs": at.epochs, "steps": at.epochs * self._steps_per_epoch})
        self._save("last.pt")
        if self.dev is None:
            self._save("best.pt")
        yield ended

    def _check(self, dev: Batches) -> Record:
        """Score on the dev part; keep the network if it is the best so far."""
        score = self.task.check(batch.to(self.device) for batch in dev.epoch(0) if batch is not None)
        best = self.at.improves(score.key)
        self.at.checks.append(score.key[0])
        self.at.since_best = 0 if best else self.at.since_best + 1
        if best:
            self.at.best = list(score.key)
            self._save("best.pt")
        record = {"epoch": self.at.epoch, "dev_loss": score.figures.get("loss"), **score.figures, "samples": list(score.samples),
                  "report": dict(score.report), "evidence": dict(score.evidence), "best": best}
        history = [*self.file.history, {"kind": "check", "step": self.at.step, **record}]
        return self._write("check", {**record, "verdict": self.task.judge(history)})

    def _report(self, outcome: Outcome | None) -> Iterator[Record]:
        """Name what was left out, once for each utterance; stop where steps can no longer be used."""
        yield from self._name("unreadable", self.train.skipped)
        yield from self._name("infeasible", outcome.left_out if outcome else ())
        if outcome is None or not outcome.problem:
            self.at.bad_in_row = 0 if outcome is not None else self.at.bad_in_row
            return
        self.at.bad_in_row += 1
        names = ", ".join(outcome.suspects[:3])
        yield self._event("skipped-step", f"{outcome.problem}" + (f" ({names})" if names else ""), list(outcome.suspects))
        if self.at.bad_in_row >= self.plan.skips:
            where = f" in {names}" if names else ""
            raise TrainingError(f"{self.at.bad_in_row} steps in a row could not be used; the last because {outcome.problem}{where}. "
                                f"Lower the learning rate, or look at these utterances{self._diagnosis()}")

    def _diagnosis(self) -> str:
        """What the task makes of the story so far, for the last words of a run."""
        causes = (self.task.judge(self.file.history) or {}).get("causes") or ()
        return f". The likely cause: {causes[0]['slug']} ({causes[0]['evidence']}); the cure: {causes[0]['cure']}" if causes else ""

    def _name(self, what: str, left_out: Iterable[Skip | str]) -> Iterator[Record]:
        """Tell of what was left out and has not been told of."""
        lines = [f"{one.where}: {one.reason}" if isinstance(one, Skip) else one for one in left_out]
        new = [line for line in lines if line not in self.named]
        self.named.update(new)
        if new:
            yield self._event(what, f"{len(new)} left out: {new[0]}" + (" ..." if len(new) > 1 else ""), new)

    def _pause(self) -> Iterator[Record]:
        """Between two steps: save now and then, and end here if somebody asked for it."""
        if self.interrupt.asked:
            told = self._event("interrupted", f"by {self.interrupt.asked}; saved at step {self.at.step}, go on with --resume")
            self._save("last.pt")
            yield told
            raise KeyboardInterrupt
        if self.clock.since_save() >= self.plan.save_every_s:
            self._save("last.pt")

    # small parts -----------------------------------------------------------------------------------------------------

    @property
    def _steps_per_epoch(self) -> int:
        return -(-len(self.train) // self.plan.accumulate)

    def _steps_left(self) -> int:
        inside = -(-(len(self.train) - self.at.batch) // self.plan.accumulate)
        return (self.at.epochs - self.at.epoch - 1) * self._steps_per_epoch + max(0, inside)

    def _fit_epochs(self, epoch_s: float, first: int) -> None:
        """With a time budget: as many more epochs as the time left allows at the pace just seen."""
        budget = self.plan.budget_s
        if budget is not None and first == 0:
            self.at.epochs = self.at.epoch + max(0, round((budget - self.at.seconds) / epoch_s))

    def _stop_early(self) -> bool:
        return 0 < self.plan.patience <= self.at.since_best

    def _write(self, kind: str, data: Mapping[str, Any]) -> Record:
        return self.file.write(Record(kind, self.at.step, {"time_s": round(self.at.seconds, 3), **data}))

    def _event(self, what: str, message: str, ids: list[str] | None = None) -> Record:
        return self._write("event", {"what": what, "message": message, "ids": ids or []})

    def _save(self, name: str) -> None:
        payload = self.task.export()
        if name == "last.pt":
            self.clock.saved()
            self.at.records = len(self.file.history)
            payload["training"] = {"progress": vars(self.at).copy(), "optimiser": self.optimiser.state_dict(), "rng": rng_state(),
                                   "named": sorted(self.named)}
        checkpoint.save(self.out / name, payload)

    def _restore(self, saved: Mapping[str, Any]) -> None:
        if "training" not in saved:
            raise checkpoint.CheckpointError(f"{self.out / 'last.pt'}: expected the state of a training run; there is none in it")
        training = saved["training"]
        self.task.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(training["optimiser"])
        self.at = Progress(**training["progress"])
        self.named = set(training["named"])
        set_rng_state(training["rng"])
