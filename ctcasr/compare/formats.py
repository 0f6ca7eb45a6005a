"""Which file of results is which: read by name and content into systems."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ctcasr.compare.fields import (
    HYPOTHESES,
    IDS,
    REFERENCES,
    SOUNDS,
    Columns,
    Fields,
    is_dev_hearing,
    names_of_sounds,
)
from ctcasr.compare.results import Answer, System, lines_of, refuse_doubles
from ctcasr.compare.rows import Row, read_csv, read_jsonl, read_urgent
from ctcasr.compare.sclite import (
    Timed,
    answers_of,
    put_into,
    read_ctm,
    read_seglst,
    read_stm,
    read_trn,
    whole_recordings,
)


@dataclass
class Reader:
    """Reads files of results alike: the columns that were named, and the reference's segments."""

    columns: Columns = field(default_factory=dict)
    segments: Sequence[Timed] = ()

    def systems(self, path: Path, name: str = "") -> list[System]:
        """What a file holds: one system, or one for each condition (and recogniser) in it.

        Raises:
            ValueError: where it cannot be read, or no hypothesis is there.
        """
        kind = kind_of(path, self.columns.values())
        if kind in NAMED_FIELDS:
            return self._systems_of_rows(path, name, kind)
        return [System.of(name or own_name(path), self._plain(path, kind), path, kind)]

    def references(self, path: Path) -> list[Answer]:
        """The answers of a file of references or of a manifest; keeps its segments, if any.

        Raises:
            ValueError: where it cannot be read.
        """
        kind = kind_of(path, self.columns.values())
        if kind in TIMED:
            self.segments = list(TIMED[kind](path))
            answers = list(answers_of(self.segments))
        elif kind in NAMED_FIELDS:
            answers = self._references_of_rows(list(NAMED_FIELDS[kind](path)))
        else:
            answers = list(self._plain(path, kind))
        if not answers:
            raise ValueError(f"{path}: expected references; it has none")
        refuse_doubles(path, answers)
        return answers

    def _references_of_rows(self, rows: Sequence[Row]) -> list[Answer]:
        """Columns that were named for the results hold here where there are such."""
        fields = Fields(self.columns).of_references(rows)
        names = names_of_sounds(rows)
        return [fields.answer(row, names) for row in rows]

    def _plain(self, path: Path, kind: str) -> Iterable[Answer]:
        if kind == "trn":
            return read_trn(path)
        if kind == "text":
            return read_text(path)
        pieces = list(TIMED[kind](path))
        if not self.segments:
            return whole_recordings(pieces) if kind == "ctm" else answers_of(pieces)
        own_names = {segment.id for segment in self.segments if segment.scored}
        if {piece.id for piece in pieces if piece.scored} == own_names:
            return answers_of(pieces)
        try:
            return list(put_into(self.segments, pieces))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def _systems_of_rows(self, path: Path, name: str, kind: str) -> list[System]:
        by_system: dict[str, list[Answer]] = {}
        rows = list(NAMED_FIELDS[kind](path))
        fields = Fields(self.columns).of_results(rows)
        names = names_of_sounds(rows)
        for row in rows:
            if is_dev_hearing(row):
                continue
            by_system.setdefault(fields.system(row), []).append(fields.answer(row, names))
        if not by_system:
            raise ValueError(f"{path}: expected lines with results; it is empty")
        systems = []
        for own, answers in by_system.items():
            label = name or own_name(path)
            if own:
                label = f"{name} {own}".strip()
            systems.append(System.of(label, answers, path, kind))
        return systems


def kind_of(path: Path, named: Collection[str] = ()) -> str:
    """The format of a file: by its ending, else by its first line.

    trn, stm, ctm, csv, seglst, jsonl (ours, NeMo's, versa's), rows (URGENT's), or text. A first
    line with tabs that has a column of `named` is a table's.

    Raises:
        ValueError: where there is no file, or nothing in it.
    """
    if path.is_dir():
        raise ValueError(
            f"{path}: expected a file of results; it is a folder. Of what `ctcasr evaluate --out` "
            f"wrote take {path / 'hypotheses.jsonl'}"
        )
    if not path.is_file():
        raise ValueError(f"{path}: expected a file of results; there is none")
    ending = path.suffix.lower()
    if ending in (".trn", ".stm", ".ctm", ".csv"):
        return ending[1:]
    first = next((line.strip() for _, line in lines_of(path)), "")
    if not first:
        raise ValueError(f"{path}: expected results; the file is empty")
    if first.startswith("["):
        return "seglst"
    if first == "{":
        raise ValueError(
            f"{path}: expected a JSON object a line; got one over several lines. Of what "
            f"`ctcasr evaluate --out` wrote take {path.parent / 'hypotheses.jsonl'}"
        )
    if first.startswith("{"):
        return "jsonl"
    if _is_head(first.split("\t"), named):
        return "csv"
    _, _, rest = first.partition(" ")
    return "rows" if rest.startswith("{") else "text"


def _is_head(columns: Sequence[str], named: Collection[str]) -> bool:
    """Whether these are names of a table's columns: an utterance's and a text's, or known ones."""
    if len(columns) < 2:
        return False
    names = {column.strip() for column in columns}
    has_text = bool(names & {*HYPOTHESES, *REFERENCES})
    return bool(names & set(named)) or (bool(names & {*IDS, *SOUNDS}) and has_text)


def read_text(path: Path) -> Iterator[Answer]:
    """`name<TAB>text`, or Kaldi's `name text`; a name alone is an empty hypothesis.

    Raises:
        ValueError: for a line with two tabs or more.
    """
    for place, line in lines_of(path):
        if line.count("\t") > 1:
            raise ValueError(
                f"{place}: expected name<TAB>text; got {line.count(chr(9))} tabs. A table has the "
                "names of its columns in the first line (.csv)"
            )
        separator = "\t" if "\t" in line else " "
        name, _, text = line.partition(separator)
        yield Answer(name.strip(), text.strip())


TIMED: dict[str, Callable[[Path], Iterator[Timed]]] = {
    "stm": read_stm,
    "ctm": read_ctm,
    "seglst": read_seglst,
}
NAMED_FIELDS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "jsonl": read_jsonl,
    "rows": read_urgent,
    "csv": read_csv,
}


def own_name(path: Path) -> str:
    """A name by the file, or by its folder where the file is called as all are.

    Example:
        >>> own_name(Path("exp/a/hypotheses.jsonl")), own_name(Path("exp/whisper.trn"))
        ('a', 'whisper')
    """
    common = ("hypotheses", "text", "hyp", "WER", "result", "results", "rows")
    if path.stem in common and path.resolve().parent.name:
        return path.resolve().parent.name
    return path.stem
