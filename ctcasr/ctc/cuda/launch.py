"""Load the compiled kernels into torch's context and launch them on torch's stream."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

import torch

from ctcasr.ctc.cuda import nvrtc
from ctcasr.ctc.cuda.geometry import BYTES_OF_A_STATE, SHARED_STATES, Args, Launch
from ctcasr.ctc.errors import KernelError

_OUT_OF_MEMORY = 2  # CUDA_ERROR_OUT_OF_MEMORY
# After the kernels of frames, which are part 1.
_PARTS = ("_short", "_one", "_long", "_many", "finish_2", "finish_4", "finish_8")
_LOAD_BYTES = (
    16  # of the widest load: the compiler reads on to the end of one, and ignores the rest
)
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
    """The kernels of one device, in the context of torch."""

    def __init__(self, device: int) -> None:
        major, minor = torch.cuda.get_device_capability(device)
        self._capability = 10 * major + minor
        self._context = ctypes.c_void_p()
        self._modules: dict[int, ctypes.c_void_p] = {}
        self._functions: dict[str, ctypes.c_void_p] = {}
        code = driver().cuDevicePrimaryCtxRetain(ctypes.byref(self._context), device)
        _check(code, "retain torch's context")

    def _enter(self) -> None:
        # A thread that has not called the runtime yet (torch's allocator may answer without it)
        # has no context.
        _check(driver().cuCtxSetCurrent(self._context), "enter torch's context")

    def _module(self, part: int) -> ctypes.c_void_p:
        if part not in self._modules:
            binary = nvrtc.binary(self._capability, (f"PART={part}",))
            module = ctypes.c_void_p()
            code = driver().cuModuleLoadData(ctypes.byref(module), binary)
            _check(code, "load the CTC kernels")
            self._modules[part] = module
        return self._modules[part]

    def _function(self, name: str) -> ctypes.c_void_p:
        if name in self._functions:
            return self._functions[name]
        function = ctypes.c_void_p()
        pointer = ctypes.byref(function)
        module = self._module(part_of(name))
        code = driver().cuModuleGetFunction(pointer, module, name.encode())
        _check(code, f"find {name}")
        if name.startswith(("finish", "segments")):
            shared = BYTES_OF_A_STATE * SHARED_STATES
            code = driver().cuFuncSetAttribute(function, _MAX_DYNAMIC_SHARED, shared)
            _check(code, f"set up {name}")
        self._functions[name] = function
        return function

    def on_current_stream(self) -> Launch:
        """What launches a kernel on the stream that torch has now, given its name and geometry."""
        self._enter()
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        launch_kernel = driver().cuLaunchKernel

        def launch(
            name: str, grid_x: int, grid_y: int, threads: int, shared: int, args: Args
        ) -> None:
            function = self._function(name)
            grid = (grid_x, grid_y, 1)
            block = (threads, 1, 1)
            shared = -(-shared // _LOAD_BYTES) * _LOAD_BYTES
            parameters = (ctypes.c_void_p * 1)(ctypes.addressof(args))
            code = launch_kernel(function, *grid, *block, shared, stream, parameters, None)
            _check(code, f"launch {name}")

        return launch


def part_of(kernel: str) -> int:
    """The part of kernels.cu that holds a kernel: what one batch needs is compiled, and no more.

    Example:
        >>> part_of("scores"), part_of("sweeps_long"), part_of("finish_4")
        (1, 4, 7)
    """
    for part, suffix in enumerate(_PARTS, start=2):
        if kernel.endswith(suffix):
            return part
    return 1


@cache
def kernels(device: int) -> Kernels:
    """The kernels of a device, compiled and loaded once."""
    return Kernels(device)


def _check(code: int, what: str) -> None:
    if code == 0:
        return
    text = ctypes.c_char_p()
    driver().cuGetErrorString(code, ctypes.byref(text))
    reason = (text.value or b"unknown").decode()
    # Where memory has run out, a smaller batch helps, and torch's loss does not.
    kind = RuntimeError if code == _OUT_OF_MEMORY else KernelError
    raise kind(f"CUDA driver could not {what}: error {code}, {reason}")
