"""Which file of results is which: read by name and content into systems."""

from __future__ import annotations

import ast
import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctcasr.compare.results import Answer, System, lines_of, refuse_doubles, text_of
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

IDS = ("id", "utt_id", "uid", "utterance_id", "key", "scene", "name")
HYPOTHESES = ("hypothesis", "pred_text", "hyp_text", "hyp", "prediction", "transcript")
REFERENCES = ("reference", "ref_text", "ref", "text", "target")
SOUNDS = ("audio_filepath", "path", "audio", "file")
SYSTEMS = ("system", "condition")  # columns that tell several systems of one file apart
JUDGES = ("recogniser",)
VERSA_HYPOTHESIS = "_hyp_text"  # versa's fields: whisper_hyp_text, owsm_hyp_text, ...
NOT_STRATA = {"score", "duration", "offset", "words", "reason", "status", "oddities", "lag", "gain"}
USED = {*IDS, *HYPOTHESES, *REFERENCES, *SOUNDS, *SYSTEMS, *JUDGES, *NOT_STRATA}
LONGEST_FIELD = 64  # characters of a stratum's name

Columns = Mapping[str, str]  # role -> name of the column: id, hypothesis, reference, system


@dataclass(frozen=True)
class Row:
    """One line of a file with named fields, and where it stands."""

    place: str
    values: Mapping[str, Any]


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
        kind = kind_of(path)
        if kind in NAMED_FIELDS:
            return self._systems_of_rows(path, name, kind)
        return [System.of(name or own_name(path), self._plain(path, kind), path, kind)]

    def references(self, path: Path) -> list[Answer]:
        """The answers of a file of references or of a manifest; keeps its segments, if any.

        Raises:
            ValueError: where it cannot be read.
        """
        kind = kind_of(path)
        if kind in TIMED:
            self.segments = list(TIMED[kind](path))
            answers = list(answers_of(self.segments))
        elif kind in NAMED_FIELDS:
            answers = [self._answer(row) for row in NAMED_FIELDS[kind](path)]
        else:
            answers = list(self._plain(path, kind))
        refuse_doubles(path, answers)
        return answers

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
        return put_into(self.segments, pieces)

    def _systems_of_rows(self, path: Path, name: str, kind: str) -> list[System]:
        by_system: dict[str, list[Answer]] = {}
        for row in NAMED_FIELDS[kind](path):
            by_system.setdefault(self._system_of(row), []).append(self._answer(row))
        if not by_system:
            raise ValueError(f"{path}: expected lines with results; it is empty")
        systems = []
        for own, answers in by_system.items():
            label = name or own_name(path)
            if own:
                label = f"{name} {own}".strip()
            systems.append(System.of(label, answers, path, kind))
        return systems

    def _system_of(self, row: Row) -> str:
        if "system" in self.columns:
            return str(self._named(row, "system"))
        parts = []
        for names in (JUDGES, SYSTEMS):
            value = _first(row.values, names)
            if value:
                parts.append(str(value))
        return ": ".join(parts)

    def _answer(self, row: Row) -> Answer:
        hypothesis = self._hypothesis(row)
        reference = self._named(row, "reference")
        if reference is None and "reference" not in self.columns:
            taken = self.columns.get("hypothesis")
            reference = _first(row.values, [name for name in REFERENCES if name != taken])
        return Answer(
            id=self._id(row),
            hypothesis=_text(hypothesis, row, "hypothesis"),
            reference=_text(reference, row, "reference"),
            fields=_strata(row.values),
        )

    def _hypothesis(self, row: Row) -> object:
        if "hypothesis" in self.columns:
            return self._named(row, "hypothesis")
        if _is_no_result(row.values):
            return None
        known = _first(row.values, HYPOTHESES)
        if known is not None:
            return known
        found = [name for name in row.values if name.endswith(VERSA_HYPOTHESIS)]
        if len(found) > 1:
            raise ValueError(
                f"{row.place}: expected one hypothesis; got {', '.join(found)}: name one by "
                f"--columns hypothesis={found[0]}"
            )
        return row.values[found[0]] if found else None

    def _id(self, row: Row) -> str:
        named = self._named(row, "id")
        if named is None:
            named = _first(row.values, IDS)
        if named is None:
            sound = _first(row.values, SOUNDS)
            if sound is None:
                raise ValueError(
                    f"{row.place}: expected a name of the utterance ({', '.join((*IDS, *SOUNDS))}, "
                    f"or --columns id=NAME); got {', '.join(row.values)}"
                )
            named = Path(str(sound)).stem
        return str(named)

    def _named(self, row: Row, role: str) -> object:
        """The value of a column that was named for a role; None where none was."""
        column = self.columns.get(role)
        if column is None:
            return None
        if column not in row.values:
            raise ValueError(
                f"{row.place}: expected a column {column} (--columns {role}={column}); "
                f"got {', '.join(row.values)}"
            )
        value: object = row.values[column]
        return value


