"""What every prepare_*.py does once it knows its utterances: measure, split, write, report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError, audio_info, split_dev, write_manifest
from ctcasr.data.audio import TOLERANCE_S
from ctcasr.text import Alphabet, measure_coverage

_NAMED = 10  # utterances left out that are named


def parser(description: str, source: str) -> argparse.ArgumentParser:
    """The arguments that all prepare tools share; `source` says what the positional one is."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("source", type=Path, help=source)
    parser.add_argument("--out", type=Path, required=True, help="manifest to write (JSON lines)")
    parser.add_argument(
        "--valid",
        type=Path,
        help="second manifest, for a part that is held out (by speaker from 5 speakers on)",
    )
    parser.add_argument(
        "--valid-share", type=float, default=0.1, help="how much is held out (default 0.1)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the held-out part (default 0)")
    return parser


def run(
    read: Callable[[argparse.Namespace], Iterable[Utterance]], arguments: argparse.Namespace
) -> int:
    """Read, measure, split, write and report; exit status 1 and one clear line where that fails."""
    try:
        utterances, skipped = measured(read(arguments))
        if not utterances:
            raise ValueError(
                f"{arguments.source}: found no utterance that can be used{_first(skipped)}"
            )
        parts = {arguments.out: tuple(utterances)}
        if arguments.valid is not None:
            train, valid = split_dev(utterances, arguments.valid_share, arguments.seed)
            parts = {arguments.out: train, arguments.valid: valid}
        for path, part in parts.items():
            write_manifest(path, part)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path, part in parts.items():
        hours = sum(u.duration or 0.0 for u in part) / 3600
        speakers = len({u.speaker for u in part} - {None})
        print(f"{path}: {len(part)} utterances, {hours:.2f} h, {speakers} speakers")
    if skipped:
        print(f"left out: {len(skipped)}{_first(skipped)}")
    print(measure_coverage(((u.where, u.text or "") for u in utterances), Alphabet.english38()))
    return 0


def measured(utterances: Iterable[Utterance]) -> tuple[list[Utterance], list[Skip]]:
    """Utterances with their durations in seconds from the files' headers, and those whose file cannot be used."""
    good: list[Utterance] = []
    skipped: list[Skip] = []
    for utterance in utterances:
        try:
            left_s = audio_info(utterance.audio_filepath).duration_s - utterance.offset
        except AudioError as error:
            skipped.append(Skip(utterance.where, str(error)))
            continue
        wanted_s = left_s if utterance.duration is None else utterance.duration
        if left_s <= 0 or wanted_s > left_s + TOLERANCE_S:
            end_s = utterance.offset + wanted_s
            skipped.append(
                Skip(
                    utterance.where,
                    f"expected sound up to {end_s:.2f} s; {utterance.audio_filepath} ends before",
                )
            )
            continue
        good.append(replace(utterance, duration=round(min(wanted_s, left_s), 4)))
    return good, skipped


def lines_of(path: Path) -> list[tuple[str, str]]:
    """Pairs ("name:number", line) of the lines of a text file that are not blank."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8; {error}") from error
    return [
        (f"{path.name}:{n}", line)
        for n, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    ]


def _first(skipped: list[Skip]) -> str:
    named = "".join(f"\n  {skip.where}: {skip.reason}" for skip in skipped[:_NAMED])
    return named + (f"\n  ... and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else "")
