"""What the fields of a line say: which utterance, what was said, what was written, the rest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ctcasr.batch import Utterance
from ctcasr.compare.results import Answer
from ctcasr.compare.rows import Row
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
class Fields:
    """Reads lines of one file: by the columns that were named, else by the names tools have."""

    columns: Columns = field(default_factory=dict)

    def of_references(self, rows: Sequence[Row]) -> Fields:
        """Those by which a file of references is read: without the columns it does not have."""
        there = _columns_of(rows)
        return Fields({role: name for role, name in self.columns.items() if name in there})

    def of_results(self, rows: Sequence[Row]) -> Fields:
        """Those that take the only text of a table `name, text` for what the system wrote."""
        there = _columns_of(rows)
        texts = there & {*REFERENCES}
        is_alone = len(there) == 2 and len(texts) == 1 and "hypothesis" not in self.columns
        if not is_alone or "reference" in self.columns:
            return self
        return replace(self, columns={**self.columns, "hypothesis": texts.pop()})

    def system(self, row: Row) -> str:
        """Which of several systems a line is of: by recogniser and condition; empty for one."""
        if "system" in self.columns:
            return str(self._named(row, "system"))
        parts = []
        for names in (JUDGES, SYSTEMS):
            value = _first(row.values, names)
            if value:
                parts.append(str(value))
        return ": ".join(parts)

    def answer(self, row: Row, names: Mapping[Sound, str]) -> Answer:
        """What a line says of its utterance; `names` are those of sounds (`names_of_sounds`).

        Raises:
            ValueError: where it has no name, or what should be a text is none.
        """
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
        if _is_no_result(row):
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


def _columns_of(rows: Sequence[Row]) -> set[str]:
    """The fields that any line has: of JSON lines the first may lack one that others have."""
    names: set[str] = set()
    for row in rows:
        names.update(row.values)
    return names


def is_dev_hearing(row: Row) -> bool:
    """Whether a line is a hearing of `score-enhanced`'s dev part, which selects, unscored."""
    return _is_hearing(row) and row.values["part"] == "dev"


def _is_no_result(row: Row) -> bool:
    """Whether it is a sound that was not heard."""
    return _is_hearing(row) and row.values["status"] not in ("", "ok")


def _is_hearing(row: Row) -> bool:
    """Whether it is one of `ctcasr score-enhanced`'s rows.csv."""
    return row.values.keys() >= HEARING


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
