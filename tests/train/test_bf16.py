"""Steps with products in bfloat16: the task's own step, under another precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ctcasr.train.bf16 import Bf16Steps


def test_the_precision_holds_within_the_step_only(toy: Any, make_batch: Any) -> None:
    task = toy()
    seen: list[str] = []
    step = task.step

    def noting(batch: Any, number: int) -> Any:
        seen.append(torch.get_float32_matmul_precision())
        return step(batch, number)

    task.step = noting
    before = torch.get_float32_matmul_precision()
    loss = Bf16Steps(task).step(make_batch("a", "b"), 3)
    assert seen == ["medium"] and torch.get_float32_matmul_precision() == before
    assert torch.equal(loss.sum, step(make_batch("a", "b"), 3).sum)


def test_the_precision_comes_back_after_an_error(toy: Any, make_batch: Any) -> None:
    before = torch.get_float32_matmul_precision()
    task = toy()

    def broken(batch: Any, number: int) -> Any:
        raise KeyError("broken")

    task.step = broken
    with pytest.raises(KeyError):
        Bf16Steps(task).step(make_batch("a"), 0)
    assert torch.get_float32_matmul_precision() == before
