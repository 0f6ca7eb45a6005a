"""Many small sound files to a few large 16-bit WAV files and a manifest with offsets.

    ctcasr prepare pack train.jsonl --out packed/train
        makes packed/train/train.jsonl, pack-0000.wav ...
    ctcasr prepare pack train.jsonl --out packed/train --measure
        ... and how fast a loader reads both

They are read without decoding; WAV (RF64 beyond 4 GB) is read by everything. The originals are not
touched; a line's `source_filepath` (and `source_offset`) names them.
"""

from __future__ import annotations

import hashlib
import json
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.corpora import _prepare
from ctcasr.data import (
    AudioError,
    Corpus,
    Loader,
    audio_info,
    read_audio,
    read_manifest,
    write_manifest,
)
from ctcasr.data.samples import LEAST_RATE_HZ, MOST_RATE_HZ
from ctcasr.kernels.atomic import part_of, publish, write_text

NOTES = "pack.json"  # what was packed, and how: the same again is not done twice
WAV_BYTES = 4_000_000_000  # what a WAV header can say; more is RF64
FILE_BYTES = 1_000_000_000
LEAST_GIGABYTES = 1e-6  # of a file that --gigabytes asks for
MOST_GIGABYTES = 1e6
MOST_WORKERS = 1024
OWN_FILE = re.compile(r"\.?pack(-\d{4,}\.wav|\.json)(\.part)?")  # as _Packs and NOTES name them
SAMPLE_BYTES = 2
FULL_SCALE = 32768  # of 16-bit samples; the largest is one less
PAIRS = 7  # of measurements, by turns
MEASURED_UTTERANCES = 2000
MEASURED_BATCH = 16


@dataclass(frozen=True)
class Packed:
    """What came of it."""

    manifest: Path
    files: list[str]
    utterances: int
    seconds: float
    skipped: list[Skip]
    clipped: int  # samples beyond full scale, which 16 bits cannot hold
    videos: int  # lines whose video was left out
    fresh: bool = True  # False: the very same had been packed there before

    def report(self, file_bytes: int) -> Iterator[str]:
        """What is to be known about it, line by line."""
        if not self.fresh:
            yield f"{self.manifest}: packed already, nothing was done"
        yield (
            f"{self.manifest}: {self.utterances} utterances, {self.seconds / 3600:.2f} h in "
            f"{len(self.files)} files (at most {file_bytes / 1e9:g} GB each)"
        )
        if self.clipped:
            yield f"clipped: {self.clipped} samples beyond full scale"
        if self.videos:
            yield (
                f"videos: those of {self.videos} lines were left out, because an offset would "
                "count in them too"
            )
        if self.skipped:
            yield f"left out: {len(self.skipped)} that cannot be read" + _prepare.list_first(
                self.skipped
            )


def pack(
    manifest: Path, out: Path, rate_hz: int | None = None, file_bytes: int = FILE_BYTES
) -> Packed:
    """Pack the sound of `manifest` into `out`, a folder of its own.

    Raises:
        ValueError: where `out` is a file, or holds something else or what lines name; where lines
            are scenes, or nothing can be read; for a manifest with the name of the notes.
    """
    _prepare.expect_folder(out)
    if manifest.name.lower() == NOTES:
        raise ValueError(
            f"{manifest}: expected another name than that of the notes on a pack: rename the file"
        )
    lines = read_manifest(manifest)
    _refuse_scenes(manifest, lines.utterances)
    _refuse_own_files(out, lines.utterances)
    wanted = {
        "of": _identity(lines.utterances, manifest),
        "rate_hz": rate_hz,
        "file_bytes": file_bytes,
    }
    if out.is_dir() and any(not _is_left_over(path) for path in out.iterdir()):
        return _packed_before(out, wanted)
    out.mkdir(parents=True, exist_ok=True)
    for left_over in out.iterdir():  # of a run that was broken off: its manifest is not there yet
        left_over.unlink()
    packs = _Packs(out, file_bytes)
    try:
        packed, skipped = _pack_lines(lines.utterances, packs, rate_hz)
        if not packed:
            raise ValueError(
                f"{manifest}: found no file that can be read; the first: {skipped[0].reason}"
            )
    except BaseException:
        packs.throw_away()
        raise
    packs.close()
    result = Packed(
        manifest=out / manifest.name,
        files=packs.names,
        utterances=len(packed),
        seconds=sum(utterance.duration or 0.0 for utterance in packed),
        skipped=skipped,
        clipped=packs.clipped,
        videos=packs.videos,
    )
    _write_notes(out / NOTES, wanted, result)
    write_manifest(result.manifest, packed)  # last: a folder with a manifest is whole
    return result


