"""Collections of labelled sounds to a manifest: ctcasr prepare sounds SOURCE --out sounds.jsonl

Reads ESC-50 and ESC-10 (meta/esc50.csv; --esc10 for its ten classes), UrbanSound8K (metadata/UrbanSound8K.csv) and any tree with one
folder for each class. A report beside the manifest says what was done with which file. Nothing is overwritten.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora._repair import Report, repair
from ctcasr.data import source_of, write_manifest

_ESC = re.compile(r"(\d)-\d+-[A-Z](?:-\d+)?")


def esc50(root: Path, esc10: bool) -> Iterator[Utterance]:
    """The lines of meta/esc50.csv."""
    for at, row in _rows(
        root / "meta/esc50.csv", ("filename", "fold", "category", "esc10", "src_file")
    ):
        if not esc10 or row["esc10"] == "True":
            yield Utterance(
                root / "audio" / row["filename"],
                label=row["category"],
                fold=int(row["fold"]),
                extra={"source": row["src_file"]},
                where=at,
            )


def urbansound8k(root: Path) -> Iterator[Utterance]:
    """The lines of metadata/UrbanSound8K.csv."""
    for at, row in _rows(
        root / "metadata/UrbanSound8K.csv", ("slice_file_name", "fsID", "fold", "class")
    ):
        yield Utterance(
            root / "audio" / f"fold{row['fold']}" / row["slice_file_name"],
            label=row["class"],
            fold=int(row["fold"]),
            extra={"source": row["fsID"]},
            where=at,
        )


def tree(root: Path) -> Iterator[Utterance]:
    """Every file in the folders of `root`, each the name of a class; folds of ESC's own file names are kept."""
    for folder in _folders(root):
        for path in sorted(
            p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")
        ):
            named, where = _ESC.fullmatch(path.stem), f"{folder.name}/{path.name}"
            utterance = Utterance(
                path, label=folder.name, fold=int(named[1]) if named else None, where=where
            )
            source = source_of(utterance)
            yield Utterance(
                path,
                label=folder.name,
                fold=utterance.fold,
                extra={"source": source} if source else {},
                where=where,
            )


def read(root: Path, esc10: bool) -> tuple[list[Utterance], set[str]]:
    """The utterances of whatever layout `root` has, and the names of its classes."""
    if not root.is_dir():
        raise ValueError(f"{root}: expected the folder of a collection; there is none")
    if (root / "meta/esc50.csv").is_file():
        found = list(esc50(root, esc10))
    elif (root / "metadata/UrbanSound8K.csv").is_file():
        found = list(urbansound8k(root))
    else:
        return list(tree(root)), {folder.name for folder in _folders(root)}
    return found, {u.label or "" for u in found}


def main(argv: Sequence[str] | None = None) -> int:
    """Read, repair, write, report; exit status 1 and one clear line where that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "source", type=Path, help="ESC-50, UrbanSound8K, or a folder with one folder for each class"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="manifest to write; the report and converted copies lie beside it",
    )
    parser.add_argument("--esc10", action="store_true", help="only the ten classes of ESC-10")
    parser.add_argument(
        "--clip-s", type=float, help="lines hear no more than so many seconds of a clip"
    )
    a = parser.parse_args(argv)
    report = Report()
    try:
        written = a.out.with_suffix(".report.tsv")
        if taken := [str(path) for path in (a.out, written) if path.exists()]:
            raise ValueError(
                f"{', '.join(taken)}: there already; nothing is overwritten: name another --out, or delete it"
            )
        found, names = read(a.source, a.esc10)
        kept = repair(found, a.out.with_suffix(".mended"), report, a.clip_s)
        for name in sorted(names - {u.label or "" for u in kept}):
            report.add(a.source / name, "empty class", "no clip of it can be used")
        a.out.parent.mkdir(parents=True, exist_ok=True)
        report.write(written)
        if not kept:
            raise ValueError(f"{a.source}: found no clip that can be used; {written} says why")
        write_manifest(a.out, kept)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    classes = Counter(u.label or "" for u in kept)
    print(
        f"{a.out}: {len(kept)} clips of {len(classes)} classes ({min(classes.values())} to {max(classes.values())} in each)"
    )
    for what, count in sorted(report.counts.items()):
        print(f"  {count:6d}  {what}")
    print(f"report: {written}")
    return 0


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        if missing := [name for name in needed if name not in (table.fieldnames or ())]:
            raise ValueError(
                f"{path}: expected columns {', '.join(needed)}; {', '.join(missing)} are missing"
            )
        for row in table:
            yield f"{path.name}:{table.line_num}", row


if __name__ == "__main__":
    raise SystemExit(main())
