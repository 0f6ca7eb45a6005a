"""Threads that run compiled kernels, which hold no GIL: one pool for each number of workers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_lock = threading.Lock()
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}  # by process id and number of workers


def kernel_pool(workers: int) -> ThreadPoolExecutor:
    """The pool of `workers` threads of this process: threads do not survive a fork.

    Example:
        >>> kernel_pool(2) is kernel_pool(2)
        True
        >>> kernel_pool(2).submit(sum, [1, 2, 3]).result()
        6
    """
    key = (os.getpid(), workers)
    with _lock:
        if key not in _pools:
            _pools[key] = ThreadPoolExecutor(workers, thread_name_prefix="ctcasr-kernel")
        return _pools[key]


def run_together(kernel: Callable[..., None], jobs: Sequence[tuple[Any, ...]], most: int) -> None:
    """A kernel with the arguments of each job, on this thread and beside it on others.

    At most `most` threads in all; the first job is this one's.

    Example:
        >>> done = []
        >>> run_together(done.append, [(1,), (2,)], most=2)
        >>> sorted(done)
        [1, 2]
    """
    threads = min(most, len(jobs))
    first, *others = jobs
    waiting = []
    if threads > 1:
        pool = kernel_pool(threads - 1)
        waiting = [pool.submit(kernel, *job) for job in others]
    kernel(*first)
    if threads == 1:
        for job in others:
            kernel(*job)
    for future in waiting:
        future.result()