def _refuse_scenes(manifest: Path, utterances: Sequence[Utterance]) -> None:
    scenes = [line.where for line in utterances if "target_filepath" in line.extra]
    if scenes:
        raise ValueError(
            f"{manifest}: expected utterances; {len(scenes)} lines are scenes with target_filepath "
            f"({scenes[0]} ...), whose two files would have to stay in time: leave them as they are"
        )


def _refuse_own_files(out: Path, utterances: Sequence[Utterance]) -> None:
    """ValueError where the files of a line lie in `out`, which is emptied first."""
    folder = out.resolve()
    for utterance in utterances:
        for path in _prepare.files_of(utterance):
            if OWN_FILE.fullmatch(path.name) and path.parent.resolve() == folder:
                raise ValueError(
                    f"--out {out}: expected a folder of its own; {path.name} of {utterance.where} "
                    "lies in it: name another folder"
                )


def _pack_lines(
    utterances: Sequence[Utterance], packs: _Packs, rate_hz: int | None
) -> tuple[list[Utterance], list[Skip]]:
    """The lines as parts of packs, and those whose file cannot be read."""
    packed: list[Utterance] = []
    skipped: list[Skip] = []
    for utterance in utterances:
        try:
            pack_hz = rate_hz or audio_info(utterance.audio_filepath).rate_hz
            packed.append(packs.add(utterance, read_audio(utterance, pack_hz), pack_hz))
        except AudioError as error:
            skipped.append(Skip(utterance.where, str(error)))
    return packed, skipped


def _write_notes(path: Path, wanted: dict[str, Any], packed: Packed) -> None:
    plain = asdict(packed)
    del plain["fresh"]
    plain["manifest"] = packed.manifest.name
    plain["skipped"] = [[skip.where, skip.reason] for skip in packed.skipped]
    write_text(path, json.dumps({"wanted": wanted, "packed": plain}, indent=1), durable=False)


