"""VoiceBank-DEMAND (doi.org/10.7488/ds/2117) to scenes: ctcasr prepare voicebank VoiceBank --part testset --out test.jsonl

The folder holds noisy_PART_wav, clean_PART_wav, PART_txt (or PART/txt) and, where it was kept, log_PART.txt with `file noise snr` lines.
The files are at 48 kHz and are left so: what reads them resamples.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """Every noisy file of the part, with its clean one, its text and its line of the log."""
    root, part = Path(arguments.source), arguments.part
    noisy = root / f"noisy_{part}_wav"
    found = sorted(noisy.glob("*.wav"))
    if not found:
        raise ValueError(
            f"{root}: expected noisy files in {noisy.name}; found none. --part is one of the folder's: "
            f"{', '.join(sorted(p.name[6:-4] for p in root.glob('noisy_*_wav'))) or 'there is no noisy_PART_wav'}"
        )
    logged = log(root / f"log_{part}.txt")
    for path in found:
        clean = root / f"clean_{part}_wav" / path.name
        extra: dict[str, Any] = {
            "source": path.stem,
            "interferer": "noise",
            **logged.get(path.stem, {}),
        }
        if clean.is_file():
            extra["target_filepath"] = str(clean)
        texts = [
            root / f"{part}_txt" / f"{path.stem}.txt",
            root / part / "txt" / f"{path.stem}.txt",
        ]
        text = next((t.read_text(encoding="utf-8-sig").strip() for t in texts if t.is_file()), None)
        yield Utterance(
            path, None, text, speaker=path.stem.split("_")[0], extra=extra, where=path.stem
        )


def log(path: Path) -> dict[str, dict[str, Any]]:
    """Noise and SNR by file name; empty without a log. ValueError for a line that is none."""
    found: dict[str, dict[str, Any]] = {}
    for where, line in _prepare.lines_of(path) if path.is_file() else ():
        fields = line.split()
        try:
            name, noise, snr = fields
            found[Path(name).stem] = {"noise": noise, "snr_db": float(snr)}
        except ValueError as error:
            raise ValueError(f"{where}: expected `file noise snr`; got {line!r}") from error
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = _prepare.parser(__doc__ or "", "folder of the corpus")
    parser.add_argument(
        "--part", default="testset", help="testset (default), trainset_28spk, trainset_56spk"
    )
    return _prepare.run(read, parser.parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
