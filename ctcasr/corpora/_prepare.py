"""What every corpus does once it knows its utterances: measure, split, write, report."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError, audio_info, split_dev, write_manifest
from ctcasr.data.audio import TOLERANCE_S
from ctcasr.data.names import is_unicode
from ctcasr.kernels.atomic import file_in_the_way
from ctcasr.text import Alphabet, measure_coverage

NO_UNICODE = "its name, or a folder's, is no Unicode, as manifests are: rename it"
NAMED = 10  # utterances left out that are named
DURATION_DIGITS = 4  # of seconds in a manifest: a sample has more than 0.00002 s
MOST_LINE_BYTES = 2**20  # of a manifest's line, where a file is asked whether it is one

Read = Callable[[argparse.Namespace], Iterable[Utterance]]
Number = TypeVar("Number", int, float)


def command_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of `ctcasr prepare NAME`; `description` is the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"ctcasr prepare {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def corpus_parser(name: str, description: str | None, source: str) -> argparse.ArgumentParser:
    """With the arguments that all corpora share; `source` says what the positional one is."""
    parser = command_parser(name, description)
    parser.add_argument("source", type=Path, help=source)
    parser.add_argument("--out", type=Path, required=True, help="manifest to write (JSON lines)")
    parser.add_argument(
        "--valid",
        type=Path,
        help="second manifest, for a part that is held out (by speaker from 5 speakers on)",
    )
    parser.add_argument(
        "--valid-share", type=_share, default=0.1, help="how much is held out (default 0.1)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the held-out part (default 0)")
    return parser


def _share(word: str) -> float:
    """A share that leaves something on both sides."""
    share = 0.0
    with contextlib.suppress(ValueError):
        share = float(word)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"expected more than 0 and less than 1; got {word}")
    return share


def within(number: type[Number], least: Number, most: Number) -> Callable[[str], Number]:
    """What reads a flag's number: an int or a float from `least` to `most`, which NaN is not."""
    expected = f"a number from {least:g} to {most:g}"
    if number is int:
        expected = f"a whole number from {least} to {most}"

    def read_number(word: str) -> Number:
        value = None
        with contextlib.suppress(ValueError):
            value = number(word)
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected {expected}; got {word!r}")
        return value

    return read_number


def prepare(read: Read, arguments: argparse.Namespace) -> int:
    """Read, measure, split, write and report.

    Raises:
        ValueError: where the corpus is not what was expected, or has nothing that can be used.
        OSError: where something cannot be read or written.
    """
    outs = [path for path in (arguments.out, arguments.valid) if path is not None]
    refuse_overwriting(outs, [arguments.source])
    utterances, skipped = measure(read(arguments))
    if not utterances:
        raise ValueError(
            f"{arguments.source}: found no utterance that can be used{list_first(skipped)}"
        )
    parts: dict[Path, Sequence[Utterance]] = {arguments.out: utterances}
    if arguments.valid is not None:
        train, valid = split_dev(utterances, arguments.valid_share, arguments.seed)
        parts = {arguments.out: train, arguments.valid: valid}
    for path, part in parts.items():
        write_manifest(path, part)
    for path, part in parts.items():
        print(summary(path, part))
    if skipped:
        print(f"left out: {len(skipped)}{list_first(skipped)}")
    texts = [(utterance.where, utterance.text or "") for utterance in utterances]
    print(measure_coverage(texts, Alphabet.english38()))
    return 0


def summary(path: Path, utterances: Sequence[Utterance]) -> str:
    """How much a manifest holds, in a line."""
    seconds = sum(utterance.duration or 0.0 for utterance in utterances)
    speakers = {utterance.speaker for utterance in utterances} - {None}
    return f"{path}: {len(utterances)} utterances, {seconds / 3600:.2f} h, {len(speakers)} speakers"


def measure(utterances: Iterable[Utterance]) -> tuple[list[Utterance], list[Skip]]:
    """Utterances with the durations of the files' headers (s), and those that cannot be used."""
    usable: list[Utterance] = []
    skipped: list[Skip] = []
    for utterance in utterances:
        try:
            usable.append(with_duration(utterance))
        except (AudioError, OSError) as error:  # a path that is too long, or a loop of links
            skipped.append(Skip(utterance.where, str(error)))
    return usable, skipped


