"""A Kaldi data folder (wav.scp, text, utt2spk, segments) to a manifest: ctcasr prepare kaldi data/train --out train.jsonl"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """One utterance per line of `segments`, or of `wav.scp` where there are none; paths of wav.scp are relative to --root."""
    folder = Path(arguments.source)
    files = {
        name: (where, _path(where, value, arguments.root))
        for name, (where, value) in _table(folder / "wav.scp").items()
    }
    texts = _table(folder / "text")
    speakers = _table(folder / "utt2spk") if (folder / "utt2spk").is_file() else {}
    segments = _table(folder / "segments") if (folder / "segments").is_file() else None
    for name, (where, value) in (files if segments is None else segments).items():
        path, offset, duration = value, 0.0, None
        if segments is not None:
            path, offset, duration = _segment(where, str(value), files)
        if name not in texts:
            raise ValueError(
                f"{where}: expected a line for {name!r} in {folder / 'text'}; there is none"
            )
        speaker = speakers[name][1] if name in speakers else None
        yield Utterance(Path(path), duration, texts[name][1], offset, speaker, where=where)


def _table(path: Path) -> dict[str, tuple[str, str]]:
    """First word -> (where, the rest) of every line."""
    if not path.is_file():
        raise ValueError(f"{path}: expected a file of a Kaldi data folder; there is none")
    table: dict[str, tuple[str, str]] = {}
    for where, line in _prepare.lines_of(path):
        name, *rest = line.strip().split(maxsplit=1)
        if name in table:
            raise ValueError(
                f"{path.parent / where}: expected each id once; {name!r} stands in {table[name][0]} already"
            )
        table[name] = (where, rest[0] if rest else "")
    return table


def _path(where: str, value: str, root: Path) -> Path:
    if not value or value.endswith("|"):
        raise ValueError(
            f"{where}: expected the path of a sound file; got {value!r}; write the output of commands to files first"
        )
    return root / value


def _segment(
    where: str, value: str, files: dict[str, tuple[str, Path]]
) -> tuple[Path, float, float]:
    try:
        recording, start, end = value.split()
        offset, duration = float(start), round(float(end) - float(start), 4)
    except ValueError as error:
        raise ValueError(
            f"{where}: expected recording, start and end in seconds; got {value!r}"
        ) from error
    if recording not in files:
        raise ValueError(f"{where}: expected a recording of wav.scp; got {recording!r}")
    if offset < 0 or duration <= 0:
        raise ValueError(f"{where}: expected 0 <= start < end; got {value!r}")
    return files[recording][1], offset, duration


def main(argv: Sequence[str] | None = None) -> int:
    parser = _prepare.parser(__doc__ or "", "Kaldi data folder")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(),
        help="folder that paths in wav.scp start from (default: the working one)",
    )
    return _prepare.run(read, parser.parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
