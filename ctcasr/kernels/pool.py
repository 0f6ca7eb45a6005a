"""Threads that run compiled kernels, which hold no GIL: one pool for each number of workers."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

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
