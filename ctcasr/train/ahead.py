"""Batches on their way to the device while it still works on those before them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ctcasr.batch import Batch

_DEPTH = 2  # batches that lie ready
_LOOK_S = 0.1  # how soon a thread sees that nobody wants more
_END_S = 10.0  # a batch that is being read when nobody wants it any more may take so long


class _Ready(NamedTuple):
    """One batch, the end of all, or what went wrong on the way."""

    batch: Batch | None = None
    copied: torch.cuda.Event | None = None
    end: bool = False
    error: BaseException | None = None


class BatchesAhead(Iterator[Batch | None]):
    """The batches of `stream` on `device`; for CUDA a thread reads and copies ahead of who asks.

    Copies come from page-locked memory by a stream of their own, so that neither host nor device
    waits for them. On a CPU nothing is read before it is asked for. `close` ends the thread. The
    first batch is read at once and here, if worker processes are still to be started: by a fork of
    this thread.

    Example:
        >>> list(BatchesAhead(iter([None, None]), torch.device("cpu")))
        [None, None]
    """

    def __init__(
        self,
        stream: Iterator[Batch | None],
        device: torch.device,
        depth: int = _DEPTH,
        starts_workers: bool = False,
    ) -> None:
        self.device = device
        self._stream = stream
        self._closed = threading.Event()
        self._ready: queue.Queue[_Ready] = queue.Queue(depth)
        self._thread: threading.Thread | None = None
        self._first: _Ready | None = None
        if device.type == "cuda":
            # Another thread has a current device of its own.
            index = torch.cuda.current_device() if device.index is None else device.index
            self._copies = torch.cuda.Stream(index)
            if starts_workers:
                self._first = self._next(index)
            self._thread = threading.Thread(target=self._run, args=(index,), daemon=True)
            self._thread.start()

    def __iter__(self) -> Iterator[Batch | None]:
        return self

    def __next__(self) -> Batch | None:
        if self._thread is None:
            batch = next(self._stream)
            return None if batch is None else batch.to(self.device)
        ready = self._take()
        if ready.error is not None:
            raise ready.error
        if ready.end:
            raise StopIteration
        if ready.batch is not None and ready.copied is not None:
            own_stream = torch.cuda.current_stream(self.device)
            own_stream.wait_event(ready.copied)
            for tensor in _tensors(ready.batch):
                tensor.record_stream(own_stream)  # its memory is not given away before
        return ready.batch

    def close(self) -> None:
        """End the thread; nothing is read any more."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(_END_S)

    def _take(self) -> _Ready:
        """The next; the last one stays, for whoever asks again."""
        if self._first is not None:
            ready = self._first
            self._first = None
        else:
            ready = self._ready.get()
        if ready.end or ready.error is not None:
            self._first = ready
        return ready

    def _run(self, index: int) -> None:
        """What the thread does."""
        going_on = True
        while going_on and not self._closed.is_set():
            ready = self._next(index)
            going_on = not ready.end and ready.error is None
            self._put(ready)

    def _put(self, ready: _Ready) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._ready.put(ready, timeout=_LOOK_S)
                return

    def _next(self, index: int) -> _Ready:
        """The next batch, its copy under way."""
        try:
            batch = next(self._stream)
            if batch is None:
                return _Ready()
            device = torch.device("cuda", index)
            with torch.cuda.device(device), torch.cuda.stream(self._copies):
                moved = batch.to(device)
                copied = torch.cuda.Event()
                copied.record(self._copies)
            return _Ready(moved, copied)
        except StopIteration:
            return _Ready(end=True)
        except BaseException as error:  # told to whoever asks for the batch
            return _Ready(error=error)


def _tensors(batch: Batch) -> Iterator[Tensor]:
    """All of a batch that lies on the device."""
    for seq in (batch.audio, batch.clean, batch.video):
        if seq is not None:
            yield seq.data
    if batch.labels is not None:
        yield batch.labels
