"""Noisy files in, enhanced files out, signed by who enhanced them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import soundfile
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError, audio_info, read_audio
from ctcasr.data.audio import SOUND_SUFFIXES
from ctcasr.data.sidecar import ENHANCED_BY, enhanced_by, sign
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.video import VideoReader

VIDEO_SUFFIXES = (".mp4", ".mpg", ".avi", ".mov", ".mkv")
_WRITTEN = (".wav", ".flac")  # what is written without loss
_FLAC_PEAK = 0.999  # the loudest sample of a FLAC file, which holds no floats


@dataclass(frozen=True)
class Job:
    """One file to enhance."""

    utterance: Utterance
    target: Path


@dataclass(frozen=True)
class Written:
    """An enhanced file."""

    path: Path
    unseen: str = ""  # why a network that sees saw nothing; "": it did, or sees nothing ever


@dataclass(frozen=True)
class Jobs:
    """What is to be done in a folder, and what is left aside."""

    jobs: Sequence[Job]
    ignored: Sequence[Path] = field(default=())  # no sound that libsndfile reads

    def __post_init__(self) -> None:
        """Nothing may be written twice, or over a recording: ValueError before work starts."""
        sources = {job.utterance.audio_filepath.resolve() for job in self.jobs}
        first_with: dict[Path, Job] = {}
        for job in self.jobs:
            target = job.target.resolve()
            if target in sources:
                raise ValueError(
                    f"{job.target}: expected another place than that of an original; "
                    "enhanced files never replace one: name another OUT"
                )
            if target in first_with:
                first = first_with[target].utterance
                raise ValueError(
                    f"{job.target}: expected one file for each name; {_place(first)} and "
                    f"{_place(job.utterance)} would both be written there: rename one of them, "
                    "or enhance them into two folders"
                )
            first_with[target] = job
            if target.exists() and enhanced_by(target) is None:
                raise ValueError(
                    f"{job.target}: expected a place without a file, or with one that an enhancer "
                    f"wrote, as {ENHANCED_BY} beside it says; this may be a recording: delete it, "
                    "or name another OUT"
                )

    def names_by_folder(self) -> dict[Path, list[str]]:
        """The names of the files that will be written, by the folders that they will lie in."""
        names: dict[Path, list[str]] = {}
        for job in self.jobs:
            names.setdefault(job.target.parent, []).append(job.target.name)
        return names


def _place(utterance: Utterance) -> str:
    return utterance.where or str(utterance.audio_filepath)


def enhance_files(
    enhancer: Enhancer | Path | str, utterances: Sequence[Utterance], folder: Path
) -> list[Path | Skip]:
    """Enhance utterances, with their video where the network sees, to `folder`/NAME.wav.

    The name is the one that tells them apart. Returns what was written, and what could not be
    read; a warning tells of videos that could not. Raises ValueError where two utterances have one
    name.
    """
    return list(_paths(enhanced(enhancer, plan_lines(utterances, folder))))


def plan_lines(utterances: Sequence[Utterance], folder: Path) -> Jobs:
    """What `enhance_files` would do; ValueError where two utterances have one name."""
    jobs = [Job(utterance, folder / f"{utterance.file_name}.wav") for utterance in utterances]
    return Jobs(jobs)


def enhance_tree(
    enhancer: Enhancer | Path | str, source: Path, out: Path, video: Path | None = None
) -> Iterator[Path | Skip]:
    """Enhance a file to a file, or every sound file below a folder to a folder.

    Yields what was written, and what could not be read; a warning tells of videos that could not.
    `video` is a file, or a folder with videos of the same names. Raises ValueError as `plan_tree`
    does.
    """
    yield from _paths(enhanced(enhancer, plan_tree(source, out, video)))


def _paths(outcomes: Iterable[Written | Skip]) -> Iterator[Path | Skip]:
    """What was written and what could not be read, then a warning where a video was missing."""
    kept = []
    for outcome in outcomes:
        kept.append(outcome)
        yield outcome.path if isinstance(outcome, Written) else outcome
    told = told_unseen(kept)
    if told:
        warnings.warn(f"enhanced {told}", stacklevel=2)


def told_unseen(outcomes: Iterable[Written | Skip]) -> str:
    """How many files were enhanced without the video that was to be seen, and why the first was.

    Example:
        >>> told_unseen([Written(Path("a.wav"), "a.mp4 is no video"), Written(Path("b.wav"))])
        '1 of 2 without a video that could be read (a.mp4 is no video)'
    """
    written = [outcome for outcome in outcomes if isinstance(outcome, Written)]
    reasons = [outcome.unseen for outcome in written if outcome.unseen]
    if not reasons:
        return ""
    return f"{len(reasons)} of {len(written)} without a video that could be read ({reasons[0]})"


def plan_tree(source: Path, out: Path, video: Path | None = None) -> Jobs:
    """What `enhance_tree` would do, before anything is read or written.

    Below a folder it is every file that libsndfile reads. FLAC files stay FLAC; every other kind
    is written as WAV. An OUT without an ending is a folder. Raises ValueError where there is no
    sound, where two files would be written to one place or over an original, for an OUT of another
    kind than .wav or .flac, and for a `video` that is not there.
    """
    if video is not None and not video.exists():
        raise ValueError(f"{video}: expected a video or a folder of videos; there is nothing")
    if source.is_dir():
        return _plan_folder(source, out, video)
    if not source.exists():
        raise ValueError(f"{source}: expected a sound file or a folder of them; there is nothing")
    if out.is_dir() or not out.suffix:
        target = written_as(out / source.name)
    else:
        target = out
        if out.suffix.lower() not in _WRITTEN:
            raise ValueError(
                f"{out}: expected OUT as {' or '.join(_WRITTEN)}, which lose nothing, or a folder"
            )
    return Jobs(
        [Job(Utterance(source, video_filepath=_beside(source, source.parent, video)), target)]
    )


def _plan_folder(source: Path, out: Path, video: Path | None) -> Jobs:
    jobs = []
    ignored = []
    for path in _files_below(source, out):
        if is_sound(path):
            target = written_as(out / path.relative_to(source))
            film = _beside(path, source, video)
            jobs.append(Job(Utterance(path, video_filepath=film), target))
        else:
            ignored.append(path)
    if not jobs:
        names = ", ".join(path.name for path in ignored[:3])
        kinds = ", ".join(sorted(SOUND_SUFFIXES))
        raise ValueError(
            f"{source}: expected sound files ({kinds}); the folder has none"
            + (f", only {names}" if names else "")
        )
    return Jobs(jobs, ignored)


def _files_below(source: Path, out: Path) -> Iterator[Path]:
    """Files in order, without hidden ones, sidecars, and what an earlier run has written."""
    inside = out.resolve().is_relative_to(source.resolve()) and out.resolve() != source.resolve()
    for path in sorted(source.rglob("*")):
        if not path.is_file() or path.name.startswith(".") or path.name == ENHANCED_BY:
            continue
        if inside and path.resolve().is_relative_to(out.resolve()):
            continue
        yield path


def is_sound(path: Path) -> bool:
    """Whether libsndfile reads such files, by the name or, where that says nothing, the content."""
    if path.suffix.lower() in SOUND_SUFFIXES:
        return True
    try:
        audio_info(path)
    except AudioError:
        return False
    return True


def written_as(target: Path) -> Path:
    """The same place with a name that says what is written there.

    Example:
        >>> written_as(Path("out/a.mp3")).name, written_as(Path("out/a.flac")).name
        ('a.wav', 'a.flac')
    """
    if target.suffix.lower() in _WRITTEN:
        return target
    return target.with_suffix(".wav")


def enhanced(
    enhancer: Enhancer | Path | str, jobs: Jobs, show: str | None = None
) -> Iterator[Written | Skip]:
    """Enhance one after the other; yields what was written, and what could not be read.

    Videos are shown in the way that `show` names, by default as the network was trained to see
    them.

    A sidecar in each folder tells that its files were enhanced, and by whom.
    """
    if not isinstance(enhancer, Enhancer):
        enhancer = Enhancer.load(enhancer)
    others = [job.utterance for job in jobs.jobs]  # whose lips "shuffled" shows
    mode = show or enhancer.video
    reader = VideoReader(mode=mode, pictures=enhancer.pictures, others=others)
    name = enhancer.name
    key = name["fingerprint"] or f"{name['network']} without a checkpoint"
    unsigned = jobs.names_by_folder()
    for job in jobs.jobs:
        utterance = job.utterance
        try:
            info = audio_info(utterance.audio_filepath)
            rate_hz = info.rate_hz
            noisy = read_audio(utterance, rate_hz)
            frames = None
            if enhancer.model.sees:
                seconds = utterance.duration or info.duration_s - utterance.offset
                frames = reader(replace(utterance, duration=seconds))
            samples = enhancer.enhance(noisy, rate_hz, frames)
        except AudioError as error:
            yield Skip(_place(utterance), str(error))
            continue
        folder = job.target.parent
        folder.mkdir(parents=True, exist_ok=True)
        if folder in unsigned:
            sign(folder, unsigned.pop(folder), key, name)
        _write(job.target, samples, rate_hz)
        unseen = ""
        if frames is not None and not len(frames) and mode != "zeroed":
            unseen = _blindness(utterance, reader)
        yield Written(job.target, unseen)


def _blindness(utterance: Utterance, reader: VideoReader) -> str:
    """Why nothing was to be seen of an utterance."""
    if utterance.video_filepath is None:
        return f"{_place(utterance)}: none is named, and none of the same name was given"
    ended = f"{utterance.video_filepath}: the video ends before the sound begins"
    return reader.reasons.get(utterance.id, ended)


def _write(target: Path, samples: Tensor, rate_hz: int) -> None:
    """Nothing is clipped: WAV holds floats; FLAC holds none, and is made softer where it must."""
    if target.suffix.lower() != ".flac":
        soundfile.write(target, samples.numpy(), rate_hz, subtype="FLOAT")
        return
    too_loud = max(1.0, float(samples.abs().max()) / _FLAC_PEAK)
    soundfile.write(target, (samples / too_loud).numpy(), rate_hz, subtype="PCM_24")


def _beside(path: Path, source: Path, video: Path | None) -> Path | None:
    """The video of a sound file: the one given, or that of the same name in the folder given.

    At the same place below that folder as the sound is below `source`, else in the folder itself.
    """
    if video is None or video.is_file():
        return video
    for place in (video / path.relative_to(source).parent, video):
        for suffix in VIDEO_SUFFIXES:
            candidate = place / f"{path.stem}{suffix}"
            if candidate.is_file():
                return candidate
    return None


def named(paths: Iterable[Path], most: int = 5) -> str:
    """The first few names, and how many more there are.

    Example:
        >>> named([Path("in/a.txt"), Path("in/b.txt")], most=1)
        'in/a.txt and 1 more'
    """
    names = [str(path) for path in paths]
    more = len(names) - most
    if more <= 0:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {more} more"
