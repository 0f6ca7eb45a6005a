"""Plain WAV files by their chunks: one channel of 16 bits, of which any part is read without touching the rest."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_PCM, _EXTENSIBLE = 1, 0xFFFE
_IN_DS64 = 0xFFFFFFFF  # a 32-bit size that says: see the 64-bit one in ds64 (RF64, EBU Tech 3306)
_STEP = np.float32(1 / 32768)
_MAX_CHUNKS = 64  # a file with more before its samples is left to libsndfile


@dataclass(frozen=True)
class PlainWave:
    """Where the samples of a WAV or RF64 file of 16-bit mono lie."""

    path: Path
    rate_hz: int
    frames: int
    first_byte: int

    def read(self, first: int, count: int) -> Tensor:
        """Samples [count] float32 from `first` on, as libsndfile gives them to the bit; fewer where the file ends before."""
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.first_byte + 2 * first)
            part = np.frombuffer(file.read(2 * count), dtype="<i2")
        return torch.from_numpy(np.multiply(part, _STEP, dtype=np.float32))


def plain_wave(path: Path) -> PlainWave | None:
    """The file as a PlainWave; None where it is another kind of file, or does not hold what its header says."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return _header(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=1024)
def _header(path: Path, size: int, _changed_ns: int) -> PlainWave | None:
    try:
        with open(path, "rb") as file:
            kind, _, form = struct.unpack("<4sI4s", file.read(12))
            if kind not in (b"RIFF", b"RF64") or form != b"WAVE":
                return None
            rate_hz, long_size = 0, None
            for _ in range(_MAX_CHUNKS):
                name, length = struct.unpack("<4sI", file.read(8))
                if name == b"data":
                    length = long_size if length == _IN_DS64 and long_size is not None else length
                    at = file.tell()
                    whole = (
                        0 < length <= size - at and length % 2 == 0
                    )  # if not, libsndfile's road tells of it
                    return PlainWave(path, rate_hz, length // 2, at) if rate_hz and whole else None
                body = file.read(min(length, 40))
                if name == b"fmt ":
                    rate_hz = _rate_of_mono_16_bit(body)
                elif name == b"ds64":
                    long_size = struct.unpack_from("<Q", body, 8)[0]
                file.seek(length - len(body) + length % 2, 1)
    except (OSError, struct.error):
        return None
    return None


def _rate_of_mono_16_bit(fmt: bytes) -> int:
    """The rate in Hz that a fmt chunk names; 0 where it is not 16-bit mono."""
    code, channels, rate_hz, _, block, bits = struct.unpack_from("<HHIIHH", fmt)
    if code == _EXTENSIBLE and len(fmt) >= 26:
        code = struct.unpack_from("<H", fmt, 24)[0]
    return rate_hz if (code, channels, block, bits) == (_PCM, 1, 2, 16) else 0
