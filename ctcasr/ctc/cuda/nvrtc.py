"""Find NVRTC, compile the kernels, and keep the machine code on disk."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path

SOURCES = ("kernels.cu", "frames.cuh", "chains.cuh", "batch.cuh", "lattice.cuh", "lanes.cuh")
OPTIONS = (
    "--std=c++17",
    "--fmad=false",
)  # products are fused where the source says so: the same bits on the host


class CudaUnavailable(ImportError):
    """The CUDA kernels cannot be compiled or loaded here; the message says what is missing and what to do."""


def sources() -> dict[str, str]:
    """The kernel sources by file name, the translation unit first."""
    folder = resources.files("ctcasr.ctc.cuda")
    return {name: folder.joinpath(name).read_text(encoding="utf-8") for name in SOURCES}


@cache
def library() -> ctypes.CDLL:
    """NVRTC: what cuda-pathfinder finds, else the one beside torch; CudaUnavailable if there is none."""
    tried = []
    for path in _candidates():
        try:
            return ctypes.CDLL(path)
        except OSError as error:
            tried.append(f"{path}: {error}")
    raise CudaUnavailable(
        "the CUDA kernel of the CTC loss needs NVRTC (libnvrtc), which was not found"
        + (" (" + "; ".join(tried) + ")" if tried else "")
        + ": install a CUDA build of torch, or the package nvidia-cuda-nvrtc of its CUDA version, or use backend='torch'"
    )


def _candidates() -> list[str]:
    found: list[str] = []
    try:
        from cuda.pathfinder import (
            load_nvidia_dynamic_lib,  # comes with torch's CUDA wheels on Linux
        )

        path = load_nvidia_dynamic_lib("nvrtc").abs_path
        found += [path] if path else []
    except (
        Exception
    ) as error:  # absent, or its own error type if it finds nothing: the search below goes on
        del error
    pattern = "nvrtc64_*.dll" if sys.platform == "win32" else "libnvrtc.so*"
    for entry in dict.fromkeys(sys.path):
        for folder in ("nvidia/*/lib", "nvidia/*/bin", "torch/lib"):
            found += sorted(
                str(path)
                for path in Path(entry or ".").glob(f"{folder}/{pattern}")
                if ".alt" not in path.name
            )
    return found + ([] if sys.platform == "win32" else ["libnvrtc.so"])


def version() -> tuple[int, int]:
    """(major, minor) of NVRTC."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)), "version")
    return major.value, minor.value


def architectures() -> tuple[int, ...]:
    """What this NVRTC compiles for, ascending: 80 is compute capability 8.0."""
    count = ctypes.c_int()
    _check(library().nvrtcGetNumSupportedArchs(ctypes.byref(count)), "architectures")
    values = (ctypes.c_int * count.value)()
    _check(library().nvrtcGetSupportedArchs(values), "architectures")
    return tuple(values)


def binary(capability: int, folder: Path | None = None) -> bytes:
    """Machine code for a compute capability (90 is 9.0), from the cache on disk or compiled into it.

    A device newer than NVRTC gets PTX of the newest architecture, which the driver compiles.
    """
    known = [value for value in architectures() if value <= capability]
    if not known:
        raise CudaUnavailable(
            f"NVRTC {version()} has dropped compute capability {capability / 10:.1f}; it knows "
            f"{architectures()}: use backend='torch'"
        )
    exact = known[-1] == capability
    target = f"sm_{capability}" if exact else f"compute_{known[-1]}"
    texts = sources()
    key = hashlib.sha256(repr((texts, OPTIONS, target, version())).encode()).hexdigest()[:32]
    path = (folder or cache_folder()) / f"ctc-{target}-{key}"
    try:
        return path.read_bytes()
    except OSError:
        code = compile_program(texts, target, cubin=exact)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(code)
        os.replace(name, path)  # a reader sees all of it or nothing
    except OSError:
        pass  # a read-only home costs the next process a compilation, nothing else
    return code


def cache_folder() -> Path:
    """$CTCASR_CACHE, else the user's cache folder."""
    if given := os.environ.get("CTCASR_CACHE"):
        return Path(given)
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return Path(base or Path.home() / ".cache") / "ctcasr"


def compile_program(texts: dict[str, str], target: str, *, cubin: bool) -> bytes:
    """Compile the first source with the others as headers; RuntimeError carries the compiler's log."""
    nvrtc = library()
    names, bodies = list(texts), list(texts.values())
    count = len(names) - 1
    headers = (ctypes.c_char_p * count)(*[body.encode() for body in bodies[1:]])
    includes = (ctypes.c_char_p * count)(*[name.encode() for name in names[1:]])
    options = [option.encode() for option in (*OPTIONS, f"--gpu-architecture={target}")]
    program = ctypes.c_void_p()
    _check(
        nvrtc.nvrtcCreateProgram(
            ctypes.byref(program), bodies[0].encode(), names[0].encode(), count, headers, includes
        ),
        "create",
    )
    try:
        code = nvrtc.nvrtcCompileProgram(
            program, len(options), (ctypes.c_char_p * len(options))(*options)
        )
        if code:
            log = _bytes(program, "nvrtcGetProgramLog").rstrip(b"\0").decode(errors="replace")
            raise RuntimeError(
                f"NVRTC {version()} did not compile the CTC kernels for {target}:\n{log}"
            )
        return _bytes(program, "nvrtcGetCUBIN" if cubin else "nvrtcGetPTX")
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _bytes(program: ctypes.c_void_p, name: str) -> bytes:
    size = ctypes.c_size_t()
    _check(getattr(library(), name + "Size")(program, ctypes.byref(size)), name)
    buffer = ctypes.create_string_buffer(size.value)
    _check(getattr(library(), name)(program, buffer), name)
    return buffer.raw


def _check(code: int, what: str) -> None:
    if code:
        raise RuntimeError(f"NVRTC failed with code {code} ({what})")
