"""`fit`: trains any task and tells what happens, as a stream of records."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import torch

from ctcasr.records import Record, RecordFile, record_from
from ctcasr.task import Task
from ctcasr.train.bf16 import Bf16Steps
from ctcasr.train.checkpointer import Checkpointer, seed_rank
from ctcasr.train.clock import Clock
from ctcasr.train.config import TrainConfig, learning_rate, make_optimiser
from ctcasr.train.estimate import estimate
from ctcasr.train.interrupt import Interrupt
from ctcasr.train.meter import StepMeter
from ctcasr.train.run_log import Batches, RunLog, TrainingError
from ctcasr.train.state import TrainState
from ctcasr.train.stepper import take_step
from ctcasr.train.synced_step import SyncedStep, find_dummy_batch
from ctcasr.train.world import World, pick_device

_ALONE = World()


def fit(
    task: Task,
    train: Batches,
    dev: Batches | None,
    *,
    out: Path | str,
    config: TrainConfig,
    resume: bool = False,
    world: World = _ALONE,
) -> Iterator[Record]:
    """Train `task` and yield a Record of all that happens; best.pt, last.pt and records.jsonl lie in `out`.

    With `resume` (or `config.auto_resume`, if there is one), goes on from last.pt: on a CPU the result equals that of a run that was never
    stopped, to the bit.
    With a `world` of several processes, each calls this with loaders of its own share of both parts: they take every step and make every
    check synced, as one process would. Rank 0 has the files and yields the records, the others none.
    Raises TrainingError after `config.skips` unusable steps in a row, KeyboardInterrupt (state saved) on Ctrl-C or SIGTERM.
    """
    if World.expected() and world.size == 1:
        raise TrainingError(
            "started as one of several processes, but this recipe trains in one: start it without torchrun"
        )
    records = _Run(task, train, dev, Path(out), config, world).records(resume)
    return records if world.rank == 0 else (record for record in records if False)


class _Run:
    """The moving parts of one `fit`."""

    def __init__(
        self,
        task: Task,
        train: Batches,
        dev: Batches | None,
        out: Path,
        config: TrainConfig,
        world: World,
    ) -> None:
        self.task, self.steps = task, Bf16Steps(task) if config.bf16 else task
        self.train, self.dev, self.out, self.config, self.world = train, dev, out, config, world
        self.device = pick_device(config.device)
        task.network.to(self.device)
        self.optimiser = make_optimiser(config, task.parameters())
        self.state = TrainState(epochs=config.epochs)
        self.clock = Clock()
        self.synced: SyncedStep | None = None
        self.checkpointer = Checkpointer(out, task, self.optimiser, self.state, world)
        self.log = RunLog(task, config, self.state, world)

    def records(self, resume: bool) -> Iterator[Record]:
        """The whole run."""
        resume = resume or self.world.broadcast_object(
            self.config.auto_resume and (self.out / "last.pt").exists()
        )
        if resume:
            self.log.named = self.checkpointer.restore(self.config.seed)
        else:
            seed_rank(self.config.seed, self.world)
        self.world.broadcast_module(self.task.network)
        if self.world.rank == 0:
            self.out.mkdir(parents=True, exist_ok=True)
            self.log.file = RecordFile(self.out / "records.jsonl", keep=self.state.records)
        try:
            with Interrupt() as self.interrupt:
                yield from self._begin(resume)
                while (
                    self.state.epoch < self.state.epochs
                    and not 0 < self.config.patience <= self.state.since_best
                ):
                    yield from self._epoch()
                yield self.log.event(
                    "finished", f"{self.state.step} steps in {self.state.epoch} epochs"
                )
        finally:
            self.log.file.close()

    # the parts of a run ----------------------------------------------------------------------------------------------

    def _begin(self, resume: bool) -> Iterator[Record]:
        """Say what is about to happen, with the time and memory that it will take."""
        middle = len(self.train) // 2
        trial = [
            b for b in itertools.islice(self.train.epoch(0, max(0, middle - 1)), 3) if b is not None
        ]
        guess = estimate(self.task, trial, self.device, self.config.bf16)
        pace = guess.step_s_per_audio_s if guess else 0.0
        dev_s = 0.4 * self.dev.seconds / self.config.check_every if self.dev else 0.0
        epoch_s = pace * (self.train.seconds + dev_s) / self.world.size
        if self.config.budget_s is not None and not resume:
            if not self.world.broadcast_object(epoch_s):
                raise TrainingError(
                    "a time budget was given, but no trial step could be made to measure the pace: see the doctor"
                )
            self.state.epochs = max(1, round(self.config.budget_s / epoch_s)) if epoch_s else 1
        if self.world.size > 1:
            dummy_batch = find_dummy_batch(self.world, trial, self.train.epoch(0))
            self.synced = SyncedStep(
                self.world, self.task.network, dummy_batch and dummy_batch.to(self.device)
            )
        self._agree()
        left = (self.state.epochs - self.state.epoch) * len(self.train) - self.state.batch
        yield self.log.write(
            "start",
            {
                "network": self.task.title,
                "parameters": sum(p.numel() for p in self.task.parameters()),
                "processes": self.world.size,
                "device": str(self.device),
                "threads": torch.get_num_threads(),
                "epochs": self.state.epochs,
                "steps": self.state.epochs * self._steps_per_epoch,
                "batches_per_epoch": len(self.train),
                "train_seconds": self.train.seconds,
                "dev_seconds": self.dev.seconds if self.dev else 0.0,
                "expected_epoch_s": epoch_s,
                "expected_total_s": epoch_s * left / len(self.train),
                "expected_memory_bytes": guess.memory_bytes if guess else None,
            },
        )
        if resume:
            yield self.log.event(
                "resumed",
                f"from step {self.state.step}, epoch {self.state.epoch}, batch {self.state.batch}",
            )

    def _epoch(self) -> Iterator[Record]:
        """The rest of the epoch that is going on, then its check."""
        at, config = self.state, self.config
        first, done, started, window = at.batch, at.step, at.seconds, StepMeter()
        self.task.network.train()
        self.clock.start(at.seconds)
        stream = self.train.epoch(at.epoch, at.batch)
        while at.batch < len(self.train):
            waited = self.clock.now()
            group = list(itertools.islice(stream, config.accumulate))
            batches = [batch and batch.to(self.device) for batch in group]
            begun = self.clock.now()
            rate = learning_rate(config, at.done, at.checks)
            measure = window.steps + 1 >= config.log_every or at.batch + config.accumulate >= len(
                self.train
            )
            outcome = take_step(
                self.steps,
                self.optimiser,
                batches,
                at.step,
                rate,
                config.clip,
                measure,
                self.synced,
            )
            at.batch += len(group) or config.accumulate
            at.done = min(1.0, at.done + (1 - at.done) / max(1, self._steps_left() + 1))
            at.seconds = self.clock.now()
            yield from self.log.after(outcome, self.train)
            if outcome is not None and not outcome.problem:
                at.step += 1
                self.task.after_step(at.step, self.state.epochs * self._steps_per_epoch)
                window.add(outcome, rate, at.seconds - begun, begun - waited)
                if window.steps >= config.log_every:
                    yield self.log.write("step", {"epoch": at.epoch, **window.close()})
            yield from self._pause()
        if first == 0 and at.step == done:
            raise self.log.nothing(self.train)
        if window.steps:
            yield self.log.write("step", {"epoch": at.epoch, **window.close()})
        at.epoch, at.batch = at.epoch + 1, 0
        if self.dev is not None and (at.epoch % config.check_every == 0 or at.epoch >= at.epochs):
            yield self._check(self.dev)
            unread = self.world.gather(
                [f"{skip.where}: {skip.reason}" for skip in self.dev.skipped]
            )
            yield from self.log.name("unreadable", [line for lines in unread for line in lines])
        at.seconds = self.clock.now()
        self._fit_epochs(at.seconds - started, first)
        self._agree()
        ended = self.log.write(
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
            self.checkpointer.best()
        yield ended

    def _check(self, dev: Batches) -> Record:
        """Score on the dev part, each process on its share of it; keep the network if it is the best so far."""
        score = self.task.check(
            (batch.to(self.device) for batch in dev.epoch(0) if batch is not None),
            self.world.gather,
        )
        best = self.state.improves(score.key)
        self.state.checks.append(score.key[0])
        self.state.since_best = 0 if best else self.state.since_best + 1
        if best:
            self.state.best = list(score.key)
            self.checkpointer.best()
        record = {
            "epoch": self.state.epoch,
            "dev_loss": score.metrics.get("loss"),
            **score.metrics,
            "samples": list(score.samples),
            "report": dict(score.report),
            "evidence": dict(score.evidence),
            "best": best,
        }
        history = self.log.file.history + [
            record_from({"kind": "check", "step": self.state.step, **record})
        ]
        return self.log.write("check", {**record, "verdict": self.task.judge(history)})

    def _pause(self) -> Iterator[Record]:
        """Between two steps: save now and then, and end here if somebody asked any of the processes for it."""
        due = self.world.rank == 0 and self.clock.since_save() >= self.config.save_every_s
        asked, save = self.world.all_reduce(bool(self.interrupt.asked), due)
        if asked:
            by = self.interrupt.asked or "a signal to another process"
            told = self.log.event(
                "interrupted", f"by {by}; saved at step {self.state.step}, go on with --resume"
            )
            self._save()
            yield told
            raise KeyboardInterrupt
        if save:
            self._save()

    # small parts -----------------------------------------------------------------------------------------------------

    @property
    def _steps_per_epoch(self) -> int:
        return -(-len(self.train) // self.config.accumulate)

    def _steps_left(self) -> int:
        inside = -(-(len(self.train) - self.state.batch) // self.config.accumulate)
        return (self.state.epochs - self.state.epoch - 1) * self._steps_per_epoch + max(0, inside)

    def _fit_epochs(self, epoch_s: float, first: int) -> None:
        """With a time budget: as many more epochs as the time left allows at the pace just seen."""
        budget = self.config.budget_s
        if budget is not None and first == 0:
            self.state.epochs = self.state.epoch + max(
                0, round((budget - self.state.seconds) / epoch_s)
            )

    def _agree(self) -> None:
        """Every rank stands where rank 0 stands: what a clock or a check has decided is decided for all."""
        vars(self.state).update(self.world.broadcast_object(vars(self.state)))

    def _save(self) -> None:
        self.clock.saved()
        self.state.records = len(self.log.file.history)
        self.checkpointer.last(self.log.named)
