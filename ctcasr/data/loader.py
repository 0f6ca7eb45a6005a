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
_Fetched = tuple[Batch | None, tuple[Skip, ...]]
_DEATH_IS_KNOWN_S = 1.0  # behind the breaking of its pipe


class WorkerError(RuntimeError):
    """A worker process died; says what to try."""


class Loader:
    """Batches of a corpus; which and in what order depends on seed and epoch alone.

    Not on workers or the first batch. At most `batch_size` utterances and `batch_seconds` of
    padded sound in a batch, all `world` ranks together: a rank takes every world-th utterance of
    each batch, and gets None where that leaves it with nothing.

    Raises:
        ValueError: for a corpus of nothing, no limit of a batch, or a rank outside the world.
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
        _check_limits(batch_size, batch_seconds)
        if seed < 0 or workers < 0 or not 0 <= rank < world:
            raise ValueError(
                "expected seed >= 0, workers >= 0, 0 <= rank < world; "
                f"got {seed}, {workers}, {rank} of {world}"
            )
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
        """Every utterance that could not be read so far, once, also those of empty batches."""
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
        """The batches of epoch `number` from `start_batch` on.

        None for one of which this rank can read nothing. One epoch at a time: with worker
        processes, beginning another ends this one.

        Raises:
            ValueError: for a start outside the epoch.
            WorkerError: where a process dies.
        """
        plan = self.plan(number)
        if not 0 <= start_batch <= len(plan):
            raise ValueError(
                f"start_batch: expected within 0..{len(plan)}, the epoch's batches; "
                f"got {start_batch}"
            )
        self._unread = []
        jobs: list[_Job] = []
        for index, batch in enumerate(plan[start_batch:], start=start_batch):
            jobs.append((number, index, batch[self.rank :: self.world]))
        for fetched, skipped in self._fetched(jobs):
            self._skipped.update(dict.fromkeys(skipped))
            self._unread += skipped
            if fetched is not None and self.pin:
                fetched = fetched.pin()
            yield fetched

    def close(self) -> None:
        """End the worker processes; the next epoch would start new ones."""
        self._processes = None

    def _fetched(self, jobs: Sequence[_Job]) -> Iterator[_Fetched]:
        fetch = _Fetch(self.corpus, self.seed)
        if self.workers == 0 or not jobs:
            for job in jobs:
                yield fetch[job]
            return
        processes = self._started(fetch)
        self._jobs.jobs = jobs
        n_done = 0
        try:
            for fetched in processes:
                yield fetched
                n_done += 1
                if self._jobs.jobs is not jobs:
                    raise RuntimeError(
                        "another epoch of this loader was begun; its processes serve one at a time"
                    )
        except (RuntimeError, OSError, EOFError) as error:
            if not _is_death(error):
                raise
            self.close()
            epoch, number, _ = jobs[min(n_done, len(jobs) - 1)]
            cause = str(error) or type(error).__name__
            raise WorkerError(
                f"one of {self.workers} worker processes died near batch {number} of epoch {epoch} "
                f"({cause}); out of memory, or a file that crashes the decoder? Resume with fewer, "
                "or with workers=0 to see the cause"
            ) from error

    def _started(self, fetch: _Fetch) -> DataLoader[Any]:
        """The worker processes, which live until `close`."""
        if self._processes is None:
            self._processes = DataLoader(
                fetch,
                batch_size=None,
                sampler=self._jobs,
                num_workers=self.workers,
                multiprocessing_context=self.start_method,
                persistent_workers=True,
                # Starting workers shall draw nothing from the global generator.
                generator=torch.Generator(),
            )
        return self._processes


def _check_limits(batch_size: int | None, batch_seconds: float | None) -> None:
    if batch_size is None and batch_seconds is None:
        raise ValueError("expected batch_size, batch_seconds or both; got neither")
    size_fits = batch_size is None or batch_size >= 1
    seconds_fit = batch_seconds is None or batch_seconds > 0
    if not size_fits or not seconds_fit:
        raise ValueError(
            f"expected batch_size >= 1 and batch_seconds > 0; got {batch_size} and {batch_seconds}"
        )


def _is_death(error: Exception) -> bool:
    """True where torch tells of a process that ended, or the pipe to it broke.

    A worker's own error says "Caught ...".
    """
    if isinstance(error, RuntimeError):
        return "DataLoader worker (pid" in str(error)
    if str(error).startswith("Caught "):
        return False
    # The pipe breaks first; torch's signal handler raises when the death is known: here, not later.
    with contextlib.suppress(RuntimeError):
        time.sleep(_DEATH_IS_KNOWN_S)
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

    def __getitem__(self, job: _Job) -> _Fetched:
        epoch, _, indices = job
        items = [self.corpus.item(index, seed=self.seed, epoch=epoch) for index in indices]
        skipped = tuple(item for item in items if isinstance(item, Skip))
        return collate(items, self.corpus.rate_hz), skipped
