"""Load the compiled kernels into torch's context and launch them on torch's stream."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

import torch

from ctcasr.ctc.cuda import nvrtc
from ctcasr.ctc.cuda.geometry import SHARED_STATES, Args

_MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES


@cache
def driver() -> ctypes.CDLL:
    """The CUDA driver; CudaUnavailable where there is none."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise nvrtc.CudaUnavailable(
            f"the CUDA kernel of the CTC loss needs the NVIDIA driver ({name}): {error}; "
            f"install it, or use backend='torch'"
        ) from error


class Kernels:
    """The kernels of one device: call with a name, the grid, threads, shared bytes and the arguments."""

    def __init__(self, device: int) -> None:
        major, minor = torch.cuda.get_device_capability(device)
        self._code = nvrtc.binary(10 * major + minor)
        self._context, self._module = ctypes.c_void_p(), ctypes.c_void_p()
        _check(
            driver().cuDevicePrimaryCtxRetain(ctypes.byref(self._context), device),
            "retain torch's context",
        )
        self._enter()
        _check(
            driver().cuModuleLoadData(ctypes.byref(self._module), self._code),
            "load the CTC kernels",
        )
        self._functions: dict[str, ctypes.c_void_p] = {}

    def _enter(self) -> None:
        # A thread that has not called the runtime yet (torch's allocator may answer without it) has no context.
        _check(driver().cuCtxSetCurrent(self._context), "enter torch's context")

    def _function(self, name: str) -> ctypes.c_void_p:
        if name not in self._functions:
            function = ctypes.c_void_p()
            _check(
                driver().cuModuleGetFunction(ctypes.byref(function), self._module, name.encode()),
                f"find {name}",
            )
            if name.startswith("occupancies"):
                _check(
                    driver().cuFuncSetAttribute(function, _MAX_DYNAMIC_SHARED, 8 * SHARED_STATES),
                    f"set up {name}",
                )
            self._functions[name] = function
        return self._functions[name]

    def __call__(
        self, name: str, grid_x: int, grid_y: int, threads: int, shared: int, args: Args
    ) -> None:
        self._enter()
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        parameters = (ctypes.c_void_p * 1)(ctypes.addressof(args))
        _check(
            driver().cuLaunchKernel(
                self._function(name),
                grid_x,
                grid_y,
                1,
                threads,
                1,
                1,
                shared,
                stream,
                parameters,
                None,
            ),
            f"launch {name}",
        )


@cache
def kernels(device: int) -> Kernels:
    """The kernels of a device, compiled and loaded once."""
    return Kernels(device)


def _check(code: int, what: str) -> None:
    if code:
        text = ctypes.c_char_p()
        driver().cuGetErrorString(code, ctypes.byref(text))
        raise RuntimeError(
            f"CUDA driver could not {what}: error {code}, {(text.value or b'unknown').decode()}"
        )