def kind_of(path: Path) -> str:
    """The format of a file: by its ending, else by its first line.

    trn, stm, ctm, csv, seglst, jsonl (ours, NeMo's, versa's), rows (URGENT's), or text.

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
    if _is_head(first.split("\t")):
        return "csv"
    _, _, rest = first.partition(" ")
    return "rows" if rest.startswith("{") else "text"


def _is_head(columns: Sequence[str]) -> bool:
    """Whether these are names of a table's columns, the utterance's and the hypothesis'."""
    names = {column.strip() for column in columns}
    return bool(names & {*IDS, *SOUNDS}) and bool(names & {*HYPOTHESES})


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


def read_jsonl(path: Path) -> Iterator[Row]:
    """Objects, one a line; versa also writes them as Python does."""
    for place, line in lines_of(path):
        yield Row(place, _object(line, place))


def read_urgent(path: Path) -> Iterator[Row]:
    """`uid {json}`, a line for each, as URGENT's scripts write WER.scp."""
    for place, line in lines_of(path):
        uid, _, rest = line.partition(" ")
        yield Row(place, {**_object(rest.strip(), place), "id": uid})


def read_csv(path: Path) -> Iterator[Row]:
    """A table with the names of its columns in the first line; by commas, semicolons or tabs.

    Raises:
        ValueError: for a line that is none of the table, or two columns of one name.
    """
    lines = io.StringIO(text_of(path), newline="")
    head = lines.readline()
    lines.seek(0)
    delimiter = max(",;\t", key=head.count)
    table = csv.DictReader(lines, delimiter=delimiter, strict=True)  # a quote left open is told
    names = _column_names(table, path)
    try:
        for values in table:
            place = f"{path}:{table.line_num}"
            if None in values or None in values.values():
                raise ValueError(f"{place}: expected {len(names)} columns")
            yield Row(place, values)
    except csv.Error as error:
        place = f"{path}, behind line {table.line_num}"
        raise ValueError(f"{place}: expected a table; {error}") from error


def _column_names(table: csv.DictReader[str], path: Path) -> Sequence[str]:
    """The names in the first line of a table; ValueError where one stands there twice."""
    try:
        names = table.fieldnames or ()
    except csv.Error as error:
        raise ValueError(f"{path}:1: expected names of columns; {error}") from error
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}:1: expected each column once; {', '.join(twice)} twice")
    return names


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


def _object(line: str, place: str) -> dict[str, Any]:
    """A JSON object, or a dict as Python prints it."""
    try:
        found = json.loads(line)
    except ValueError:
        try:
            found = ast.literal_eval(line.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            found = None
    except RecursionError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{place}: expected a JSON object; got {line[:40]!r}")
    return found


def _is_no_result(values: Mapping[str, Any]) -> bool:
    """Whether a line of rows.csv is of the dev part, or of a sound that was not heard."""
    return values.get("status", "ok") not in ("", "ok") or values.get("part") == "dev"


def _text(value: object, row: Row, role: str) -> str | None:
    """A text of a field, or None where it is null; a number is its digits.

    Raises:
        ValueError: for what is no text: a list, a missing value of a table that became NaN.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise ValueError(
        f"{row.place}: expected a text as {role}; got {str(value)[:40]} "
        f"(--columns {role}=NAME names another field)"
    )


def _first(values: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The first of some fields that is there."""
    for name in names:
        if values.get(name) is not None:
            return values[name]
    return None


def _strata(values: Mapping[str, Any]) -> dict[str, str]:
    """Fields by which utterances may be grouped: short, and no texts or counts of ours."""
    strata = {}
    for name, value in values.items():
        if name in USED or isinstance(value, dict | list) or value is None:
            continue
        text = str(value)
        if isinstance(value, float):
            text = f"{value:g}"
        if 0 < len(text) <= LONGEST_FIELD:
            strata[name] = text
    return strata
