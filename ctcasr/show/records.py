"""Records as the views see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class RecordLike(Protocol):
    """Whatever has a kind, a step and data: the trainer's records, fresh or read from a file."""

    @property
    def kind(self) -> str: ...
    @property
    def step(self) -> int: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


def time_of(record: RecordLike) -> float | None:
    """Seconds since the start of the run, where the record tells them (as an attribute or among its data)."""
    value = getattr(record, "time_s", None)
    return number(record.data.get("time_s") if value is None else value)


def number(value: Any) -> float | None:
    """`value` as a finite float; None for everything else (absent, NaN, infinite, text)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    return value if -float("inf") < value < float("inf") else None


def final_course(records: Iterable[RecordLike]) -> list[RecordLike]:
    """The records that count: where a resumed run went over steps again, those of the first time are left out."""
    course: list[RecordLike] = []
    for record in records:
        if record.kind in ("start", "step"):
            while course and (
                course[-1].step > record.step
                or (course[-1].step == record.step and course[-1].kind == record.kind == "step")
            ):
                course.pop()
        course.append(record)
    return course
