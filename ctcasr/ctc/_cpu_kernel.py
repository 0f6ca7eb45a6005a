"""A compiled loop of the CPU: made once for each precision, run by all threads together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from numba import types
from numba.core.errors import NumbaError

from ctcasr.ctc.errors import KernelError
from ctcasr.kernels.pool import run_together

Signature: TypeAlias = tuple[Any, ...]  # numba's types of the arguments

INTEGERS = types.Array(types.int64, 1, "C")
DOUBLES = types.Array(types.float64, 1, "C")


class CpuKernel:
    """A loop over work that threads take off a counter, for float32 and float64 scores."""

    def __init__(self, loop: Any, signature_for: Callable[[Any], Signature]) -> None:
        """`signature_for` takes numba's type of the scores."""
        self._loop = loop
        self._signature_for = signature_for
        self._lock = threading.RLock()
        self._compiled: set[torch.dtype] = set()

    def compile_for(self, dtype: torch.dtype) -> None:
        """Compile for scores of this kind, or load what an earlier process compiled.

        Raises:
            KernelError: numba does not compile it.
        """
        with self._lock:
            if dtype in self._compiled:
                return
            real = types.float64 if dtype == torch.float64 else types.float32
            self._loop.disable_compile(False)
            try:
                self._loop.compile(self._signature_for(real))
            except NumbaError as error:
                raise KernelError(f"numba did not compile the CTC kernel: {error}") from error
            finally:
                # Where nothing was compiled yet, numba refuses to forbid it.
                self._loop.disable_compile(bool(self._loop.signatures))
            self._compiled.add(dtype)

    def run(self, most_threads: int, *arguments: Any, own: Callable[[], Any] | None = None) -> None:
        """Run on this thread and on the pool's, which share out the work among them.

        `own` makes what each thread has for itself, which comes before the other arguments.
        """
        threads = min(torch.get_num_threads(), most_threads)

        def run_loop() -> None:
            first = () if own is None else (own(),)
            self._loop(*first, *arguments)

        if threads:
            run_together(run_loop, [()] * threads, threads)
