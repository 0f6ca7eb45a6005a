"""`fit`: trains any task and tells what happens, as a stream of records."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import torch

from ctcasr.records import Record, RecordFile
from ctcasr.task import Task
from ctcasr.train.bf16 import InHalf
from ctcasr.train.checkpointer import Saving, own_draws
from ctcasr.train.clock import Clock
from ctcasr.train.config import Plan, learning_rate, make_optimiser
from ctcasr.train.estimate import estimate
from ctcasr.train.interrupt import Interrupt
from ctcasr.train.meter import Window
from ctcasr.train.run_log import Batches, TrainingError, Trouble
from ctcasr.train.state import Progress
from ctcasr.train.stepper import take_step
from ctcasr.train.synced_step import Together, find_mate
from ctcasr.train.world import World, pick_device

_ALONE = World()


def fit(
    task: Task,
    train: Batches,
    dev: Batches | None,
    *,
    out: Path | str,
    plan: Plan,
    resume: bool = False,
    world: World = _ALONE,
) -> Iterator[Record]:
    """Train `task` and yield a Record of all that happens; best.pt, last.pt and records.jsonl lie in `out`.

    With `resume` (or `plan.auto_resume`, if there is one), goes on from last.pt: on a CPU the result equals that of a run that was never
    stopped, to the bit.
    With a `world` of several processes, each calls this with loaders of its own share of both parts: they take every step and make every
    check together, as one process would. Rank 0 has the files and yields the records, the others none.
    Raises TrainingError after `plan.skips` unusable steps in a row, KeyboardInterrupt (state saved) on Ctrl-C or SIGTERM.
    """
    if World.expected() and world.size == 1:
        raise TrainingError(
            "started as one of several processes, but this recipe trains in one: start it without torchrun"
        )
    records = _Run(task, train, dev, Path(out), plan, world).records(resume)
    return records if world.rank == 0 else (record for record in records if False)


class _Run:
    """The moving parts of one `fit`."""

    def __init__(
        self, task: Task, train: Batches, dev: Batches | None, out: Path, plan: Plan, world: World
    ) -> None:
        self.task, self.steps = task, InHalf(task) if plan.bf16 else task
        self.train, self.dev, self.out, self.plan, self.world = train, dev, out, plan, world
        self.device = pick_device(plan.device)
        task.network.to(self.device)
        self.optimiser = make_optimiser(plan, task.parameters())
        self.at = Progress(epochs=plan.epochs)
        self.clock = Clock()
        self.together: Together | None = None
        self.saving = Saving(out, task, self.optimiser, self.at, world)
        self.tell = Trouble(task, plan, self.at, world)

    def records(self, resume: bool) -> Iterator[Record]:
        """The whole run."""
        resume = resume or self.world.first(
            self.plan.auto_resume and (self.out / "last.pt").exists()
        )
        if resume:
            self.tell.named = self.saving.restore(self.plan.seed)
        else:
            own_draws(self.plan.seed, self.world)
        self.world.align(self.task.network)
        if self.world.rank == 0:
            self.out.mkdir(parents=True, exist_ok=True)
            self.tell.file = RecordFile(self.out / "records.jsonl", keep=self.at.records)
        try:
            with Interrupt() as self.interrupt:
                yield from self._begin(resume)
                while (
                    self.at.epoch < self.at.epochs
                    and not 0 < self.plan.patience <= self.at.since_best
                ):
                    yield from self._epoch()
                yield self.tell.event("finished", f"{self.at.step} steps in {self.at.epoch} epochs")
        finally:
            self.tell.file.close()

    # the parts of a run ----------------------------------------------------------------------------------------------

    def _begin(self, resume: bool) -> Iterator[Record]:
        """Say what is about to happen, with the time and memory that it will take."""
        middle = len(self.train) // 2
        trial = [
            b for b in itertools.islice(self.train.epoch(0, max(0, middle - 1)), 3) if b is not None
        ]
        guess = estimate(self.task, trial, self.device, self.plan.bf16)
        pace = guess.step_s_per_audio_s if guess else 0.0
        dev_s = 0.4 * self.dev.seconds / self.plan.check_every if self.dev else 0.0
        epoch_s = pace * (self.train.seconds + dev_s) / self.world.size
        if self.plan.budget_s is not None and not resume:
            if not self.world.first(epoch_s):
                raise TrainingError(
                    "a time budget was given, but no trial step could be made to measure the pace: see the doctor"
                )
            self.at.epochs = max(1, round(self.plan.budget_s / epoch_s)) if epoch_s else 1
        if self.world.size > 1:
            mate = find_mate(self.world, trial, self.train.epoch(0))
            self.together = Together(self.world, self.task.network, mate and mate.to(self.device))
        self._agree()
        left = (self.at.epochs - self.at.epoch) * len(self.train) - self.at.batch
        yield self.tell.write(
            "start",
            {
                "network": self.task.title,
                "parameters": sum(p.numel() for p in self.task.parameters()),
                "processes": self.world.size,
                "device": str(self.device),
                "threads": torch.get_num_threads(),
                "epochs": self.at.epochs,
                "steps": self.at.epochs * self._steps_per_epoch,
                "batches_per_epoch": len(self.train),
                "train_seconds": self.train.seconds,
                "dev_seconds": self.dev.seconds if self.dev else 0.0,
                "expected_epoch_s": epoch_s,
                "expected_total_s": epoch_s * left / len(self.train),
                "expected_memory_bytes": guess.memory_bytes if guess else None,
            },
        )
        if resume:
            yield self.tell.event(
                "resumed", f"from step {self.at.step}, epoch {self.at.epoch}, batch {self.at.batch}"
            )

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
            batches = [batch and batch.to(self.device) for batch in group]
            begun = self.clock.now()
            rate = learning_rate(plan, at.done, at.checks)
            measure = window.steps + 1 >= plan.log_every or at.batch + plan.accumulate >= len(
                self.train
            )
            outcome = take_step(
                self.steps,
                self.optimiser,
                batches,
                at.step,
                rate,
                plan.clip,
                measure,
                self.together,
            )
            at.batch += len(group) or plan.accumulate
            at.done = min(1.0, at.done + (1 - at.done) / max(1, self._steps_left() + 1))
            at.seconds = self.clock.now()
            yield from self.tell.after(outcome, self.train)
            if outcome is not None and not outcome.problem:
                at.step += 1
                self.task.after_step(at.step, self.at.epochs * self._steps_per_epoch)
                window.add(outcome, rate, at.seconds - begun, begun - waited)
                if window.steps >= plan.log_every:
                    yield self.tell.write("step", {"epoch": at.epoch, **window.close()})
            yield from self._pause()
        if first == 0 and at.step == done:
            raise self.tell.nothing(self.train)
        if window.steps:
            yield self.tell.write("step", {"epoch": at.epoch, **window.close()})
        at.epoch, at.batch = at.epoch + 1, 0
        if self.dev is not None and (at.epoch % plan.check_every == 0 or at.epoch >= at.epochs):
            yield self._check(self.dev)
            unread = self.world.gather(
                [f"{skip.where}: {skip.reason}" for skip in self.dev.skipped]
            )
            yield from self.tell.name("unreadable", [line for lines in unread for line in lines])
        at.seconds = self.clock.now()
        self._fit_epochs(at.seconds - started, first)
        self._agree()
        ended = self.tell.write(
            "epoch",
            {
                "epoch": at.epoch,
                "seconds": at.seconds - started,
                "train_loss": window.mean_loss,
                "epochs": at.epochs,
                "steps": at.epochs * self._steps_per_epoch,
            },
        )
        self._save()
        if self.dev is None:
            self.saving.best()
        yield ended

    def _check(self, dev: Batches) -> Record:
        """Score on the dev part, each process on its share of it; keep the network if it is the best so far."""
        score = self.task.check(
            (batch.to(self.device) for batch in dev.epoch(0) if batch is not None),
            self.world.gather,
        )
        best = self.at.improves(score.key)
        self.at.checks.append(score.key[0])
        self.at.since_best = 0 if best else self.at.since_best + 1
        if best:
            self.at.best = list(score.key)
            self.saving.best()
        record = {
            "epoch": self.at.epoch,
            "dev_loss": score.figures.get("loss"),
            **score.figures,
            "samples": list(score.samples),
            "report": dict(score.report),
            "evidence": dict(score.evidence),
            "best": best,
        }
        history = [*self.tell.file.history, {"kind": "check", "step": self.at.step, **record}]
        return self.tell.write("check", {**record, "verdict": self.task.judge(history)})

    def _pause(self) -> Iterator[Record]:
        """Between two steps: save now and then, and end here if somebody asked any of the processes for it."""
        due = self.world.rank == 0 and self.clock.since_save() >= self.plan.save_every_s
        asked, save = self.world.total(bool(self.interrupt.asked), due)
        if asked:
            by = self.interrupt.asked or "a signal to another process"
            told = self.tell.event(
                "interrupted", f"by {by}; saved at step {self.at.step}, go on with --resume"
            )
            self._save()
            yield told
            raise KeyboardInterrupt
        if save:
            self._save()

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

    def _agree(self) -> None:
        """Every rank stands where rank 0 stands: what a clock or a check has decided is decided for all."""
        vars(self.at).update(self.world.first(vars(self.at)))

    def _save(self) -> None:
        self.clock.saved()
        self.at.records = len(self.tell.file.history)
        self.saving.last(self.tell.named)
