"""Speech from eSpeak NG (GPL-3.0, the extra `synth`), loaded by ctypes when something is said.

eSpeak NG is one engine per process that keeps the phase of its pitch flutter and of its noise from
one utterance to the next, so its samples depend on everything said before. Here every utterance
loads the library afresh, seeds its noise and unloads it again (about 1 ms), under one lock: the
samples follow from the arguments alone, and nothing is carried over a fork. Where a system keeps
unloaded libraries in memory (musl; perhaps macOS), only those phases differ.
"""

from __future__ import annotations

import ctypes
import os
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ctcasr.data.speaker import ProcessLock

RATE_HZ = 22050  # what eSpeak NG's formant voices give

# Dialects that eSpeak NG knows.
ACCENTS = (
    "en-us",
    "en-us-nyc",
    "en",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
)
# Speakers: the variants that sound like persons. Left out: robots, whispers, echoes, hasty ones,
# those far from all others (mean log-mel spectrum; a test holds that every pair differs).
MALE = (
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "m8",
    "Andy",
    "Michael",
    "adam",
    "david",
    "edward",
    "john",
    "paul",
)
FEMALE = ("f1", "f2", "f3", "f4", "f5", "Annie", "belinda", "linda", "steph")

_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
# Numbers of speak_lib.h.
_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS
_UTF8 = 1  # espeakCHARS_UTF8
_POS_CHARACTER = 1  # POS_CHARACTER
_RATE = 1  # espeakRATE, and so on
_VOLUME = 2
_PITCH = 3
_PITCH_RANGE = 4
_FULL_SCALE = 32768.0
_SEED_MASK = 0x7FFFFFFF
_RANGES = {
    "rate_wpm": (80, 450),
    "pitch": (0, 99),
    "pitch_range": (0, 99),
    "volume": (1, 200),
}

_lock = ProcessLock()


def voices() -> list[str]:
    """All voices, every accent with every variant ("en-us+f3"); variant after variant."""
    return [f"{accent}+{variant}" for variant in MALE + FEMALE for accent in ACCENTS]


def speak(
    text: str,
    voice: str = "en-us",
    rate_wpm: int = 170,
    pitch: int = 50,
    *,
    pitch_range: int = 50,
    volume: int = 100,
    seed: int = 0,
) -> tuple[Tensor, int]:
    """Samples [N] float32 in [-1, 1] and their rate in Hz (22050), the same for the same arguments.

    Raises:
        ValueError: for an unknown voice, or a number out of its range.
        ImportError: without the extra `synth`.
    """
    numbers = {"rate_wpm": rate_wpm, "pitch": pitch, "pitch_range": pitch_range, "volume": volume}
    for name, number in numbers.items():
        least, most = _RANGES[name]
        if not least <= number <= most:
            raise ValueError(f"speak: {name}: expected {least} to {most}; got {number!r}")
    pieces = array("h")

    def collect(samples, count, _events) -> int:  # type: ignore[no-untyped-def]
        if samples and count > 0:
            pieces.frombytes(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _CALLBACK(collect)  # kept alive until the library is gone
    with _engine() as library:
        library.espeak_SetSynthCallback(callback)
        library.espeak_ng_SetRandSeed(ctypes.c_long(seed & _SEED_MASK))
        if library.espeak_SetVoiceByName(voice.encode()) or not _variant_exists(voice):
            raise ValueError(
                f"speak: eSpeak NG has no voice {voice!r}; voices() lists those of this package"
            )
        parameters = {_RATE: rate_wpm, _VOLUME: volume, _PITCH: pitch, _PITCH_RANGE: pitch_range}
        for parameter, number in parameters.items():
            library.espeak_SetParameter(parameter, number, 0)
        data = text.encode()
        failed = library.espeak_Synth(
            data, ctypes.c_size_t(len(data) + 1), 0, _POS_CHARACTER, 0, _UTF8, None, None
        )
    if failed:
        raise RuntimeError(f"speak: eSpeak NG could not say {text!r} (error {failed})")
    return torch.from_numpy(np.array(pieces, dtype=np.float32) / _FULL_SCALE), RATE_HZ


def version() -> str:
    """eSpeak NG's own version string."""
    with _engine() as library:
        library.espeak_Info.restype = ctypes.c_char_p
        return library.espeak_Info(None).decode()


@contextmanager
def _engine() -> Iterator[ctypes.CDLL]:
    """The library in its first state; nobody else's until the block ends."""
    path, data = _paths()
    with _lock:
        library = ctypes.CDLL(str(path))
        try:
            if library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data), 0) != RATE_HZ:
                raise RuntimeError(
                    f"eSpeak NG did not start with its data in {data}: "
                    "pip install --force-reinstall espeakng-loader"
                )
            try:
                yield library
            finally:
                library.espeak_Terminate()
        finally:
            _unload(library)


def _unload(library: ctypes.CDLL) -> None:
    import _ctypes  # ctypes has no public way to unload

    handle = library._handle
    if sys.platform == "win32":
        _ctypes.FreeLibrary(handle)
    else:
        _ctypes.dlclose(handle)


@cache
def _paths() -> tuple[Path, Path]:
    try:
        import espeakng_loader
    except ImportError as error:
        raise ImportError(
            "Synthetic speech needs eSpeak NG (GPL-3.0): pip install 'ctcasr[synth]'"
        ) from error
    return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())


def _variant_exists(voice: str) -> bool:
    """eSpeak NG takes an unknown variant in silence and speaks with the plain voice."""
    _, _, variant = voice.partition("+")
    return not variant or (_paths()[1] / "voices" / "!v" / variant).is_file()
