"""What real collections of sounds contain, and what is done about it: look into each file, mend what can be mended, report."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

from ctcasr.batch import Utterance
from ctcasr.data import AudioError, audio_info, read_audio
from ctcasr.data.labels import digest

# How files of each kind begin: (offset, bytes) and the suffixes they go by.
_KINDS: dict[str, tuple[int, tuple[bytes, ...], tuple[str, ...]]] = {
    "WAV": (0, (b"RIFF", b"RF64", b"RIFX"), (".wav", ".wave")),
    "FLAC": (0, (b"fLaC",), (".flac",)),
    "OGG": (0, (b"OggS",), (".ogg", ".oga", ".opus")),
    "AIFF": (0, (b"FORM",), (".aif", ".aiff", ".aifc")),
    "MP3": (0, (b"ID3", b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2"), (".mp3",)),
    "MP4": (4, (b"ftyp",), (".m4a", ".mp4", ".aac")),
    "AAC": (0, (b"\xff\xf1", b"\xff\xf9"), (".aac",)),
    "Matroska": (0, (b"\x1aE\xdf\xa3",), (".mkv", ".webm", ".mka")),
    "ASF": (0, (b"0&\xb2u",), (".wma", ".asf")),
    "CAF": (0, (b"caff",), (".caf",)),
    "AMR": (0, (b"#!AMR",), (".amr",)),
}
_LIBSNDFILE = ("WAV", "FLAC", "OGG", "AIFF", "MP3")
_SUFFIXES = {suffix for _, _, suffixes in _KINDS.values() for suffix in suffixes}


def sniff(path: Path) -> str | None:
    """The kind of sound file by its first bytes; None: none that is known."""
    with open(path, "rb") as file:
        head = file.read(16)
    return next(
        (kind for kind, (at, starts, _) in _KINDS.items() if head[at:].startswith(starts)), None
    )


@dataclass
class Report:
    """What was done with which file."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)  # file, what, details

    def add(self, path: Path | str, what: str, details: str = "") -> None:
        """One line."""
        self.rows.append((str(path), what, details))

    @property
    def counts(self) -> Counter[str]:
        """Lines by what was done."""
        return Counter(what for _, what, _ in self.rows)

    def write(self, path: Path) -> None:
        """The lines as a table (tab separated); FileExistsError rather than overwriting one."""
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write("file\twhat\tdetails\n")
            # A name may hold anything, a tab too.
            file.writelines(
                "\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row) + "\n"
                for row in self.rows
            )


def repair(
    utterances: Iterable[Utterance],
    mended: Path,
    report: Report,
    clip_s: float | None = None,
    keep_doubles: bool = False,
) -> list[Utterance]:
    """The utterances that can be used, with their durations; copies that had to be converted lie in `mended` as FLAC.

    Of clips with the same sound the first is used (none, if their labels differ), or all where `keep_doubles`.
    Stereo and other sample rates are used as they are (the library takes the mean, and resamples); they are told all the same.
    """
    good: list[tuple[bytes | None, Utterance]] = []
    seen: dict[bytes, Utterance] = {}
    torn: set[bytes] = set()  # sounds that stand under two labels
    for utterance in utterances:
        usable = _usable(utterance, mended, report)
        if usable is None:
            continue
        sound = digest(usable)
        if sound is None:
            report.add(utterance.audio_filepath, "silent", "used all the same")
        elif sound in seen:
            other = seen[sound]
            report.add(
                utterance.audio_filepath,
                "double" if keep_doubles else "left out: double",
                f"the sound of {other.audio_filepath} ({other.label})",
            )
            if not keep_doubles:
                if other.label != utterance.label and sound not in torn:
                    torn.add(sound)
                    report.add(
                        other.audio_filepath,
                        "left out: two labels",
                        f"the sound of {utterance.audio_filepath} ({utterance.label})",
                    )
                continue
        else:
            seen[sound] = usable
        if clip_s is not None and (usable.duration or 0.0) > clip_s:
            report.add(
                utterance.audio_filepath,
                "cut",
                f"{usable.duration:.2f} s to its first {clip_s:g} s",
            )
            usable = replace(usable, duration=clip_s)
        good.append((sound, usable))
    return [usable for sound, usable in good if sound is None or sound not in torn]


def _usable(utterance: Utterance, mended: Path, report: Report) -> Utterance | None:
    path = utterance.audio_filepath
    if not path.is_file() or path.stat().st_size == 0:
        report.add(path, "left out: empty" if path.is_file() else "left out: missing")
        return None
    kind = sniff(path)
    if kind is None and path.suffix.lower() not in _SUFFIXES:
        report.add(
            path,
            "left out: no audio",
            "neither its name nor its first bytes are those of a sound file",
        )
        return None
    if kind is not None and path.suffix.lower() not in _KINDS[kind][2]:
        report.add(path, "wrong extension", f"it is {kind}; used by its content")
    info = None
    try:
        info = audio_info(path)
        read_audio(utterance, info.rate_hz)  # truncated files show only when they are decoded
    except AudioError as error:
        # Half of a recording is not a recording: what opens and then ends too early is not mended.
        converted = _converted(path, kind, mended) if kind is not None and info is None else None
        if converted is None:
            hint = (
                ""
                if kind in (None, *_LIBSNDFILE) or find_spec("av")
                else f"; {kind} wants PyAV: pip install 'ctcasr[video]'"
            )
            report.add(path, "left out: unreadable", str(error).removeprefix(f"{path}: ") + hint)
            return None
        report.add(path, "converted", f"{kind} to {converted}")
        utterance, info = replace(utterance, audio_filepath=converted), audio_info(converted)
    if info.channels > 1:
        report.add(path, "channels", f"{info.channels}; the library takes their mean")
    if info.rate_hz not in (16000, 22050, 44100, 48000):
        report.add(path, "odd rate", f"{info.rate_hz} Hz; the library resamples")
    left_s = info.duration_s - utterance.offset
    return replace(
        utterance,
        duration=round(
            min(left_s, left_s if utterance.duration is None else utterance.duration), 4
        ),
    )


def _converted(path: Path, kind: str, mended: Path) -> Path | None:
    """A FLAC copy made by PyAV, where that is installed and reads the file without an error; an existing file is never written over."""
    target = mended / path.parent.name / f"{path.name}.flac"
    try:
        import av
    except ImportError:
        return None
    if target.exists():
        return None
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return None
            stream = container.streams.audio[0]
            if kind in _LIBSNDFILE and stream.codec_context.name.startswith("pcm_"):
                return None  # plain samples that libsndfile refuses are damaged
            floats = av.AudioResampler(format="fltp")
            frames = [
                part for frame in container.decode(stream) for part in floats.resample(frame)
            ] + floats.resample(None)
            rate_hz, promised_s = stream.rate, (container.duration or 0) / av.time_base
    except (av.FFmpegError, ValueError):  # damaged, or a codec that nobody knows
        return None
    # The mean by hand: FFmpeg's own mix of two channels is louder than either.
    samples = (
        np.concatenate([frame.to_ndarray().mean(0) for frame in frames])
        if frames
        else np.zeros(0, np.float32)
    )
    if not len(samples) or len(samples) / rate_hz < 0.9 * promised_s:
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(target, samples, rate_hz, format="FLAC")
    with contextlib.suppress(AudioError):
        audio_info(target)
        return target
    target.unlink()
    return None
