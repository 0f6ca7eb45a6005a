"""A Kaldi data folder (wav.scp, text, utt2spk, segments) to a manifest.

ctcasr prepare kaldi data/train --out train.jsonl
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare
from ctcasr.scoring.figures import plural

TO_THE_END = -1.0  # what Kaldi writes for the end of a recording


class Entry(NamedTuple):
    """Where a line stands, and what stands behind its first word."""

    where: str
    value: str


class Segment(NamedTuple):
    """A part of a recording; `duration_s` is None for all that is left of it."""

    path: Path
    offset_s: float
    duration_s: float | None


Table = Mapping[str, Entry]  # first word -> the rest of its line


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """One utterance per line of `segments`, or of `wav.scp` where there are none.

    Paths of wav.scp are relative to --root.

    Raises:
        ValueError: where a file is missing, a line is broken, or an id has no text.
    """
    folder = Path(arguments.source)
    recordings: dict[str, Path] = {}
    utterances = read_table(folder / "wav.scp")
    for name, entry in utterances.items():
        recordings[name] = arguments.root / path_of(entry)
    texts = read_table(folder / "text")
    speakers: Table = {}
    if (folder / "utt2spk").is_file():
        speakers = read_table(folder / "utt2spk")
    has_segments = (folder / "segments").is_file()
    if has_segments:
        utterances = read_table(folder / "segments")
    for name, entry in utterances.items():
        if has_segments:
            segment = segment_of(entry, recordings)
        else:
            segment = Segment(recordings[name], 0.0, None)
        if name not in texts:
            raise ValueError(
                f"{entry.where}: expected a line for {name!r} in {folder / 'text'}; there is none"
            )
        yield Utterance(
            segment.path,
            segment.duration_s,
            texts[name].value,
            segment.offset_s,
            speakers[name].value if name in speakers else None,
            where=entry.where,
        )
    unheard = [name for name in texts if name not in utterances]
    if unheard:
        whose = "segment" if has_segments else "recording"
        print(
            f"{folder / 'text'}: {plural(len(unheard), 'text')} without a {whose} "
            f"({', '.join(unheard[: _prepare.NAMED])}): left out"
        )


def read_table(path: Path) -> Table:
    """The lines of a file by their first words; ValueError where one stands there twice."""
    if not path.is_file():
        raise ValueError(f"{path}: expected a file of a Kaldi data folder; there is none")
    table: dict[str, Entry] = {}
    for where, line in _prepare.lines_of(path):
        name, *rest = line.strip().split(maxsplit=1)
        if name in table:
            raise ValueError(
                f"{path.parent / where}: expected each id once; {name!r} stands in "
                f"{table[name].where} already"
            )
        table[name] = Entry(where, "".join(rest))
    return table


def path_of(entry: Entry) -> str:
    """The path in a line of wav.scp; ValueError for a command, which is not run."""
    if not entry.value or entry.value.endswith("|"):
        raise ValueError(
            f"{entry.where}: expected the path of a sound file; got {entry.value!r}; write the "
            "output of commands to files first"
        )
    return entry.value


def segment_of(entry: Entry, recordings: Mapping[str, Path]) -> Segment:
    """A line of `segments`: recording, start and end in seconds; ValueError for another one.

    An end of -1 is that of the recording, as for Kaldi.
    """
    try:
        recording, start, end = entry.value.split()
        offset_s = float(start)
        end_s = float(end)
    except ValueError as error:
        raise ValueError(
            f"{entry.where}: expected recording, start and end in seconds; got {entry.value!r}"
        ) from error
    if recording not in recordings:
        raise ValueError(f"{entry.where}: expected a recording of wav.scp; got {recording!r}")
    path = recordings[recording]
    if offset_s >= 0 and end_s == TO_THE_END:
        return Segment(path, offset_s, None)
    duration_s = round(end_s - offset_s, _prepare.DURATION_DIGITS)
    if not (offset_s >= 0 and duration_s > 0):  # NaN is neither
        raise ValueError(f"{entry.where}: expected 0 <= start < end; got {entry.value!r}")
    return Segment(path, offset_s, duration_s)


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare kaldi`; ValueError or OSError where that fails."""
    parser = _prepare.corpus_parser("kaldi", __doc__, "Kaldi data folder")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(),
        help="folder that paths in wav.scp start from (default: the working one)",
    )
    return _prepare.prepare(read, parser.parse_args(argv))
