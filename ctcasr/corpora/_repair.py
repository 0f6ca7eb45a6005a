"""What real collections of sounds contain, and what is done about it.

Looks into each file, mends what can be mended, reports.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare
from ctcasr.data import AudioError, audio_info, read_audio
from ctcasr.data.audio import AudioInfo
from ctcasr.data.labels import digest
from ctcasr.data.names import is_unicode

HEAD_BYTES = 16  # that tell a kind of file
USUAL_RATES_HZ = (16000, 22050, 44100, 48000)
WHOLE_SHARE = 0.9  # of the promised length that a converted file must have
DURATION_DIGITS = 4


class Kind(NamedTuple):
    """How files of a kind begin, `offset` bytes from the start, and the suffixes they go by."""

    offset: int
    starts: tuple[bytes, ...]
    suffixes: tuple[str, ...]


KINDS = {
    "WAV": Kind(0, (b"RIFF", b"RF64", b"RIFX"), (".wav", ".wave")),
    "FLAC": Kind(0, (b"fLaC",), (".flac",)),
    "OGG": Kind(0, (b"OggS",), (".ogg", ".oga", ".opus")),
    "AIFF": Kind(0, (b"FORM",), (".aif", ".aiff", ".aifc")),
    "MP3": Kind(0, (b"ID3", b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2"), (".mp3",)),
    "MP4": Kind(4, (b"ftyp",), (".m4a", ".mp4", ".aac")),
    "AAC": Kind(0, (b"\xff\xf1", b"\xff\xf9"), (".aac",)),
    "Matroska": Kind(0, (b"\x1aE\xdf\xa3",), (".mkv", ".webm", ".mka")),
    "ASF": Kind(0, (b"0&\xb2u",), (".wma", ".asf")),
    "CAF": Kind(0, (b"caff",), (".caf",)),
    "AMR": Kind(0, (b"#!AMR",), (".amr",)),
}
LIBSNDFILE = ("WAV", "FLAC", "OGG", "AIFF", "MP3")
SUFFIXES = {suffix for kind in KINDS.values() for suffix in kind.suffixes}


def sniff(path: Path) -> str | None:
    """The kind of sound file by its first bytes; None: none that is known."""
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    for name, kind in KINDS.items():
        if head[kind.offset :].startswith(kind.starts):
            return name
    return None


class Finding(NamedTuple):
    """What was done with a file."""

    file: str
    action: str
    details: str


@dataclass
class Report:
    """What was done with which file."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, path: Path | str, action: str, details: str = "") -> None:
        """One line."""
        self.findings.append(Finding(str(path), action, details))

    @property
    def counts(self) -> Counter[str]:
        """Lines by what was done."""
        return Counter(finding.action for finding in self.findings)

    def summary(self) -> list[str]:
        """A line for each thing that was done, with its count."""
        return [f"  {count:6d}  {action}" for action, count in sorted(self.counts.items())]

    def write(self, path: Path) -> None:
        """The lines as a table (tab separated); FileExistsError rather than overwriting one."""
        # A name in an old encoding is written with its bytes as numbers.
        with open(path, "x", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write("file\twhat\tdetails\n")
            for finding in self.findings:
                # A name may hold anything, a tab too.
                cells = [cell.replace("\t", " ").replace("\n", " ") for cell in finding]
                file.write("\t".join(cells) + "\n")


def repair(
    utterances: Iterable[Utterance],
    mended: Path,
    report: Report,
    clip_s: float | None = None,
    keep_doubles: bool = False,
) -> list[Utterance]:
    """The utterances that can be used, with their durations.

    Copies that had to be converted lie in `mended` as FLAC. Of clips with the same sound the first
    is used (none, if their labels differ), or all where `keep_doubles`. Lines hear no more than
    `clip_s` seconds. Stereo and other sample rates are used as they are (the library takes the
    mean, and resamples); they are told all the same.
    """
    doubles = _Doubles(report, keep_doubles)
    usable: list[tuple[bytes | None, Utterance]] = []
    for utterance in utterances:
        mended_utterance = _usable(utterance, mended, report)
        if mended_utterance is None:
            continue
        sound = digest(mended_utterance)
        if sound is None:
            report.add(utterance.audio_filepath, "silent", "used all the same")
        elif doubles.leaves_out(sound, utterance, mended_utterance):
            continue
        usable.append((sound, _cut(mended_utterance, utterance.audio_filepath, clip_s, report)))
    return [utterance for sound, utterance in usable if sound not in doubles.under_two_labels]


class _Doubles:
    """Clips with the same sound."""

    def __init__(self, report: Report, keep: bool) -> None:
        self.report = report
        self.keep = keep
        self.first_of: dict[bytes, Utterance] = {}
        self.under_two_labels: set[bytes | None] = set()

    def leaves_out(self, sound: bytes, utterance: Utterance, mended: Utterance) -> bool:
        """Whether a clip's sound was there before, and is not wanted twice."""
        first = self.first_of.setdefault(sound, mended)
        if first is mended:
            return False
        action = "double" if self.keep else "left out: double"
        same = f"the sound of {first.audio_filepath} ({first.label})"
        self.report.add(utterance.audio_filepath, action, same)
        if self.keep:
            return False
        if first.label != utterance.label and sound not in self.under_two_labels:
            self.under_two_labels.add(sound)
            same = f"the sound of {utterance.audio_filepath} ({utterance.label})"
            self.report.add(first.audio_filepath, "left out: two labels", same)
        return True


def _cut(utterance: Utterance, path: Path, clip_s: float | None, report: Report) -> Utterance:
    duration_s = utterance.duration or 0.0
    if clip_s is None or duration_s <= clip_s:
        return utterance
    report.add(path, "cut", f"{duration_s:.2f} s to its first {clip_s:g} s")
    return replace(utterance, duration=clip_s)


def _usable(utterance: Utterance, mended: Path, report: Report) -> Utterance | None:
    """The utterance with its duration, converted where that was necessary; None for no sound."""
    path = utterance.audio_filepath
    if not is_unicode(path):
        report.add(path, "left out: name", _prepare.NO_UNICODE)
        return None
    if not path.is_file():
        report.add(path, "left out: missing")
        return None
    if path.stat().st_size == 0:
        report.add(path, "left out: empty")
        return None
    kind = sniff(path)
    suffix = path.suffix.lower()
    if kind is None and suffix not in SUFFIXES:
        reason = "neither its name nor its first bytes are those of a sound file"
        report.add(path, "left out: no audio", reason)
        return None
    if kind is not None and suffix not in KINDS[kind].suffixes:
        report.add(path, "wrong extension", f"it is {kind}; used by its content")
    opened = _open(utterance, kind, mended, report)
    if opened is None:
        return None
    readable, info = opened
    if info.channels > 1:
        report.add(path, "channels", f"{info.channels}; the library takes their mean")
    if info.rate_hz not in USUAL_RATES_HZ:
        report.add(path, "odd rate", f"{info.rate_hz} Hz; the library resamples")
    duration_s = info.duration_s - utterance.offset
    if utterance.duration is not None:
        duration_s = min(duration_s, utterance.duration)
    return replace(readable, duration=round(duration_s, DURATION_DIGITS))


def _open(
    utterance: Utterance, kind: str | None, mended: Path, report: Report
) -> tuple[Utterance, AudioInfo] | None:
    """An utterance whose file can be decoded, and what its header says; None where none can."""
    path = utterance.audio_filepath
    info = None
    try:
        info = audio_info(path)
        read_audio(utterance, info.rate_hz)  # truncated files show only when they are decoded
        return utterance, info
    except AudioError as error:
        reason = str(error).removeprefix(f"{path}: ")
    # Half of a recording is not a recording: what opens and then ends too early is not mended.
    converted = None
    if kind is not None and info is None:
        converted = _converted(path, kind, mended)
    if converted is None:
        if kind is not None and kind not in LIBSNDFILE and not find_spec("av"):
            reason += f"; {kind} wants PyAV: pip install 'ctcasr[video]'"
        report.add(path, "left out: unreadable", reason)
        return None
    report.add(path, "converted", f"{kind} to {converted}")
    return replace(utterance, audio_filepath=converted), audio_info(converted)


def _converted(path: Path, kind: str, mended: Path) -> Path | None:
    """A FLAC copy made by PyAV, where that is installed and reads the file without an error.

    An existing file is never written over: folders at several places may have one name.
    """
    decoded = _decoded(path, kind)
    if decoded is None:
        return None
    samples, rate_hz = decoded
    folder = mended / path.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{path.name}.flac"
    number = 1
    while target.exists():
        number += 1
        target = folder / f"{path.name}.{number}.flac"
    soundfile.write(target, samples, rate_hz, format="FLAC")
    with contextlib.suppress(AudioError):
        audio_info(target)
        return target
    target.unlink()
    return None


def _decoded(path: Path, kind: str) -> tuple[NDArray[np.float32], int] | None:
    """Samples [N] and their rate by PyAV; None where it is not there, or the file is damaged."""
    try:
        import av
    except ImportError:
        return None
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return None
            stream = container.streams.audio[0]
            if kind in LIBSNDFILE and stream.codec_context.name.startswith("pcm_"):
                return None  # plain samples that libsndfile refuses are damaged
            frames = _float_frames(container, stream)
            rate_hz = stream.rate
            promised_s = (container.duration or 0) / av.time_base
    except (av.FFmpegError, ValueError):  # damaged, or a codec that nobody knows
        return None
    if not frames:
        return None
    # The mean by hand: FFmpeg's own mix of two channels is louder than either.
    samples = np.concatenate([frame.to_ndarray().mean(0) for frame in frames])
    if not len(samples) or len(samples) / rate_hz < WHOLE_SHARE * promised_s:
        return None
    return samples, rate_hz


def _float_frames(container: Any, stream: Any) -> list[Any]:
    """All frames of a stream, as floats in planes."""
    import av

    as_floats = av.AudioResampler(format="fltp")
    frames: list[Any] = []
    for frame in container.decode(stream):
        frames.extend(as_floats.resample(frame))
    frames.extend(as_floats.resample(None))
    return frames
