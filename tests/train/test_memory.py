"""Memory that runs out: how it shows, and what becomes of the batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ctcasr.train.memory import free, out_of_memory, split_batch


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_says_that_memory_ran_out(error: Exception, is_memory: bool) -> None:
    assert out_of_memory(error) is is_memory


def test_halves_keep_order_and_a_single_row_is_left_out(make_batch: Any) -> None:
    batch, single = make_batch("a", "b", "c"), make_batch("d", name="v")
    parts, name = split_batch([None, batch, single], 1)
    assert name is None
    ids = [None if part is None else part.ids for part in parts]
    assert ids == [None, ("u0",), ("u1", "u2"), ("v0",)]
    parts, name = split_batch(parts, 3)
    assert name == "v0" and parts[3] is None
    free()
