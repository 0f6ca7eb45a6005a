"""A compiled loop: made once for each precision, all of the work done once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numba import njit, types
from numba.core.errors import TypingError

from ctcasr.ctc._cpu_kernel import DOUBLES, INTEGERS, CpuKernel
from ctcasr.ctc.errors import KernelError
from ctcasr.kernels.jit import take_next


@njit(nogil=True)
def halve(scores, halves, counter):
    while True:
        place = take_next(counter)
        if place >= scores.size:
            return
        halves[place] += scores[place] / 2


def signature(real):
    return types.Array(real, 1, "C"), DOUBLES, INTEGERS


@pytest.mark.parametrize("most_threads", [1, 2, 3])
def test_threads_share_the_work(most_threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    kernel = CpuKernel(halve, signature)
    kernel.compile_for(torch.float32)
    halves = np.zeros(1000)
    kernel.run(most_threads, np.ones(1000, np.float32), halves, np.zeros(1, np.int64))
    assert (halves == 0.5).all()


def test_where_there_is_no_work_nothing_runs():
    CpuKernel(halve, signature).run(0)


def test_each_precision_is_compiled_once_and_no_other_form_is_made():
    asked_for = []

    def noting(real):
        asked_for.append(real)
        return signature(real)

    kernel = CpuKernel(halve, noting)
    for dtype in (torch.float32, torch.float64, torch.float32, torch.float64):
        kernel.compile_for(dtype)
    assert asked_for == [types.float32, types.float64]
    with pytest.raises(TypeError, match="No matching definition"):
        kernel.run(1, np.ones(3, np.int8), np.zeros(3), np.zeros(1, np.int64))


def test_what_does_not_compile_is_a_kernel_error_each_time():
    @njit
    def broken(scores):
        return scores.no_such_thing

    kernel = CpuKernel(broken, lambda real: (types.Array(real, 1, "C"),))
    for _ in range(2):
        with pytest.raises(KernelError, match="numba did not compile") as raised:
            kernel.compile_for(torch.float32)
        assert isinstance(raised.value.__cause__, TypingError)
