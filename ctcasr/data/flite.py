"""Speech from CMU Flite (Black and Lenzo 2001), where the program `flite` is installed.

Its three voices were made from recordings of people, a Scot and two Americans, so they are nearer
to real speech than formants are, and few. Pitch stands for the size of the speaker here: samples
are played faster or slower, and the text is said so much slower or faster.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from ctcasr.data.speaker import MIDDLE_PITCH, as_another_speaker, in_english_letters

RATE_HZ = 16000
USUAL_WPM = 170
_VOICES = ("awb", "rms", "slt")
_SIZE_A_PITCH = 0.004  # share of speed for each step of pitch: 35 to 65 are 6 % either way


def voices() -> list[str]:
    """Its voices."""
    return list(_VOICES)


def speak(
    text: str,
    voice: str = "slt",
    rate_wpm: int = USUAL_WPM,
    pitch: int = MIDDLE_PITCH,
    *,
    pitch_range: int = 50,
    seed: int = 0,
) -> tuple[Tensor, int]:
    """Samples [N] float32 in [-1, 1] and their rate in Hz, the same for the same arguments.

    The range of pitch and the seed change nothing.

    Raises:
        ValueError: for an unknown voice.
        ImportError: where there is no program `flite`.
        RuntimeError: where it fails.
    """
    if voice not in _VOICES:
        raise ValueError(f"speak: Flite has no voice {voice!r}; it has {', '.join(_VOICES)}")
    program = shutil.which("flite")
    if program is None:
        raise ImportError("the program flite says this: apt-get install flite, or its like")
    size = 1 + _SIZE_A_PITCH * (pitch - MIDDLE_PITCH)
    stretch = USUAL_WPM / rate_wpm * size
    said = in_english_letters(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        options = ["-voice", voice, "--setf", f"duration_stretch={stretch:.4f}"]
        call = [program, *options, "-t", said, "-o", str(path)]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode or not path.is_file():
            raise RuntimeError(f"speak: Flite could not say {text!r}: {done.stderr.strip()}")
        samples, rate_hz = soundfile.read(path, dtype="float32")
    return as_another_speaker(torch.from_numpy(samples), rate_hz, size), rate_hz
