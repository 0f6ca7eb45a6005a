"""`fit`: trains any task and tells what happens, as a stream of records."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from ctcasr.batch import Batch
from ctcasr.data import Corpus
from ctcasr.kernels.governor import Governor
from ctcasr.records import (
    SCHEMA,
    CheckRecord,
    EpochRecord,
    Reason,
    Record,
    StartRecord,
    StepRecord,
)
from ctcasr.task import Batches, LossRefused, Task
from ctcasr.train.ahead import BatchesAhead
from ctcasr.train.average import WeightAverage
from ctcasr.train.bf16 import Bf16Steps
from ctcasr.train.checkpointer import Checkpointer, seed_rank
from ctcasr.train.clock import CheckClock, Clock
from ctcasr.train.config import TrainConfig
from ctcasr.train.estimate import Pace, measure_pace, memory_bytes
from ctcasr.train.folder import RunLock, clear, refuse_used
from ctcasr.train.initialise import measure_statistics
from ctcasr.train.interrupt import Interrupt
from ctcasr.train.line_losses import HeardLines, tells
from ctcasr.train.meter import StepMeter
from ctcasr.train.order import epoch_order, part_content
from ctcasr.train.plan import Plan
from ctcasr.train.run_log import RunLog, TrainingError
from ctcasr.train.schedule import learning_rate, make_optimiser
from ctcasr.train.state import TrainState
from ctcasr.train.stepper import Stepper
from ctcasr.train.synced_step import SyncedStep, find_dummy_batch
from ctcasr.train.world import World, pick_device

_ALONE = World()
_CHECK_SHARE = 0.2  # of the time, on a device whose epochs may be shorter than a check
_CHECK_COST = 0.4  # of a second of audio in a check, in seconds of audio trained on


def fit(
    task: Task,
    train: Batches,
    dev: Batches | None,
    *,
    out: Path | str,
    config: TrainConfig,
    resume: bool = False,
    world: World = _ALONE,
    pace: Pace | None = None,
    governor: Governor | None = None,
) -> Iterator[Record]:
    """Train `task` and yield a Record of all that happens.

    best.pt, last.pt and records.jsonl lie in `out`. With `resume` (or `config.auto_resume`, if
    there is one), goes on from last.pt: on a CPU the result equals that of a run that was never
    stopped, to the bit. With a `world` of several processes, each calls this with loaders of its
    own share of both parts: they take every step and make every check together, as one process
    would. Rank 0 has the files and yields the records, the others none. The `pace` is measured here
    unless it is given. A `governor` gives threads up while others are at work on the machine: sums
    over another number of threads differ by rounding.

    Raises:
        TrainingError: where training cannot go on: `config.skips` unusable steps in a row, too many
            unreadable files, or an epoch without a step.
        RunFolderError: where `out` holds a run that shall neither be resumed nor overwritten, or
            where another process is at it.
        CheckpointError: where there is nothing to resume, or something else than this network.
        ValueError: where the config is wrong.
        KeyboardInterrupt: on Ctrl-C or SIGTERM; the state is saved.
    """
    if World.expected() and world.size == 1:
        raise TrainingError(
            "started as one of several processes, but this recipe trains in one: "
            "start it without torchrun"
        )
    config.refuse_impossible()
    records = _Run(task, train, dev, Path(out), config, world, pace, governor).records(resume)
    return records if world.rank == 0 else _without_records(records)


def _without_records(records: Iterator[Record]) -> Iterator[Record]:
    """Train to the end, as rank 0 does, which tells of it."""
    for _ in records:
        pass
    yield from ()


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
        pace: Pace | None,
        governor: Governor | None = None,
    ) -> None:
        self.task = task
        self.train = train
        self.dev = dev
        self.out = out
        self.config = config
        self.world = world
        self.pace = pace
        self.governor = governor
        self.device = pick_device(config.device)
        task.network.to(self.device)
        self.optimiser = make_optimiser(config, task.parameters())
        steps = Bf16Steps(task) if config.bf16 else task
        self.stepper = Stepper(steps, self.optimiser, config.clip)
        self.average = WeightAverage(task.network, config.average) if config.average else None
        self.state = TrainState(epochs=config.epochs)
        self.plan = Plan(config, len(train), self.state, world)
        self.meter = StepMeter()
        self.heard = HeardLines()  # of all processes
        self.clock = Clock()
        self.interrupt = Interrupt()
        self.checkpointer = Checkpointer(out, task, self.optimiser, self.state, self.meter, world)
        self.log = RunLog(task, config, self.state, world)
        self.lock = RunLock(out)
        self._upcoming: BatchesAhead | None = None  # of the next epoch, already on their way
        self._check_clock = CheckClock(self._check_share)
        self._order: tuple[int, str] | None = None  # epoch, and the hash of its batches

    def records(self, resume: bool) -> Iterator[Record]:
        """The whole run."""
        there_is_one = self.config.auto_resume and (self.out / "last.pt").exists()
        resume = resume or self.world.broadcast_object(there_is_one)
        if self.world.rank == 0:
            self.lock.acquire()
        try:
            saved = self._open(resume)
            with self.interrupt:
                yield self._begin(saved)
                if saved is not None:
                    yield from self._resumed(saved)
                while self._goes_on:
                    yield from self._epoch()
                    if self._goes_on:
                        yield from self._pause()
                # During the last check, behind which last.pt was written and nothing paused.
                asked = any(self.world.gather(bool(self.interrupt.asked)))
                yield from self._finish()
                if asked:
                    raise KeyboardInterrupt
        except LossRefused as refusal:
            yield self.log.refused(refusal)
            raise self.log.cannot_go_on(refusal) from refusal
        finally:
            with contextlib.ExitStack() as last:  # the lock goes back whatever goes wrong here
                last.callback(self.lock.release)
                last.callback(self.log.close)
                if self._upcoming is not None:
                    last.callback(self._upcoming.close)

    # the parts of a run ---------------------------------------------------------------------------

    def _open(self, resume: bool) -> Mapping[str, Any] | None:
        """Begin in the folder, or go on from what last.pt holds, which is returned."""
        saved = None
        if resume:
            saved = self.checkpointer.restore(self.config.seed)
            self.log.named = set(saved["named"])
            self._resume_average(saved)
            self.heard.load_state_dict(saved.get("heard", {}))  # not in older checkpoints
        else:
            if self.world.rank == 0:
                refuse_used(self.out, self.config.overwrite, self.config.auto_resume)
                clear(self.out)
                measure_statistics(self.task.network, self.train)
            seed_rank(self.config.seed, self.world)
        self.world.broadcast_module(self.task.network)
        if self.average is not None and saved is None:
            self.average.begin()
        if self.world.rank == 0:
            self.log.open(self.out / "records.jsonl")
        return saved

    def _resume_average(self, saved: Mapping[str, Any]) -> None:
        """Go on with the average of last.pt; one that was not kept begins with the weights."""
        if self.average is None:
            return
        if "average" in saved:
            self.average.load_state_dict(saved["average"])
        else:
            self.average.begin()

    def _begin(self, saved: Mapping[str, Any] | None) -> Record:
        """Measure and plan; say what is about to happen, with the time and memory it will take."""
        pace = self.pace or measure_pace(self.task, self.train, self.device, self.config.bf16)
        epoch_s = self._expected_epoch_s(pace)
        if saved is None:
            self.plan.begin(epoch_s)
        elif self.plan.is_other_than(saved):
            self.plan.begin_anew(epoch_s)
        if self.world.size > 1:
            dummy = find_dummy_batch(self.world, pace.shortest, self.train.epoch(0))
            on_device = None if dummy is None else dummy.to(self.device)
            self.stepper.synced = SyncedStep(self.world, self.task.network, on_device)
        self._agree()
        return self.log.write(
            StartRecord(
                **self.log.stamp(),
                schema=SCHEMA,
                network=self.task.title,
                parameters=sum(p.numel() for p in self.task.parameters()),
                processes=self.world.size,
                device=str(self.device),
                threads=torch.get_num_threads(),
                epochs=self.state.epochs,
                steps=self.plan.steps,
                batches_per_epoch=len(self.train),
                train_seconds=self.train.seconds,
                dev_seconds=self.dev.seconds if self.dev else 0.0,
                expected_epoch_s=epoch_s,
                expected_total_s=epoch_s * self.plan.batches_left / len(self.train),
                expected_memory_bytes=pace.memory_bytes,
                budget=self.config.budget or None,
            )
        )

    def _resumed(self, saved: Mapping[str, Any]) -> Iterator[Record]:
        """Say where the run goes on, and what is no longer as it was."""
        state = self.state
        yield self.log.resumed(f"from step {state.step}, epoch {state.epoch}, batch {state.batch}")
        if self.plan.is_other_than(saved):
            planned = saved["progress"]["epochs"]
            yield self.log.event(
                Reason.PLAN_CHANGED, f"{planned} epochs were planned, {state.epochs} are now"
            )
        if state.batch and saved.get("order", self._epoch_order) != self._epoch_order:
            state.batch = 0
            self.meter.begin_epoch()
            yield self.log.event(
                Reason.ORDER_CHANGED,
                "the batches are others than when the run was stopped (utterances, batch size, "
                f"order or seed): epoch {state.epoch} begins anew",
            )
        dev_content = part_content(self.dev)
        # Where nothing is left to train, best.pt stays that of the checks there were.
        if self._goes_on and saved.get("dev", dev_content) != dev_content:
            state.forget_best()
            yield self.log.event(
                Reason.DEV_CHANGED,
                "the dev part is another than when the run was stopped: scores of the two cannot "
                "be compared, so that best.pt will be that of the best check from now on",
            )

    def _finish(self) -> Iterator[Record]:
        """Say how the run ended; whatever the checks said, there is a best.pt."""
        if self._out_of_patience:
            yield self.log.event(
                Reason.EARLY_STOP,
                f"{self.state.since_best} checks in a row brought nothing better (patience "
                f"{self.config.patience}); best.pt is that of the best check",
            )
        if self.dev is not None and self.state.best is None:
            self._save_best()
            yield self.log.event(
                Reason.NO_BEST, "no check gave a score; best.pt is the network as it is now"
            )
        yield self.log.event(
            Reason.FINISHED, f"at step {self.state.step}, the end of epoch {self.state.epoch}"
        )

    def _epoch(self) -> Iterator[Record]:
        """The rest of the epoch that is going on, then its check."""
        state = self.state
        if state.batch == 0:
            state.epoch_start_s = state.seconds
            state.epoch_start_step = state.step
        self.task.network.train()
        self.clock.start(state.seconds)
        with contextlib.closing(self._batches()) as batches:
            while state.batch < len(self.train):
                yield from self._step(batches)
                # Behind the last step comes the check, which reads what no checkpoint holds:
                # gradients.
                if state.batch < len(self.train):
                    yield from self._pause()
        yield from self._settle()
        if state.step == state.epoch_start_step:
            raise self.log.nothing_trained(self.train)
        if self.meter.steps:
            yield self._step_record()
        train_loss = self.meter.mean_loss
        line_losses = self.meter.lines.told()
        mean_of_lines = self.meter.lines.mean()
        self.meter.begin_epoch()
        state.epoch += 1
        state.batch = 0
        self._fit_into_budget()
        self._read_ahead()
        if self.dev is not None and self._check_is_due():
            yield self._check(self.dev)
            yield from self.log.name_unreadable(self.dev)
            self._fit_into_budget()
        suspected = self._suspects(mean_of_lines, line_losses)
        yield self._end_epoch(train_loss, suspected)

    def _batches(self) -> BatchesAhead:
        """The rest of the epoch that is going on, on the device."""
        upcoming = self._upcoming
        self._upcoming = None
        if upcoming is not None:
            return upcoming
        stream = self.train.epoch(self.state.epoch, self.state.batch)
        return BatchesAhead(stream, self.device, starts_workers=True)

    def _read_ahead(self) -> None:
        """Let the next epoch's first batches come while the device is busy with a check."""
        if self.device.type == "cuda" and self._goes_on:
            self._upcoming = BatchesAhead(self.train.epoch(self.state.epoch), self.device)

    def _step(self, stream: Iterator[Batch | None]) -> Iterator[Record]:
        """One optimiser step on the next batches, and what is to be told of it."""
        state = self.state
        config = self.config
        asked_s = self.clock.now()
        batches = list(itertools.islice(stream, config.accumulate))
        begun_s = self.clock.now()
        rate = learning_rate(config, state.done, state.waits)
        ends_epoch = state.batch + config.accumulate >= len(self.train)
        ends_window = self.meter.steps + 1 >= config.log_every
        result = self.stepper.take(
            batches, step=state.step, lr=rate, measure=ends_window or ends_epoch
        )
        state.batch += len(batches) or config.accumulate
        state.done = min(1.0, state.done + (1 - state.done) / max(1, self.plan.steps_left + 1))
        state.seconds = self.clock.now()
        yield from self.log.after_step(result, self.train)
        if result is None or result.problem is not None:
            return
        state.step += 1
        self.task.after_step(state.step, self.plan.steps)
        if self.average is not None:
            self.average.update()
        self.meter.add(result, rate, step_s=state.seconds - begun_s, wait_s=begun_s - asked_s)
        if self.meter.steps >= config.log_every:
            yield from self._settle()
        if self.meter.steps >= config.log_every:
            yield self._step_record()
            yield from self._govern_threads()

    def _govern_threads(self) -> Iterator[Record]:
        """As many threads as others leave cores on this machine, and a word where that changes."""
        change = None
        if self.governor is not None and self.device.type == "cpu":
            change = self.governor.look()
        if change is not None:
            yield self.log.event(Reason.THREADS_CHANGED, str(change))

    def _settle(self) -> Iterator[Record]:
        """Ask the device which of the last steps it has taken, and tell which it has not."""
        asked_s = self.clock.now()
        made = self.meter.settle(self.world)
        if not made:
            return
        # The device has worked while the host was waiting.
        self.meter.window.step_s += self.clock.now() - asked_s
        self.state.step -= sum(decision.problem is not None for decision in made)
        yield from self.log.decided(made)

    def _step_record(self) -> StepRecord:
        """The record of the steps since the last one."""
        return self.log.write(self.meter.record(**self.log.stamp(), epoch=self.state.epoch))

    def _check(self, dev: Batches) -> Record:
        """Score on the dev part, each process on its share; keep the network if it is the best."""
        begun_s = self.clock.now()
        with contextlib.closing(BatchesAhead(dev.epoch(0), self.device)) as batches:
            present = (batch for batch in batches if batch is not None)
            with self._averaged():
                score = self.task.check(present, self.world.gather)
        best = self.state.note_check(score.key)
        if best:
            self._save_best()
        self._check_clock.checked(begun_s, self.clock.now())
        metrics = dict(score.metrics)
        unjudged = CheckRecord(
            **self.log.stamp(),
            epoch=self.state.epoch,
            loss=metrics.pop("loss", None),
            best=best,
            metrics=metrics,
            samples=list(score.samples),
            report=dict(score.report),
            evidence=dict(score.evidence),
        )
        verdict = None
        if self.world.rank == 0:  # who has the records of the run
            verdict = self.task.judge([*self.log.history, unjudged])
        return self.log.write(replace(unjudged, verdict=verdict))

    def _suspects(
        self, mean_of_lines: float, line_losses: Mapping[str, float]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Lines whose loss stands out, where it tells; of all processes, which must all ask."""
        means = [mean for mean in self.world.gather(mean_of_lines) if not math.isnan(mean)]
        if not means or not tells(self.state.epoch, fmean(means), self.log.history):
            return {}
        everywhere: dict[str, float] = {}
        for of_rank in self.world.gather(line_losses):
            everywhere.update(of_rank)
        self.heard.add(everywhere)  # in one piece: each loss is measured by the epoch's median
        return {"suspects": self.heard.suspects()}

    def _end_epoch(self, train_loss: float, details: Mapping[str, Any]) -> Record:
        """Tell of the epoch, and save."""
        state = self.state
        state.seconds = self.clock.now()
        self._agree()
        record = self.log.write(
            EpochRecord(
                **self.log.stamp(),
                epoch=state.epoch,
                seconds=state.seconds - state.epoch_start_s,
                train_loss=train_loss,
                epochs=state.epochs,
                steps=self.plan.steps,
                memory_bytes=memory_bytes(self.device),
                details=details,
            )
        )
        if self._save_is_due():
            self._save()
            if self.dev is None:
                self._save_best()
        return record

    def _pause(self) -> Iterator[Record]:
        """Between steps or epochs: save now and then; end if any of the processes was asked to."""
        due = self.world.rank == 0 and self.clock.since_save() >= self.config.save_every_s
        asked, save = self.world.all_reduce(bool(self.interrupt.asked), due)
        if asked or save:
            yield from self._settle()
        if asked:
            signal = self.interrupt.asked or "a signal to another process"
            record = self.log.event(
                Reason.INTERRUPTED,
                f"by {signal}; saved at step {self.state.step}, go on with --resume",
            )
            self._save()
            yield record
            raise KeyboardInterrupt
        if save:
            self._save()

    def _averaged(self) -> contextlib.AbstractContextManager[None]:
        """The network with its average in place, if one is kept."""
        return contextlib.nullcontext() if self.average is None else self.average.in_use()

    def _save_best(self) -> None:
        """Write best.pt: the network as checks see it."""
        with self._averaged():
            self.checkpointer.save_best()

    # small parts ----------------------------------------------------------------------------------

    @property
    def _goes_on(self) -> bool:
        """Whether another epoch is to come."""
        return self.state.epoch < self.state.epochs and not self._out_of_patience

    @property
    def _out_of_patience(self) -> bool:
        """Whether so many checks in a row brought nothing better that training stops early."""
        return 0 < self.config.patience <= self.state.since_best

    def _check_is_due(self) -> bool:
        """Whether the epoch that has just ended is to be checked: rank 0's clock decides."""
        state = self.state
        if state.epoch >= state.epochs:
            return True
        due = state.epoch % self.config.check_every == 0
        return due and self.world.broadcast_object(self._check_clock.allows(self.clock.now()))

    @property
    def _check_share(self) -> float:
        """The share of the time that checks may take."""
        if self.config.check_share > 0:
            return self.config.check_share
        return _CHECK_SHARE if self.device.type == "cuda" else 1.0

    def _save_is_due(self) -> bool:
        """Whether last.pt is written at the end of an epoch: not of each that takes a moment."""
        if self.device.type != "cuda" or not self._goes_on:
            return True
        old = self.clock.since_save() >= self.config.save_every_s
        first = not (self.out / "last.pt").exists()  # before it, only a best.pt can be left behind
        return self.world.broadcast_object(old or first)

    @property
    def _epoch_order(self) -> str:
        """Which batches the epoch that is going on has."""
        if self._order is None or self._order[0] != self.state.epoch:
            self._order = (self.state.epoch, epoch_order(self.train, self.state.epoch))
        return self._order[1]

    def _expected_epoch_s(self, pace: Pace) -> float:
        """Seconds that an epoch will take with its share of the checks; 0 where it is not known."""
        check_s = 0.0
        if self.dev is not None:
            check_s = _CHECK_COST * self.dev.seconds / self.config.check_every
        return pace.step_s_per_audio_s * (self.train.seconds + check_s) / self.world.size

    def _fit_into_budget(self) -> None:
        """With a time budget, plan anew at the pace just seen."""
        if self.plan.fit_into_budget(self.clock.now()):
            self._agree()

    def _agree(self) -> None:
        """Every rank stands where rank 0 stands: what a clock or a check has decided is for all."""
        self.state.restore(self.world.broadcast_object(self.state.as_dict()))

    def _save(self) -> None:
        self.clock.saved()
        self.lock.touch()
        self.state.records = len(self.log.history)
        more: dict[str, Any] = {"heard": self.heard.state_dict()}
        if self.average is not None:
            more["average"] = self.average.state_dict()
        corpus = getattr(self.train, "corpus", None)
        if isinstance(corpus, Corpus):  # batches may come from anywhere
            more["corpus"] = corpus.state_dict()
        self.checkpointer.save_last(
            named=sorted(self.log.named),
            order=self._epoch_order,
            dev=part_content(self.dev),
            length=self.plan.length,
            **more,
        )
