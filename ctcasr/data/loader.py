"""Batches of an epoch, in this process or from worker processes: the same batches either way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ctcasr.batch import Batch, Skip
from ctcasr.data.corpus import Corpus, collate
from ctcasr.data.plan import Order, plan_batches

_Job = tuple[int, int, Sequence[int]]  # epoch, number of the batch, utterances


class WorkerError(RuntimeError):
    """A worker process died; says what to try."""


class Loader:
    """Batches of a corpus; which and in what order depends on seed and epoch alone, not on workers or the first batch.

    At most `batch_size` utterances and `batch_seconds` of padded sound in a batch, all `world` ranks together: a rank
    takes every world-th utterance of each batch, and gets None where that leaves it with nothing.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        batch_size: int | None = None,
        batch_seconds: float | None = None,
        order: Order = "shuffle",
        seed: int = 0,
        workers: int = 0,
        start_method: str | None = None,
        rank: int = 0,
        world: int = 1,
        pin: bool = False,
    ) -> None:
        if batch_size is None and batch_seconds is None:
            raise ValueError("expected batch_size, batch_seconds or both; got neither")
        if (batch_size is not None and batch_size < 1) or (
            batch_seconds is not None and not batch_seconds > 0
        ):
            raise ValueError(
                f"expected batch_size >= 1 and batch_seconds > 0; got {batch_size} and {batch_seconds}"
            )
        if seed < 0 or workers < 0 or not 0 <= rank < world:
            got = f"{seed}, {workers}, {rank} of {world}"
            raise ValueError(f"expected seed >= 0, workers >= 0, 0 <= rank < world; got {got}")
        if len(corpus) == 0:
            raise ValueError("expected a corpus with at least one utterance; got none")
        self.corpus = corpus
        self.batch_size = batch_size
        self.batch_seconds = batch_seconds
        self.order: Order = order
        self.seed = seed
        self.workers = workers
        self.start_method = start_method
        self.rank = rank
        self.world = world
        self.pin = pin
        self._skipped: dict[Skip, None] = {}
        self._unread: list[Skip] = []
        self._jobs = _Jobs()
        self._processes: DataLoader[Any] | None = None
        self._length = len(self.plan(0))

    def __len__(self) -> int:
        """Batches in an epoch, the same in every one."""
        return self._length

    @property
    def seconds(self) -> float:
        """Seconds of audio in an epoch, all ranks together."""
        return self.corpus.seconds

    @property
    def utterances(self) -> int:
        """Utterances in an epoch, all ranks together."""
        return len(self.corpus)

    @property
    def unread(self) -> tuple[Skip, ...]:
        """What this rank could not read in the epoch that was begun last."""
        return tuple(self._unread)

    @property
    def skipped(self) -> tuple[Skip, ...]:
        """Every utterance that could not be read so far, once, also those of batches of which nothing was left."""
        return tuple(self._skipped)

    def plan(self, epoch: int) -> list[list[int]]:
        """Utterances of each batch of an epoch, all ranks together."""
        return plan_batches(
            self.corpus.durations,
            batch_size=self.batch_size,
            batch_seconds=self.batch_seconds,
            order=self.order,
            seed=self.seed,
            epoch=epoch,
        )

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch | None]:
        """The batches of epoch `number` from `start_batch` on; None for one of which this rank can read nothing.

        One epoch at a time: with worker processes, beginning another ends this one. WorkerError where a process dies.
        """
        plan = self.plan(number)
        if not 0 <= start_batch <= len(plan):
            raise ValueError(
                f"start_batch: expected within 0..{len(plan)}, the epoch's batches; got {start_batch}"
            )
        self._unread = []
        jobs = [
            (number, index, batch[self.rank :: self.world]) for index, batch in enumerate(plan)
        ][start_batch:]
        for batch, skipped in self._fetched(jobs):
            self._skipped.update(dict.fromkeys(skipped))
            self._unread += skipped
            yield batch.pin() if self.pin and batch is not None else batch

    def close(self) -> None:
        """End the worker processes; the next epoch would start new ones."""
        self._processes = None

    def _fetched(self, jobs: Sequence[_Job]) -> Iterator[tuple[Batch | None, tuple[Skip, ...]]]:
        fetch = _Fetch(self.corpus, self.seed)
        if self.workers == 0 or not jobs:
            yield from (fetch[job] for job in jobs)
            return
        if self._processes is None:
            self._processes = DataLoader(
                fetch,
                batch_size=None,
                sampler=self._jobs,
                num_workers=self.workers,
                multiprocessing_context=self.start_method,
                persistent_workers=True,
                generator=torch.Generator(),  # so that starting workers draws nothing from the global one
            )
        self._jobs.jobs = jobs
        done = 0
        try:
            for fetched in self._processes:
                yield fetched
                done += 1
                if self._jobs.jobs is not jobs:
                    raise RuntimeError(
                        "another epoch of this loader was begun; its processes serve one at a time"
                    )
        except (RuntimeError, OSError, EOFError) as error:
            if not _is_death(error):
                raise
            self.close()
            epoch, number, _ = jobs[min(done, len(jobs) - 1)]
            cause = str(error) or type(error).__name__
            raise WorkerError(
                f"one of {self.workers} worker processes died near batch {number} of epoch {epoch} ({cause}); out of "
                "memory, or a file that crashes the decoder? Resume with fewer, or with workers=0 to see the cause"
            ) from error


def _is_death(error: Exception) -> bool:
    """True where torch tells of a process that ended, or the pipe to it broke; a worker's own error says "Caught ..."."""
    if isinstance(error, RuntimeError):
        return "DataLoader worker (pid" in str(error)
    if str(error).startswith("Caught "):
        return False
    with contextlib.suppress(RuntimeError):
        time.sleep(
            1.0
        )  # the pipe breaks first; torch's signal handler raises when the death is known: here, not later
    return True


class _Jobs(Sampler[_Job]):
    """The batches that the worker processes shall make next."""

    def __init__(self) -> None:
        self.jobs: Sequence[_Job] = ()

    def __iter__(self) -> Iterator[_Job]:
        return iter(self.jobs)

    def __len__(self) -> int:
        return len(self.jobs)


class _Fetch(Dataset[Any]):
    """Whole batches by job, so that a worker process hands over two tensors and no more."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self.corpus = corpus
        self.seed = seed

    def __getitem__(self, job: _Job) -> tuple[Batch | None, tuple[Skip, ...]]:
        epoch, _, indices = job
        items = [self.corpus.item(index, seed=self.seed, epoch=epoch) for index in indices]
        skipped = tuple(item for item in items if isinstance(item, Skip))
        return collate(items, self.corpus.rate_hz), skipped
