"""Which file of results is which: read by name and content into systems."""

from __future__ import annotations

import ast
import csv
import io
import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ctcasr.batch import Utterance
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
from ctcasr.data.names import unique_names

IDS = ("id", "utt_id", "uid", "utterance_id", "key", "scene", "name")
HYPOTHESES = ("hypothesis", "pred_text", "hyp_text", "hyp", "prediction", "transcript")
REFERENCES = ("reference", "ref_text", "ref", "text", "target")
SOUNDS = ("audio_filepath", "path", "audio", "file")
SYSTEMS = ("system", "condition")  # columns that tell several systems of one file apart
JUDGES = ("recogniser",)
VERSA_HYPOTHESIS = "_hyp_text"  # versa's fields: whisper_hyp_text, owsm_hyp_text, ...
HEARING = {"scene", "recogniser", "condition", "part", "status"}  # columns of rows.csv
NOT_STRATA = {"score", "duration", "offset", "words", "reason", "status", "oddities", "lag", "gain"}
USED = {*IDS, *HYPOTHESES, *REFERENCES, *SOUNDS, *SYSTEMS, *JUDGES, *NOT_STRATA}
LONGEST_FIELD = 64  # characters of a stratum's name

Sound = tuple[str, float]  # a file, and seconds into it
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
        there = set(rows[0].values) if rows else set()
        columns = {role: name for role, name in self.columns.items() if name in there}
        reader = Reader(columns)
        names = names_of_sounds(rows)
        return [reader._answer(row, names) for row in rows]

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
        rows = list(NAMED_FIELDS[kind](path))
        reader = self._of_two_columns(rows)
        names = names_of_sounds(rows)
        for row in rows:
            if _is_dev_hearing(row.values):
                continue
            by_system.setdefault(self._system_of(row), []).append(reader._answer(row, names))
        if not by_system:
            raise ValueError(f"{path}: expected lines with results; it is empty")
        systems = []
        for own, answers in by_system.items():
            label = name or own_name(path)
            if own:
                label = f"{name} {own}".strip()
            systems.append(System.of(label, answers, path, kind))
        return systems

    def _of_two_columns(self, rows: Sequence[Row]) -> Reader:
        """One that takes the only text of `name, text` for what the system wrote."""
        names = set(rows[0].values) if rows else set()
        texts = names & {*REFERENCES}
        is_alone = len(names) == 2 and len(texts) == 1 and "hypothesis" not in self.columns
        if not is_alone or "reference" in self.columns:
            return self
        return replace(self, columns={**self.columns, "hypothesis": texts.pop()})

    def _system_of(self, row: Row) -> str:
        if "system" in self.columns:
            return str(self._named(row, "system"))
        parts = []
        for names in (JUDGES, SYSTEMS):
            value = _first(row.values, names)
            if value:
                parts.append(str(value))
        return ": ".join(parts)

    def _answer(self, row: Row, names: Mapping[Sound, str]) -> Answer:
        hypothesis = self._hypothesis(row)
        reference = None
        if "reference" not in self.columns:
            taken = self.columns.get("hypothesis")
            reference = _first(row.values, [name for name in REFERENCES if name != taken])
        elif self.columns["reference"] in row.values:  # there may be a file of references
            reference = self._named(row, "reference")
        return Answer(
            id=self._id(row, names),
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

    def _id(self, row: Row, names: Mapping[Sound, str]) -> str:
        named = self._named(row, "id")
        if named is None:
            named = _first(row.values, IDS)
        if named is None:
            sound = _sound_of(row)
            if sound is None:
                raise ValueError(
                    f"{row.place}: expected a name of the utterance ({', '.join((*IDS, *SOUNDS))}, "
                    f"or --columns id=NAME); got {', '.join(row.values)}"
                )
            named = names[sound]
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


def names_of_sounds(rows: Iterable[Row]) -> dict[Sound, str]:
    """How utterances are called by their sounds: as `ctcasr evaluate` calls those of a manifest."""
    nameless = [row for row in rows if _first(row.values, IDS) is None]
    sounds = {sound for row in nameless if (sound := _sound_of(row)) is not None}
    ordered = sorted(sounds)
    utterances = [Utterance(Path(path), offset=offset_s) for path, offset_s in ordered]
    return dict(zip(ordered, unique_names(utterances), strict=True))


def _sound_of(row: Row) -> Sound | None:
    """File and offset that a row names; None where it names none."""
    path = _first(row.values, SOUNDS)
    if path is None:
        return None
    try:
        offset_s = float(row.values.get("offset") or 0.0)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{row.place}: offset: expected seconds; {error}") from error
    return str(path), offset_s


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

    With tabs, quotes are characters of the text, as in Common Voice.

    Raises:
        ValueError: for a line that is none of the table, or two columns of one name.
    """
    written = text_of(path)
    rows = written.lstrip()
    empty_lines = written[: len(written) - len(rows)].count("\n")
    head, _, _ = rows.partition("\n")
    delimiter = max(",;\t", key=head.count)
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    lines = io.StringIO(rows, newline="")
    # Strict: a quote that is left open is told.
    table = csv.DictReader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    names = _column_names(table, path)
    try:
        for values in table:
            place = f"{path}:{empty_lines + table.line_num}"
            if None in values or None in values.values():
                raise ValueError(f"{place}: expected {len(names)} columns")
            yield Row(place, values)
    except csv.Error as error:
        place = f"{path}, behind line {empty_lines + table.line_num}"
        raise ValueError(f"{place}: expected a table; {error}") from error


def _column_names(table: csv.DictReader[str], path: Path) -> Sequence[str]:
    """The names in the first line of a table; ValueError where one stands there twice."""
    try:
        names = [name.strip() for name in table.fieldnames or ()]
    except csv.Error as error:
        raise ValueError(f"{path}:1: expected names of columns; {error}") from error
    table.fieldnames = names
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


def _is_hearing(values: Mapping[str, Any]) -> bool:
    """Whether a line is one of `ctcasr score-enhanced`'s rows.csv."""
    return values.keys() >= HEARING


def _is_dev_hearing(values: Mapping[str, Any]) -> bool:
    """Whether it is a hearing of the dev part, which selects and is not scored."""
    return _is_hearing(values) and values["part"] == "dev"


def _is_no_result(values: Mapping[str, Any]) -> bool:
    """Whether it is a sound that was not heard."""
    return _is_hearing(values) and values["status"] not in ("", "ok")


def _text(value: object, row: Row, role: str) -> str | None:
    """A text of a field, or None where it is null; a number is its digits.

    Raises:
        ValueError: for what is no text: a list, a missing value of a table that became NaN.
    """
    if isinstance(value, str):
        _refuse_half_characters(value, row, role)
        return value
    if value is None:
        return None
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise ValueError(
        f"{row.place}: expected a text as {role}; got {str(value)[:40]} "
        f"(--columns {role}=NAME names another field)"
    )


def _refuse_half_characters(text: str, row: Row, role: str) -> None:
    """ValueError for what JSON can say and no file can hold: a lone surrogate."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{row.place}: expected a text as {role}; {error}") from error


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
