"""WAV files by their chunks: what is true of their header, and plain ones without a decoder.

Headers that were written before the end was known (to a pipe) hold sizes that cannot be true;
such a file is read to its end. Everybody who opens a WAV file asks here first, so that all see
the same file. RIFF: Microsoft and IBM, Multimedia Programming Interface 1.0; RF64: EBU Tech 3306.
"""

from __future__ import annotations

import io
import stat
import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from ctcasr.data.samples import LEAST_RATE_HZ, MOST_RATE_HZ

TOLERANCE_S = 0.1  # so much of the end may be missing, or lie behind it
_PCM = 1
_EXTENSIBLE = 0xFFFE  # a format code that says: see the real one further behind
_IN_DS64 = 0xFFFFFFFF  # a 32-bit size that says: see the 64-bit one in ds64 (RF64)
_STEP = np.float32(1 / 32768)
_MAX_CHUNKS = 64  # a file with more before its samples is left to libsndfile
_LONGEST_FMT = 40  # bytes of a fmt chunk that are read
_OPEN_SIZES = (1 << 31, 1 << 32)  # what writers to a pipe put down, less a header or a page
_LARGEST_SIZE = 0xFFFFFFFF
_OPEN_SPAN = 5000  # bytes below (and, for the first, above) one of them
_MOST_PADDING = 1 << 16  # zeros behind the samples that fill a block of some disk or tape


@dataclass(frozen=True)
class WaveLayout:
    """Where the samples of a WAV file lie, and what is wrong with it."""

    rate_hz: int
    bytes_a_second: int
    block: int  # bytes of one sample of all channels
    plain: bool  # one channel of 16-bit integers
    first_byte: int = 0
    promised_bytes: int = 0  # of samples, as the header says
    data_bytes: int = 0  # that are there and belong to the samples
    problem: str = ""

    def corrected(self, content: bytes) -> bytes:
        """The file's content with the true size in the header, for decoders that believe it."""
        corrected = bytearray(content)
        true_size = min(self.data_bytes, _LARGEST_SIZE)
        struct.pack_into("<I", corrected, self.first_byte - 4, true_size)
        return bytes(corrected)


@dataclass(frozen=True)
class PlainWave:
    """Where the samples of a WAV or RF64 file of 16-bit mono lie."""

    path: Path
    rate_hz: int
    frames: int
    first_byte: int

    def read(self, first: int, count: int) -> Tensor:
        """Samples [count] float32 from `first` on, as libsndfile gives them to the bit.

        Fewer where the file ends before.
        """
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.first_byte + 2 * first)
            content = file.read(2 * count)
        whole = len(content) - len(content) % 2
        numbers = np.frombuffer(content[:whole], dtype="<i2")
        return torch.from_numpy(np.multiply(numbers, _STEP, dtype=np.float32))


def plain_wave(path: Path) -> PlainWave | None:
    """The file as a PlainWave; None where it is of another kind, or its header cannot be true."""
    layout = wave_layout(path)
    if layout is None or not layout.plain or layout.problem or layout.data_bytes < layout.block:
        return None
    if not LEAST_RATE_HZ <= layout.rate_hz <= MOST_RATE_HZ:
        return None
    frames = layout.data_bytes // layout.block
    return PlainWave(path, layout.rate_hz, frames, layout.first_byte)