def with_duration(utterance: Utterance) -> Utterance:
    """As long as the line says, or as the file is.

    Raises:
        AudioError: where the file ends before, or no manifest can name it.
    """
    for file in files_of(utterance):
        if not is_unicode(file):
            raise AudioError(f"{file}: {NO_UNICODE}")
    path = utterance.audio_filepath
    left_s = audio_info(path).duration_s - utterance.offset
    duration_s = left_s if utterance.duration is None else utterance.duration
    if left_s <= 0 or duration_s > left_s + TOLERANCE_S:
        end_s = utterance.offset + duration_s
        raise AudioError(f"expected sound up to {end_s:.2f} s; {path} ends before")
    return replace(utterance, duration=round(min(duration_s, left_s), DURATION_DIGITS))


def text_of(path: Path) -> str:
    """What a text file holds; ValueError where it is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8; {error}") from error


def lines_of(path: Path) -> list[tuple[str, str]]:
    """Pairs ("name:number", line) of the lines of a text file that are not blank.

    Raises:
        ValueError: where it is no UTF-8.
    """
    lines = []
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            lines.append((f"{path.name}:{number}", line))
    return lines


def list_first(skipped: Sequence[Skip]) -> str:
    """The first of what was left out, a line each."""
    lines = [f"\n  {skip.where}: {skip.reason}" for skip in skipped[:NAMED]]
    if len(skipped) > NAMED:
        lines.append(f"\n  ... and {len(skipped) - NAMED} more")
    return "".join(lines)


def refuse_existing(paths: Iterable[Path]) -> None:
    """ValueError where something lies there already."""
    taken = [str(path) for path in paths if path.exists()]
    if taken:
        raise ValueError(
            f"{', '.join(taken)}: there already; nothing is overwritten: name another --out, or "
            "delete it"
        )


def refuse_overwriting(outs: Sequence[Path], sources: Sequence[Path]) -> None:
    """ValueError where a manifest would be written over anything but an older manifest.

    Whatever a corpus holds and its lines name is no manifest, so it is never written over; nor are
    `sources`, which are read, nor one of `outs` over another.
    """
    refuse_read(outs, sources)
    written: set[Path] = set()
    for out in outs:
        place = out.resolve()
        if place in written:
            raise ValueError(f"{out}: expected two files; both manifests would be this one")
        written.add(place)
        expect_folder(out.parent)
        if out.is_dir():
            raise ValueError(f"{out}: expected a file to write; this is a folder: name one in it")
        if out.is_file() and not is_manifest(out):
            raise ValueError(
                f"{out}: expected a new file, or a manifest of before to write over; this file is "
                "none, and stays: name another one, or delete it"
            )


def refuse_read(outs: Sequence[Path], sources: Sequence[Path]) -> None:
    """ValueError where a file would be written over one that is read."""
    read = {source.resolve() for source in sources}
    for out in outs:
        if out.resolve() in read:
            raise ValueError(f"{out}: expected another file to write than the one that is read")


def is_manifest(path: Path) -> bool:
    """Whether a file begins as manifests do; an empty one, which has nothing to lose, passes."""
    with path.open("rb") as file:
        first_line = file.readline(MOST_LINE_BYTES)
    if not first_line:
        return True
    try:
        line = json.loads(first_line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return isinstance(line, dict) and "audio_filepath" in line


def expect_folder(folder: Path) -> None:
    """ValueError where a folder to write to cannot be made: a file lies there, or above."""
    in_the_way = file_in_the_way(folder)
    if in_the_way is not None:
        raise ValueError(
            f"{folder}: expected a folder to write to (--out); {in_the_way} is a file: name "
            "another folder"
        )


def files_of(utterance: Utterance) -> list[Path]:
    """Every file that a line of a manifest names."""
    files = [utterance.audio_filepath]
    if utterance.video_filepath is not None:
        files.append(utterance.video_filepath)
    for key, value in utterance.extra.items():
        if key.endswith("_filepath") and isinstance(value, str):
            files.append(Path(value))
    return files
