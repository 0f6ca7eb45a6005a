"""Batches come in order and once; what goes wrong is told where the next one is asked for."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from ctcasr.batch import Batch
from ctcasr.train.ahead import BatchesAhead

CPU = torch.device("cpu")
CUDA = torch.device("cuda", 0)


class Quiet:
    """A stream or an event of a device that is not there."""

    def __init__(self, *_: Any) -> None: ...
    def record(self, stream: Any) -> None: ...
    def wait_event(self, event: Any) -> None: ...


@pytest.fixture
def device_that_copies_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Stream", "Event", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, Quiet)
    for name in ("device", "stream"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    monkeypatch.setattr(Batch, "to", lambda batch, _: batch)


def test_on_a_cpu_nothing_is_read_before_it_is_asked_for(make_batch: Any) -> None:
    read: list[int] = []

    def stream() -> Iterator[Batch | None]:
        for number in range(3):
            read.append(number)
            yield make_batch("a", seed=number) if number else None

    batches = BatchesAhead(stream(), CPU)
    assert read == [] and next(batches) is None and read == [0]
    assert len(list(batches)) == 2
    batches.close()


@pytest.mark.usefixtures("device_that_copies_at_once")
@pytest.mark.parametrize("starts_workers", [False, True])
def test_a_thread_hands_over_all_in_order(make_batch: Any, starts_workers: bool) -> None:
    here = threading.get_ident()
    readers: list[int] = []

    def stream() -> Iterator[Batch | None]:
        for number in range(9):
            readers.append(threading.get_ident())
            yield None if number == 4 else make_batch("a", name=f"{number}-")

    batches = BatchesAhead(stream(), CUDA, starts_workers=starts_workers)
    ids = [None if batch is None else batch.ids[0] for batch in batches]
    assert ids == [None if number == 4 else f"{number}-0" for number in range(9)]
    assert next(batches, "end") == "end"
    assert (readers[0] == here) is starts_workers and here not in readers[1:]
    batches.close()


@pytest.mark.usefixtures("device_that_copies_at_once")
def test_an_error_comes_behind_the_batches_before_it(make_batch: Any) -> None:
    def stream() -> Iterator[Batch | None]:
        yield make_batch("a")
        raise OSError("the disk is gone")

    batches = BatchesAhead(stream(), CUDA)
    assert next(batches) is not None
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)
    batches.close()


@pytest.mark.usefixtures("device_that_copies_at_once")
def test_closing_ends_the_thread(make_batch: Any) -> None:
    batches = BatchesAhead((make_batch("a") for _ in itertools.count()), CUDA, depth=1)
    assert next(batches) is not None
    batches.close()
    assert batches._thread is not None and not batches._thread.is_alive()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_batches_arrive_on_the_device_whole(make_batch: Any) -> None:
    host = [make_batch("a", "b", seed=number) for number in range(20)]
    for got, wanted in zip(BatchesAhead(iter(host), CUDA), host, strict=True):
        assert got is not None and got.audio.device.type == "cuda"
        assert torch.equal(got.audio.data.cpu(), wanted.audio.data)