def wave_layout(source: Path | bytes) -> WaveLayout | None:
    """The layout of a WAV file, or of one's content; None for what is no WAV file."""
    if isinstance(source, bytes):
        return _layout(io.BytesIO(source), len(source))
    try:
        status = source.stat()
    except (OSError, ValueError):  # a path with a zero byte is no path
        return None
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for who writes to it
        return None
    return _layout_of_file(source, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _layout_of_file(path: Path, size: int, _changed_ns: int) -> WaveLayout | None:
    try:
        with open(path, "rb") as file:
            return _layout(file, size)
    except OSError:
        return None


def _layout(file: BinaryIO, size: int) -> WaveLayout | None:
    try:
        kind, _, form = struct.unpack("<4sI4s", file.read(12))
        if kind not in (b"RIFF", b"RF64") or form != b"WAVE":
            return None
        return _walk(file, size)
    except struct.error:
        return None


def _walk(file: BinaryIO, size: int) -> WaveLayout | None:
    """The chunks up to the samples; None where there is no format or no sample chunk."""
    layout: WaveLayout | None = None
    long_size: int | None = None
    for _ in range(_MAX_CHUNKS):
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            if layout is None:
                return None
            if length == _IN_DS64 and long_size is not None:
                length = long_size
            return _measured(layout, file, length, size)
        body = file.read(min(length, _LONGEST_FMT))
        if name == b"fmt ":
            layout = _format(body)
        elif name == b"ds64":
            (long_size,) = struct.unpack_from("<Q", body, 8)
        file.seek(length - len(body) + length % 2, io.SEEK_CUR)
    return None


def _format(body: bytes) -> WaveLayout | None:
    """What a fmt chunk says; None for one that no sound has."""
    code, channels, rate_hz, bytes_a_second, block, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE and len(body) >= 26:
        (code,) = struct.unpack_from("<H", body, 24)
    if not (channels and rate_hz and block):
        return None
    plain = (code, channels, block, bits) == (_PCM, 1, 2, 16)
    return WaveLayout(rate_hz, bytes_a_second or rate_hz * block, block, plain)


def _measured(layout: WaveLayout, file: BinaryIO, promised: int, size: int) -> WaveLayout:
    """The layout with the samples that are there, and with the problem where they are others."""
    first_byte = file.tell()
    there = size - first_byte
    tolerance = TOLERANCE_S * layout.bytes_a_second
    layout = replace(
        layout,
        first_byte=first_byte,
        promised_bytes=promised,
        data_bytes=min(promised, there),
    )
    if promised > there and _left_open(promised):
        return _to_the_end(layout, file, there)
    if promised - there >= tolerance:
        return replace(
            layout,
            problem=f"expected {promised} bytes of samples, as its header says; got {there}; "
            "the file is truncated",
        )
    if promised >= there:
        return layout
    behind = _behind(file, first_byte + promised + promised % 2, size)
    if promised == 0 and not behind.chunks:
        return _to_the_end(layout, file, there)
    if behind.another_file:
        return replace(layout, problem=_ANOTHER_FILE)
    if behind.unknown >= tolerance and not behind.padding:
        return replace(
            layout,
            problem=f"expected {promised} bytes of samples, as its header says; {behind.unknown} "
            "more bytes lie behind them that are no chunk; write the file again",
        )
    return layout


_ANOTHER_FILE = "expected one sound; another WAV file lies behind the first; part the two"


def _to_the_end(layout: WaveLayout, file: BinaryIO, there: int) -> WaveLayout:
    """All bytes there are, of a header whose size was never filled in."""
    file.seek(layout.first_byte)
    content = file.read(there)
    start = content.find(b"WAVEfmt ")
    if start >= 8 and content[start - 8 : start - 4] in (b"RIFF", b"RF64"):
        return replace(layout, problem=_ANOTHER_FILE)
    return replace(layout, data_bytes=there)


def _left_open(promised: int) -> bool:
    """Is it one of the sizes that writers put down before they know?"""
    return any(abs(promised - size) <= _OPEN_SPAN for size in _OPEN_SIZES)


@dataclass(frozen=True)
class _Behind:
    """What lies behind the samples."""

    chunks: int  # of the kind that belongs there
    unknown: int  # bytes behind the last of them
    padding: bool  # those are zeros, and few
    another_file: bool


def _behind(file: BinaryIO, first: int, size: int) -> _Behind:
    chunks = 0
    file.seek(first)
    header = file.read(8)
    while len(header) == 8:
        name, length = struct.unpack("<4sI", header)
        if name in (b"RIFF", b"RF64"):
            return _Behind(chunks, 0, False, True)
        end = first + 8 + length
        if not _is_name(name) or end > size:
            break
        chunks += 1
        first = end + length % 2
        file.seek(first)
        header = file.read(8)
    unknown = max(0, size - first)
    padding = False
    if 0 < unknown <= _MOST_PADDING:
        file.seek(first)
        padding = not any(file.read(unknown))
    return _Behind(chunks, unknown, padding, False)


def _is_name(name: bytes) -> bool:
    """Four printable ASCII characters, as chunks are named."""
    return all(32 <= char < 127 for char in name)