def _packed_before(out: Path, wanted: dict[str, Any]) -> Packed:
    """What lies in a folder; ValueError where it is something else than what is wanted."""
    try:
        notes = json.loads((out / NOTES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        notes = None
    if not isinstance(notes, dict) or not {"wanted", "packed"} <= notes.keys():
        raise ValueError(
            f"{out}: expected an empty folder or a packed corpus; it holds something else"
        )
    if notes["wanted"] != wanted:
        raise ValueError(
            f"{out}: holds another pack (other recordings, manifest or flags); delete it or choose "
            "another folder"
        )
    plain = notes["packed"]
    plain["manifest"] = out / plain["manifest"]
    plain["skipped"] = [Skip(where, reason) for where, reason in plain["skipped"]]
    return Packed(**plain, fresh=False)


@dataclass
class _Pack:
    """A file that is being written; it is whole under its own name, or not there."""

    path: Path
    file: soundfile.SoundFile

    def finish(self) -> None:
        self.file.close()
        publish(part_of(self.path), self.path)


@dataclass
class _Packs:
    """Packs, of which one is open for each sample rate."""

    folder: Path
    file_bytes: int
    names: list[str] = field(default_factory=list)
    clipped: int = 0
    videos: int = 0
    open: dict[int, _Pack] = field(default_factory=dict)

    def add(self, utterance: Utterance, samples: Tensor, rate_hz: int) -> Utterance:
        """The utterance as the part of a pack that now holds its samples."""
        whole = (samples * FULL_SCALE).round()  # exact for what came from 16 bits
        clipped = whole.clamp(-FULL_SCALE, FULL_SCALE - 1)
        self.clipped += int((whole != clipped).sum())
        self.videos += utterance.video_filepath is not None
        pack = self._with_room(rate_hz, len(samples))
        first = pack.file.frames
        pack.file.write(clipped.to(torch.int16).numpy())
        extra = {**utterance.extra, "source_filepath": str(utterance.audio_filepath)}
        if utterance.offset:
            extra["source_offset"] = utterance.offset
        return replace(
            utterance,
            audio_filepath=pack.path,
            offset=first / rate_hz,
            duration=len(samples) / rate_hz,
            video_filepath=None,
            extra=extra,
        )

    def _with_room(self, rate_hz: int, samples: int) -> _Pack:
        """The open pack of a rate, or a new one where that would become too large."""
        if rate_hz in self.open:
            pack = self.open[rate_hz]
            if SAMPLE_BYTES * (pack.file.frames + samples) <= self.file_bytes:
                return pack
            self.open.pop(rate_hz).finish()
        path = self.folder / f"pack-{len(self.names):04d}.wav"
        self.names.append(path.name)
        header = "RF64" if self.file_bytes > WAV_BYTES else "WAV"
        file = soundfile.SoundFile(part_of(path), "w", rate_hz, 1, "PCM_16", format=header)
        self.open[rate_hz] = _Pack(path, file)
        return self.open[rate_hz]

    def close(self) -> None:
        """Finish every pack."""
        while self.open:
            self.open.popitem()[1].finish()

    def throw_away(self) -> None:
        """Delete what is open."""
        while self.open:
            pack = self.open.popitem()[1]
            pack.file.close()
            part_of(pack.path).unlink()


def _is_left_over(path: Path) -> bool:
    """Whether a run that was broken off may have left it behind: packs without a manifest."""
    is_ours = OWN_FILE.fullmatch(path.name) is not None
    return is_ours and not any(path.parent.glob("*.jsonl"))


def _identity(utterances: Sequence[Utterance], manifest: Path) -> str:
    """A hash of the manifest and of the sizes and times of its files."""
    identity = hashlib.sha256(manifest.read_bytes())
    for path in sorted({utterance.audio_filepath for utterance in utterances}):
        size_and_time = None
        if path.is_file():
            status = path.stat()
            size_and_time = (status.st_size, status.st_mtime_ns)
        identity.update(f"{path.name} {size_and_time}\n".encode())
    return identity.hexdigest()


def loading_speeds(
    manifests: Sequence[Path], rate_hz: int, workers: int = 0, pairs: int = PAIRS
) -> list[list[float]]:
    """Audio-seconds per second of the loader alone for each manifest, `pairs` times by turns.

    Decoded samples are not kept; one thread. Without worker processes per second of one core (what
    other programs take does not count), else per second of the wall clock.
    """
    clock = time.perf_counter if workers else time.process_time
    torch.set_num_threads(1)
    speeds: list[list[float]] = [[] for _ in manifests]
    loaders = []
    for path in manifests:
        utterances = read_manifest(path).utterances[:MEASURED_UTTERANCES]
        corpus = Corpus(utterances, None, rate_hz, cache_bytes=0)
        loaders.append(Loader(corpus, batch_size=MEASURED_BATCH, workers=workers))
    for turn in range(pairs + 1):
        for speeds_of_loader, loader in zip(speeds, loaders, strict=True):
            started = clock()
            audio_s = 0.0
            for batch in loader.epoch(turn):
                audio_s += batch.audio.seconds if batch is not None else 0.0
            if turn > 0:  # the first one warms the system's file cache, and starts workers
                speeds_of_loader.append(audio_s / (clock() - started))
    for loader in loaders:
        loader.close()
    return speeds


def comparison(before: Sequence[float], after: Sequence[float], workers: int) -> list[str]:
    """Speeds of the two manifests and their ratio, in lines."""
    unit = f"audio-seconds per {'second' if workers else 'second of one core'}"
    lines = []
    for name, speeds in (("before", before), ("after", after)):
        lines.append(
            f"{name}: {statistics.median(speeds):.0f} {unit} "
            f"({min(speeds):.0f} to {max(speeds):.0f})"
        )
    ratios = np.array(after) / np.array(before)
    lines.append(
        f"ratio: {np.median(ratios):.1f} ({ratios.min():.1f} to {ratios.max():.1f}), "
        f"{workers} worker processes"
    )
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare pack`; ValueError or OSError where that fails."""
    parser = _prepare.command_parser("pack", __doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the packs and their manifest"
    )
    parser.add_argument(
        "--rate-hz",
        type=_prepare.within(int, LEAST_RATE_HZ, MOST_RATE_HZ),
        help="resample to this rate (default: every file keeps its own; one pack for each rate)",
    )
    parser.add_argument(
        "--gigabytes",
        type=_prepare.within(float, LEAST_GIGABYTES, MOST_GIGABYTES),
        default=1.0,
        help="largest size of a file (default 1; above 4: RF64)",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="audio-seconds per second of the loader before and after, 7 times by turns",
    )
    parser.add_argument(
        "--workers",
        type=_prepare.within(int, 0, MOST_WORKERS),
        default=0,
        help="processes of the loader that is measured (default 0)",
    )
    arguments = parser.parse_args(argv)
    file_bytes = round(arguments.gigabytes * 1e9)
    packed = pack(arguments.manifest, arguments.out, arguments.rate_hz, file_bytes)
    print("\n".join(packed.report(file_bytes)))
    if arguments.measure:
        first_file = packed.manifest.parent / packed.files[0]
        rate_hz = arguments.rate_hz or audio_info(first_file).rate_hz
        manifests = [arguments.manifest, packed.manifest]
        before, after = loading_speeds(manifests, rate_hz, arguments.workers)
        print("\n".join(comparison(before, after, arguments.workers)))
    return 0
