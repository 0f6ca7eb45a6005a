"""What a record says to programs that keep curves: TensorBoard, Weights & Biases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ctcasr.diagnose import Verdict
from ctcasr.records import CheckRecord, EpochRecord, EventRecord, Record, StepRecord
from ctcasr.show.records import number, samples_of, verdict_of

# How the curves are grouped:
_FOLDERS: dict[type[Record], str] = {StepRecord: "train", CheckRecord: "dev", EpochRecord: "epoch"}
_NO_CURVES = ("time_s", "step")


def numbers_of(record: Record) -> Iterator[tuple[str, float]]:
    """Names and values of the curves that a record is a point of.

    Those of its parts ("report", "evidence") have the part's name first.
    """
    folder = _FOLDERS.get(type(record))
    if folder is None:
        return
    for name, value in record.as_json().items():
        if name in _NO_CURVES:
            continue
        if isinstance(value, Mapping):
            for inner, entry in value.items():
                if number(entry) is not None:
                    yield f"{folder}/{name}/{inner}", float(entry)
        elif number(value) is not None:
            yield f"{folder}/{name}", float(value)


def texts_of(record: Record) -> Iterator[tuple[str, str]]:
    """What a record says in words: events, the verdict, what was heard."""
    if isinstance(record, EventRecord):
        yield f"event/{record.reason}", record.message
    if not isinstance(record, CheckRecord):
        return
    verdict = verdict_of(record)
    if verdict is not None:
        yield "verdict", _told(verdict)
    heard = []
    for sample in samples_of(record):
        heard.append(f"said: {sample.reference}  \nheard: {sample.hypothesis}")
    if heard:
        yield "heard", "\n\n".join(heard)


def _told(verdict: Verdict) -> str:
    """A verdict in one line, with its causes."""
    if not verdict.causes:
        return verdict.state
    causes = []
    for cause in verdict.causes:
        causes.append(f"{cause.slug}: {cause.evidence} Cure: {cause.cure}")
    return f"{verdict.state}. {'; '.join(causes)}"
