"""Batches that do not fit into memory: how that shows, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ctcasr.batch import Batch

_SIGNS = ("out of memory", "can't allocate memory", "DefaultCPUAllocator", "ALLOC_FAILED")


def out_of_memory(error: BaseException) -> bool:
    """Whether this says that memory ran out, of a device or of the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def split_batch(parts: Sequence[Batch | None], index: int) -> tuple[list[Batch | None], str | None]:
    """The parts with number `index` in two by rows; with one row it is left out, and its id returned."""
    batch = parts[index]
    assert batch is not None
    if len(batch) == 1:
        return [*parts[:index], None, *parts[index + 1 :]], batch.ids[0]
    middle = len(batch) // 2
    two = [batch.rows(range(middle)), batch.rows(range(middle, len(batch)))]
    return [*parts[:index], *two, *parts[index + 1 :]], None


def free() -> None:
    """Hand back what the failed attempt has left behind."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
