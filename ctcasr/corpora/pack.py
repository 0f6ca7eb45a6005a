"""Many small sound files to a few large 16-bit WAV files and a manifest with offsets, which reads without decoding.

    ctcasr prepare pack train.jsonl --out packed/train          makes packed/train/train.jsonl, pack-0000.wav ...
    ctcasr prepare pack train.jsonl --out packed/train --measure          ... and how fast a loader reads both

WAV (RF64 beyond 4 GB) is read by everything. The originals are not touched; a line's `source_filepath` (and `source_offset`) names them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from ctcasr.batch import Utterance
from ctcasr.data import (
    AudioError,
    Corpus,
    Loader,
    audio_info,
    read_audio,
    read_manifest,
    write_manifest,
)

NOTES = "pack.json"  # what was packed, and how: the same again is not done twice
_WAV_BYTES = 4_000_000_000  # what a WAV header can say; more is RF64
_NAMED = 10  # files left out that are printed


@dataclass(frozen=True)
class Packed:
    """What came of it."""

    manifest: Path
    files: list[str]
    utterances: int
    seconds: float
    skipped: list[tuple[str, str]]  # utterance, reason
    clipped: int  # samples beyond full scale, which 16 bits cannot hold
    videos: int  # lines whose video was left out


def pack(
    manifest: Path, out: Path, rate_hz: int | None = None, file_bytes: int = 1_000_000_000
) -> tuple[Packed, bool]:
    """Pack the sound of `manifest` into `out`, a folder of its own; False: the very same had been packed there before.

    ValueError: `out` holds something else, lines are scenes, or nothing can be read.
    """
    lines = read_manifest(manifest)
    if scenes := [u.where for u in lines if "target_filepath" in u.extra]:
        raise ValueError(
            f"{manifest}: expected utterances; {len(scenes)} lines are scenes with target_filepath ({scenes[0]} ...), "
            "whose two files would have to stay in time: leave them as they are"
        )
    wanted = {
        "of": _identity(lines.utterances, manifest),
        "rate_hz": rate_hz,
        "file_bytes": file_bytes,
    }
    if out.is_dir() and any(not _ours(path) for path in out.iterdir()):
        try:
            there = json.loads((out / NOTES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ValueError(
                f"{out}: expected an empty folder or a packed corpus; it holds something else"
            ) from None
        if there["wanted"] != wanted:
            raise ValueError(
                f"{out}: holds another pack (other recordings, manifest or flags); delete it or choose another folder"
            )
        done = there["packed"]
        return Packed(
            **{
                **done,
                "manifest": out / done["manifest"],
                "skipped": [tuple(s) for s in done["skipped"]],
            }
        ), False
    out.mkdir(parents=True, exist_ok=True)
    for rest in out.iterdir():  # of a run that was broken off: its manifest is not there yet
        rest.unlink()
    writer, packed, skipped, videos = _Packs(out, file_bytes), [], [], 0
    try:
        for utterance in lines:
            try:
                hz = rate_hz or audio_info(utterance.audio_filepath).rate_hz
                line = writer.add(utterance, read_audio(utterance, hz), hz)
            except AudioError as error:
                skipped.append((utterance.where, str(error)))
                continue
            videos += utterance.video_filepath is not None
            packed.append(line)
        if not packed:
            raise ValueError(
                f"{manifest}: found no file that can be read; the first: {skipped[0][1]}"
            )
    finally:
        writer.close(keep=bool(packed))
    written = out / manifest.name
    seconds = sum(u.duration or 0.0 for u in packed)
    found = Packed(written, writer.names, len(packed), seconds, skipped, writer.clipped, videos)
    _write(
        out / NOTES,
        json.dumps(
            {"wanted": wanted, "packed": {**asdict(found), "manifest": written.name}}, indent=1
        ),
    )
    write_manifest(written, packed)  # last: a folder with a manifest is whole
    return found, True


class _Packs:
    """Open packs, one for each sample rate; each is whole under its own name, or not there."""

    def __init__(self, folder: Path, file_bytes: int) -> None:
        self.folder, self.file_bytes = folder, file_bytes
        self.names: list[str] = []
        self.clipped = 0
        self.open: dict[int, tuple[Path, soundfile.SoundFile]] = {}

    def add(self, utterance: Utterance, samples: torch.Tensor, rate_hz: int) -> Utterance:
        """The utterance as the part of a pack that now holds its samples."""
        whole = (samples * 32768.0).round()  # exact for what came from 16 bits
        clipped = whole.clamp(-32768, 32767)
        self.clipped += int((whole != clipped).sum())
        if (
            rate_hz in self.open
            and 2 * (self.open[rate_hz][1].frames + len(samples)) > self.file_bytes
        ):
            self._finish(rate_hz)
        if rate_hz not in self.open:
            path = self.folder / f"pack-{len(self.names):04d}.wav"
            self.names.append(path.name)
            kind = "RF64" if self.file_bytes > _WAV_BYTES else "WAV"
            self.open[rate_hz] = (
                path,
                soundfile.SoundFile(_part(path), "w", rate_hz, 1, "PCM_16", format=kind),
            )
        path, file = self.open[rate_hz]
        first = file.frames
        file.write(clipped.to(torch.int16).numpy())
        extra = {**utterance.extra, "source_filepath": str(utterance.audio_filepath)}
        if utterance.offset:
            extra["source_offset"] = utterance.offset
        return replace(
            utterance,
            audio_filepath=path,
            offset=first / rate_hz,
            duration=len(samples) / rate_hz,
            video_filepath=None,
            extra=extra,
        )

    def close(self, keep: bool) -> None:
        """Finish every pack, or throw away what is open."""
        for rate_hz in list(self.open):
            self._finish(rate_hz, keep)

    def _finish(self, rate_hz: int, keep: bool = True) -> None:
        path, file = self.open.pop(rate_hz)
        file.close()
        if not keep:
            _part(path).unlink()
            return
        with open(_part(path), "rb") as written:
            os.fsync(written.fileno())
        os.replace(_part(path), path)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _ours(path: Path) -> bool:
    """True for what a run that was broken off leaves behind: packs without a manifest."""
    part = path.name.lstrip(".").startswith("pack") and path.suffix in (".wav", ".part", ".json")
    return part and not any(path.parent.glob("*.jsonl"))


def _identity(utterances: Sequence[Utterance], manifest: Path) -> str:
    """A hash of the manifest and of the sizes and times of its files."""
    found = hashlib.sha256(manifest.read_bytes())
    for path in sorted({u.audio_filepath for u in utterances}):
        stat = path.stat() if path.is_file() else None
        found.update(f"{path.name} {stat and (stat.st_size, stat.st_mtime_ns)}\n".encode())
    return found.hexdigest()


def _write(path: Path, text: str) -> None:
    part = _part(path)
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def loading_speeds(
    manifests: Sequence[Path], rate_hz: int, workers: int = 0, pairs: int = 7, most: int = 2000
) -> list[list[float]]:
    """Audio-seconds per second of the loader alone for each manifest, `pairs` times by turns, decoded samples not kept; one thread.

    Without worker processes per second of one core (what other programs take does not count), else per second of the wall clock.
    """
    clock = time.perf_counter if workers else time.process_time
    torch.set_num_threads(1)
    speeds: list[list[float]] = [[] for _ in manifests]
    corpora = [
        Corpus(read_manifest(path).utterances[:most], None, rate_hz, cache_bytes=0)
        for path in manifests
    ]
    loaders = [Loader(corpus, batch_size=16, workers=workers) for corpus in corpora]
    for turn in range(pairs + 1):  # the first one warms the system's file cache, and starts workers
        for found, loader in zip(speeds, loaders, strict=True):
            start, seconds = clock(), 0.0
            for batch in loader.epoch(turn):
                seconds += batch.audio.seconds if batch is not None else 0.0
            found.append(seconds / (clock() - start))
    for loader in loaders:
        loader.close()
    return [found[1:] for found in speeds]


def _told(packed: Packed, fresh: bool, file_bytes: int) -> Iterator[str]:
    if not fresh:
        yield f"{packed.manifest}: packed already, nothing was done"
    yield (
        f"{packed.manifest}: {packed.utterances} utterances, {packed.seconds / 3600:.2f} h in {len(packed.files)} files "
        f"(at most {file_bytes / 1e9:g} GB each)"
    )
    if packed.clipped:
        yield f"clipped: {packed.clipped} samples beyond full scale"
    if packed.videos:
        yield f"videos: those of {packed.videos} lines were left out, because an offset would count in them too"
    if packed.skipped:
        yield f"left out: {len(packed.skipped)} that cannot be read"
        yield from (f"  {where}: {reason}" for where, reason in packed.skipped[:_NAMED])
        if len(packed.skipped) > _NAMED:
            yield f"  ... and {len(packed.skipped) - _NAMED} more, in {packed.manifest.parent / NOTES}"


def main(argv: Sequence[str] | None = None) -> int:
    """Pack, report, and measure where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the packs and their manifest"
    )
    parser.add_argument(
        "--rate-hz",
        type=int,
        help="resample to this rate (default: every file keeps its own; one pack for each rate)",
    )
    parser.add_argument(
        "--gigabytes",
        type=float,
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
        type=int,
        default=0,
        help="processes of the loader that is measured (default 0)",
    )
    arguments = parser.parse_args(argv)
    try:
        packed, fresh = pack(
            arguments.manifest, arguments.out, arguments.rate_hz, round(arguments.gigabytes * 1e9)
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(_told(packed, fresh, round(arguments.gigabytes * 1e9))))
    if arguments.measure:
        rate_hz = arguments.rate_hz or audio_info(packed.manifest.parent / packed.files[0]).rate_hz
        before, after = loading_speeds(
            [arguments.manifest, packed.manifest], rate_hz, arguments.workers
        )
        ratios = np.array(after) / np.array(before)
        unit = f"audio-seconds per {'second' if arguments.workers else 'second of one core'}"
        for name, speeds in (("before", before), ("after", after)):
            print(
                f"{name}: {statistics.median(speeds):.0f} {unit} ({min(speeds):.0f} to {max(speeds):.0f})"
            )
        print(
            f"ratio: {np.median(ratios):.1f} ({ratios.min():.1f} to {ratios.max():.1f}), {arguments.workers} worker processes"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
