"""VoiceBank-DEMAND (doi.org/10.7488/ds/2117) to scenes.

ctcasr prepare voicebank VoiceBank --part testset --out test.jsonl

The folder holds noisy_PART_wav, clean_PART_wav, PART_txt (or PART/txt) and, where it was kept,
log_PART.txt with `file noise snr` lines. The files are at 48 kHz and are left so: what reads them
resamples.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare


class Logged(TypedDict):
    """What the log says of a file."""

    noise: str
    snr_db: float


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """Every noisy file of the part, with its clean one, its text and its line of the log.

    Raises:
        ValueError: where there is no noisy file, or the log is broken.
    """
    root = Path(arguments.source)
    part = arguments.part
    noisy_files = sorted((root / f"noisy_{part}_wav").glob("[!.]*.wav"))
    if not noisy_files:
        parts = [path.name[6:-4] for path in sorted(root.glob("noisy_*_wav"))]
        raise ValueError(
            f"{root}: expected noisy files in noisy_{part}_wav; found none. --part is one of the "
            f"folder's: {', '.join(parts) or 'there is no noisy_PART_wav'}"
        )
    logged = read_log(root / f"log_{part}.txt")
    for noisy in noisy_files:
        name = noisy.stem
        clean = root / f"clean_{part}_wav" / noisy.name
        extra: dict[str, Any] = {"source": name, "interferer": "noise", **logged.get(name, {})}
        if clean.is_file():
            extra["target_filepath"] = str(clean)
        text = read_text(root / f"{part}_txt", name)
        if text is None:
            text = read_text(root / part / "txt", name)
        speaker = name.split("_")[0]
        yield Utterance(noisy, text=text, speaker=speaker, extra=extra, where=name)


def read_text(folder: Path, name: str) -> str | None:
    """The transcript of a file; None without one."""
    path = folder / f"{name}.txt"
    return _prepare.text_of(path).strip() if path.is_file() else None


def read_log(path: Path) -> dict[str, Logged]:
    """Noise and SNR by file name; empty without a log. ValueError for a line that is none."""
    if not path.is_file():
        return {}
    logged: dict[str, Logged] = {}
    for where, line in _prepare.lines_of(path):
        try:
            name, noise, snr_db = line.split()
            logged[Path(name).stem] = {"noise": noise, "snr_db": float(snr_db)}
        except ValueError as error:
            raise ValueError(f"{where}: expected `file noise snr`; got {line!r}") from error
    return logged


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare voicebank`; ValueError or OSError where that fails."""
    parser = _prepare.corpus_parser("voicebank", __doc__, "folder of the corpus")
    parser.add_argument(
        "--part", default="testset", help="testset (default), trainset_28spk, trainset_56spk"
    )
    return _prepare.prepare(read, parser.parse_args(argv))
