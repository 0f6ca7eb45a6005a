"""Threads that run compiled kernels, which hold no GIL: one pool for each number of workers of this process."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

_lock = threading.Lock()
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def kernel_pool(workers: int) -> ThreadPoolExecutor:
    """The pool of `workers` threads of this process: threads do not survive a fork, so a child makes its own."""
    key = (os.getpid(), workers)
    with _lock:
        if key not in _pools:
            _pools[key] = ThreadPoolExecutor(workers, thread_name_prefix="ctcasr-kernel")
        return _pools[key]
