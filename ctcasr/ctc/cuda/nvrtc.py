"""Find NVRTC, compile the kernels, and keep the machine code on disk."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path

from ctcasr.ctc.errors import KernelError
from ctcasr.kernels.atomic import replacing

SOURCES = (
    "kernels.cu",
    "finish.cuh",
    "sweeps.cuh",
    "tiles.cuh",
    "chains.cuh",
    "frames.cuh",
    "batch.cuh",
    "lattice.cuh",
    "lanes.cuh",
)
_KEY_LETTERS = 32  # of the checksum in the name of a cached file
_CACHE_FORMAT = 2  # a checksum of the code comes before it
# Products are fused where the source says so: the same bits on the host.
OPTIONS = ("--std=c++17", "--fmad=false")


class CudaUnavailable(ImportError):
    """The CUDA kernels cannot be compiled or loaded here; says what is missing and what to do."""


def sources() -> dict[str, str]:
    """The kernel sources by file name, the translation unit first."""
    folder = resources.files("ctcasr.ctc.cuda")
    return {name: folder.joinpath(name).read_text(encoding="utf-8") for name in SOURCES}


@cache
def library() -> ctypes.CDLL:
    """NVRTC: what cuda-pathfinder finds, else the one beside torch.

    Raises:
        CudaUnavailable: there is none.
    """
    failures = []
    for path in _candidates():
        try:
            return ctypes.CDLL(path)
        except OSError as error:
            failures.append(f"{path}: {error}")
    tried = f" ({'; '.join(failures)})" if failures else ""
    raise CudaUnavailable(
        f"the CUDA kernel of the CTC loss needs NVRTC (libnvrtc), which was not found{tried}: "
        f"install a CUDA build of torch, or the package nvidia-cuda-nvrtc of its CUDA version, "
        f"or use backend='torch'"
    )


def _candidates() -> list[str]:
    """Paths and names under which NVRTC may lie, the likeliest first."""
    paths = _from_pathfinder()
    pattern = "nvrtc64_*.dll" if sys.platform == "win32" else "libnvrtc.so*"
    for entry in dict.fromkeys(sys.path):
        for folder in ("nvidia/*/lib", "nvidia/*/bin", "torch/lib"):
            beside = sorted(Path(entry or ".").glob(f"{folder}/{pattern}"))
            paths += [str(path) for path in beside if ".alt" not in path.name]
    if sys.platform != "win32":
        paths.append("libnvrtc.so")
    return paths


def _from_pathfinder() -> list[str]:
    """What cuda-pathfinder finds, which comes with torch's CUDA wheels on Linux."""
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        path = load_nvidia_dynamic_lib("nvrtc").abs_path
    except Exception:  # absent, or an error type of its own if it finds nothing
        return []
    return [path] if path else []


def version() -> tuple[int, int]:
    """(major, minor) of NVRTC."""
    major = ctypes.c_int()
    minor = ctypes.c_int()
    _check(library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)), "version")
    return major.value, minor.value


def architectures() -> tuple[int, ...]:
    """What this NVRTC compiles for, ascending: 80 is compute capability 8.0."""
    count = ctypes.c_int()
    _check(library().nvrtcGetNumSupportedArchs(ctypes.byref(count)), "architectures")
    values = (ctypes.c_int * count.value)()
    _check(library().nvrtcGetSupportedArchs(values), "architectures")
    return tuple(values)


def binary(capability: int, defines: tuple[str, ...] = (), *, folder: Path | None = None) -> bytes:
    """Machine code for a compute capability (90 is 9.0), cached on disk.

    `defines` are macros of the sources, as "NAME" or "NAME=VALUE". A device newer than NVRTC gets
    PTX of the newest architecture, which the driver compiles. A cache that is damaged, or cannot
    be had, costs a compilation.

    Raises:
        CudaUnavailable: NVRTC no longer knows so old a device.
        KernelError: the sources do not compile.
    """
    known = [architecture for architecture in architectures() if architecture <= capability]
    if not known:
        raise CudaUnavailable(
            f"NVRTC {version()} has dropped compute capability {capability / 10:.1f}; it knows "
            f"{architectures()}: use backend='torch'"
        )
    exact = known[-1] == capability
    target = f"sm_{capability}" if exact else f"compute_{known[-1]}"
    texts = sources()
    folder = folder or cache_folder()
    if folder is None:
        return compile_program(texts, target, defines, cubin=exact)
    content = repr((_CACHE_FORMAT, texts, OPTIONS, defines, target, version()))
    key = hashlib.sha256(content.encode()).hexdigest()[:_KEY_LETTERS]
    path = folder / f"ctc-{target}-{key}"
    code = _read_cached(path)
    if code is None:
        code = compile_program(texts, target, defines, cubin=exact)
        _write_cached(path, code)
    return code


def _read_cached(path: Path) -> bytes | None:
    """The code in a file of the cache; None where there is none, or a damaged one, which goes."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    checksum = content[: hashlib.sha256().digest_size]
    code = content[len(checksum) :]
    if code and hashlib.sha256(code).digest() == checksum:
        return code
    with suppress(OSError):
        path.unlink()
    return None


def _write_cached(path: Path, code: bytes) -> None:
    """Keep code for the next process, which else compiles it anew."""
    with suppress(OSError), replacing(path, durable=False, shared=True) as part:
        part.write_bytes(hashlib.sha256(code).digest() + code)


def cache_folder() -> Path | None:
    """$CTCASR_CACHE, else the user's cache folder; None for a user without a home."""
    named = os.environ.get("CTCASR_CACHE")
    if named:
        return Path(named)
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    base = os.environ.get(variable)
    try:
        return Path(base or Path.home() / ".cache") / "ctcasr"
    except RuntimeError:  # pathlib: "Could not determine home directory."
        return None


def compile_program(
    texts: dict[str, str], target: str, defines: tuple[str, ...] = (), *, cubin: bool
) -> bytes:
    """Compile the first source with the others as headers.

    Raises:
        KernelError: carries the compiler's log.
    """
    nvrtc = library()
    (name, body), *headers = [(name.encode(), body.encode()) for name, body in texts.items()]
    strings = ctypes.c_char_p * len(headers)
    program = ctypes.c_void_p()
    code = nvrtc.nvrtcCreateProgram(
        ctypes.byref(program),
        body,
        name,
        len(headers),
        strings(*[header_body for _, header_body in headers]),
        strings(*[header_name for header_name, _ in headers]),
    )
    _check(code, "create")
    macros = [f"-D{macro}" for macro in defines]
    words = [*OPTIONS, *macros, f"--gpu-architecture={target}"]
    options = [word.encode() for word in words]
    try:
        arguments = (ctypes.c_char_p * len(options))(*options)
        code = nvrtc.nvrtcCompileProgram(program, len(options), arguments)
        if code:
            log = _bytes(program, "nvrtcGetProgramLog").rstrip(b"\0").decode(errors="replace")
            raise KernelError(
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
        raise KernelError(f"NVRTC failed with code {code} ({what})")
