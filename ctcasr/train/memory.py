"""Batches that do not fit into memory: how that shows, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ctcasr.batch import Batch

# What torch says, on a device or on the host, when memory runs out.
_SIGNS = ("out of memory", "can't allocate memory", "DefaultCPUAllocator", "ALLOC_FAILED")


def out_of_memory(error: BaseException) -> bool:
    """Whether this says that memory ran out, of a device or of the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def split_batch(parts: Sequence[Batch | None], index: int) -> tuple[list[Batch | None], str | None]:
    """The parts with number `index` in two by rows; one row is left out, and its id told."""
    batch = parts[index]
    assert batch is not None, "a part without utterances needs no memory"
    before = parts[:index]
    behind = parts[index + 1 :]
    if len(batch) == 1:
        return [*before, None, *behind], batch.ids[0]
    middle = len(batch) // 2
    first = batch.rows(range(middle))
    second = batch.rows(range(middle, len(batch)))
    return [*before, first, second, *behind], None


def free() -> None:
    """Hand back what the failed attempt has left behind."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
