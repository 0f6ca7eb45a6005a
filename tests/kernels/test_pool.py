"""Threads of compiled kernels: one pool for each number of workers, and of each process."""

from __future__ import annotations

import os
import threading

import pytest

from ctcasr.kernels.pool import kernel_pool


def test_one_pool_for_each_number_of_workers():
    assert kernel_pool(1) is kernel_pool(1)
    assert kernel_pool(1) is not kernel_pool(2)


def test_as_many_threads_as_asked_for_work_at_once():
    meeting = threading.Barrier(3, timeout=10)
    waits = [kernel_pool(2).submit(meeting.wait) for _ in range(2)]
    meeting.wait()
    assert sorted(wait.result() for wait in waits) != []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own():
    kernel_pool(1).submit(int).result()
    child = os.fork()
    if child == 0:
        os._exit(kernel_pool(1).submit(lambda: 7).result(timeout=10))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
