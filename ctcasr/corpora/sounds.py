"""Collections of labelled sounds to a manifest: ctcasr prepare sounds SOURCE --out sounds.jsonl

Reads ESC-50 and ESC-10 (meta/esc50.csv; --esc10 for its ten classes), UrbanSound8K
(metadata/UrbanSound8K.csv) and any tree with one folder for each class. A report beside the
manifest says what was done with which file. Nothing is overwritten.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare
from ctcasr.corpora._repair import Report, repair
from ctcasr.data import source_of, write_manifest
from ctcasr.data.table import Table

ESC_NAME = re.compile(r"(?P<fold>\d)-\d+-[A-Z](?:-\d+)?")
ESC50_TABLE = Path("meta/esc50.csv")
ESC50_COLUMNS = ("filename", "fold", "category", "esc10", "src_file")
LEAST_CLIP_S, MOST_CLIP_S = 0.01, 86_400.0
URBAN_TABLE = Path("metadata/UrbanSound8K.csv")
URBAN_COLUMNS = ("slice_file_name", "fsID", "fold", "class")


def esc50(root: Path, esc10: bool) -> Iterator[Utterance]:
    """The lines of meta/esc50.csv; ValueError where columns are missing."""
    for where, row in read_rows(root / ESC50_TABLE, ESC50_COLUMNS):
        if esc10 and row["esc10"] != "True":
            continue
        yield Utterance(
            root / "audio" / row["filename"],
            label=row["category"],
            fold=_fold(row, where),
            extra={"source": row["src_file"]},
            where=where,
        )


def urbansound8k(root: Path) -> Iterator[Utterance]:
    """The lines of metadata/UrbanSound8K.csv; ValueError where columns are missing."""
    for where, row in read_rows(root / URBAN_TABLE, URBAN_COLUMNS):
        yield Utterance(
            root / "audio" / f"fold{row['fold']}" / row["slice_file_name"],
            label=row["class"],
            fold=_fold(row, where),
            extra={"source": row["fsID"]},
            where=where,
        )


def _fold(row: Mapping[str, str], where: str) -> int:
    """The fold of a row; ValueError for what is no whole number."""
    try:
        return int(row["fold"])
    except ValueError as error:
        raise ValueError(f"{where}: fold: expected a whole number; got {row['fold']!r}") from error


def tree(root: Path) -> Iterator[Utterance]:
    """Every file in the folders of `root`, each the name of a class.

    Folds of ESC's own file names are kept.
    """
    for folder in class_folders(root):
        for path in sorted(folder.rglob("*")):
            if path.is_dir() or path.name.startswith("."):  # a link to nowhere is told
                continue
            match = ESC_NAME.fullmatch(path.stem)
            utterance = Utterance(
                path,
                label=folder.name,
                fold=int(match["fold"]) if match else None,
                where=f"{folder.name}/{path.name}",
            )
            source = source_of(utterance)
            yield replace(utterance, extra={"source": source}) if source else utterance


def read(root: Path, esc10: bool) -> tuple[list[Utterance], set[str]]:
    """The utterances of whatever layout `root` has, and the names of its classes.

    Raises:
        ValueError: where there is no folder, or its table is not what was expected.
    """
    if not root.is_dir():
        raise ValueError(f"{root}: expected the folder of a collection; there is none")
    if (root / ESC50_TABLE).is_file():
        utterances = list(esc50(root, esc10))
    elif (root / URBAN_TABLE).is_file():
        utterances = list(urbansound8k(root))
    else:
        return list(tree(root)), {folder.name for folder in class_folders(root)}
    return utterances, classes_of(utterances)


def classes_of(utterances: Sequence[Utterance]) -> set[str]:
    """Their labels."""
    return {utterance.label or "" for utterance in utterances}


def class_folders(root: Path) -> list[Path]:
    """The folders in `root` that are not hidden."""
    folders = [path for path in root.iterdir() if path.is_dir()]
    return sorted(folder for folder in folders if not folder.name.startswith("."))


def read_rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row of a table stands, and its cells; ValueError where some are missing."""
    table = Table(path)
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise ValueError(
            f"{path}: expected columns {', '.join(needed)}; {', '.join(missing)} are missing"
        )
    for where, row in table:
        cells = {name: cell for name, cell in row.items() if cell is not None}
        missing = [name for name in needed if name not in cells]
        if missing:
            raise ValueError(f"{path.parent / where}: expected a {missing[0]}; the row ends before")
        yield where, cells


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare sounds`: read, repair, write, report; ValueError or OSError otherwise."""
    parser = _prepare.command_parser("sounds", __doc__)
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
        "--clip-s",
        type=_prepare.within(float, LEAST_CLIP_S, MOST_CLIP_S),
        help="lines hear no more than so many seconds of a clip",
    )
    arguments = parser.parse_args(argv)
    source: Path = arguments.source
    out: Path = arguments.out
    report_file = out.with_suffix(".report.tsv")
    mended = out.with_suffix(".mended")
    _prepare.refuse_existing([out, report_file, mended])
    report = Report()
    utterances, class_names = read(source, arguments.esc10)
    usable = repair(utterances, mended, report, arguments.clip_s)
    for name in sorted(class_names - classes_of(usable)):
        report.add(source / name, "empty class", "no clip of it can be used")
    out.parent.mkdir(parents=True, exist_ok=True)
    report.write(report_file)
    if not usable:
        raise ValueError(f"{source}: found no clip that can be used; {report_file} says why")
    write_manifest(out, usable)
    sizes = Counter(utterance.label for utterance in usable).values()
    print(
        f"{out}: {len(usable)} clips of {len(sizes)} classes ({min(sizes)} to {max(sizes)} in each)"
    )
    print("\n".join([*report.summary(), f"report: {report_file}"]))
    return 0
