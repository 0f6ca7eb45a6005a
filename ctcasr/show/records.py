"""What views take from records: finite numbers, series over the steps, samples and verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ctcasr.diagnose import Cause, Verdict
from ctcasr.records import CheckRecord, EpochRecord, Record, StartRecord, StepRecord
from ctcasr.show.terminal import printable

# What a check holds beside its metrics: counts, and what they are of.
NO_METRICS = {"utterances", "empty_hypotheses", "on_training_rows"}
FIRST_METRICS = ("wer", "cer")


class Series(NamedTuple):
    """One number over the steps.

    Example:
        >>> Series([5, 10], [2.0, 1.0]).points
        [(5.0, 2.0), (10.0, 1.0)]
    """

    steps: list[int]
    values: list[float]

    @property
    def points(self) -> list[tuple[float, float]]:
        """The pairs of both, as charts take them."""
        steps = map(float, self.steps)
        return list(zip(steps, self.values, strict=True))


@dataclass(frozen=True)
class Sample:
    """What a check wrote for one utterance; with posteriors where the task recorded them."""

    id: str
    reference: str
    hypothesis: str
    blank: Sequence[float] | None = None  # posterior of the blank, frame by frame
    spikes: Sequence[Sequence[Any]] = ()  # (frame, symbol, posterior) of what is written


@dataclass(frozen=True)
class Suspect:
    """A training line whose transcript may be wrong, as the trainer named it."""

    line: str
    loss: float  # nats per symbol


def number(value: object) -> float | None:
    """`value` as a finite float; None for everything else (absent, NaN, infinite, text).

    Example:
        >>> number(3), number("3"), number(float("nan"))
        (3.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    if not math.isfinite(as_float):
        return None
    return as_float


def number_of(record: Record, name: str) -> float | None:
    """A field of a record, or an entry of its details or metrics, as a finite number."""
    value = getattr(record, name, None)
    if value is None and record.rest:
        value = getattr(record, record.rest).get(name)
    return number(value)


def series(records: Iterable[Record], kind: type[Record], name: str) -> Series:
    """Steps and values of one number in the records of one kind, where it is finite."""
    points = Series([], [])
    for record in records:
        if not isinstance(record, kind):
            continue
        value = number_of(record, name)
        if value is not None:
            points.steps.append(record.step)
            points.values.append(value)
    return points


def metrics_of(check: CheckRecord) -> list[tuple[str, float]]:
    """The metrics of a check as (name, value), error rates first."""
    names = list(FIRST_METRICS)
    for name in check.metrics:
        if name not in FIRST_METRICS and name not in NO_METRICS:
            names.append(name)
    metrics = []
    for name in names:
        value = number(check.metrics.get(name))
        if value is not None:
            metrics.append((name, value))
    return metrics


def metric_names(records: Iterable[Record]) -> list[str]:
    """The metrics that any check has, error rates first."""
    names: list[str] = []
    for record in records:
        if not isinstance(record, CheckRecord):
            continue
        for name, _ in metrics_of(record):
            if name not in names:
                names.append(name)
    return names


def samples_of(check: CheckRecord) -> list[Sample]:
    """The utterances that a check shows; what is no sample is passed over."""
    samples = []
    for entry in check.samples:
        if not isinstance(entry, Mapping):
            continue
        blank = entry.get("blank")
        samples.append(
            Sample(
                id=printable(str(entry.get("id") or "")),
                reference=printable(str(entry.get("reference") or "")),
                hypothesis=printable(str(entry.get("hypothesis") or "")),
                blank=blank if isinstance(blank, list) else None,
                spikes=_spikes_of(entry),
            )
        )
    return samples


def _spikes_of(sample: Mapping[str, Any]) -> list[Sequence[Any]]:
    """The (frame, symbol, posterior) that a sample holds."""
    spikes: list[Sequence[Any]] = []
    for spike in _list(sample.get("spikes")):
        if isinstance(spike, list | tuple) and len(spike) > 1 and number(spike[0]) is not None:
            spikes.append(spike)
    return spikes


def _list(entry: object) -> list[Any] | tuple[Any, ...]:
    """What should be a list; an empty one where it is none."""
    return entry if isinstance(entry, list | tuple) else ()


def suspects_of(epoch: EpochRecord) -> list[Suspect]:
    """The lines that an epoch names; what is no line is passed over."""
    suspects = []
    for entry in _list(epoch.details.get("suspects")):
        if not isinstance(entry, Mapping):
            continue
        loss = number(entry.get("loss"))
        if loss is not None:
            suspects.append(Suspect(printable(str(entry.get("line") or "")), loss))
    return suspects


def verdict_of(check: CheckRecord) -> Verdict | None:
    """The verdict that a check recorded; None where there is none."""
    entry = check.verdict
    if not isinstance(entry, Mapping):
        return None
    causes = []
    for cause in _list(entry.get("causes")):
        if isinstance(cause, Mapping):
            causes.append(_cause(cause, check.step))
    release = number(entry.get("release_step"))
    return Verdict(
        state=str(entry.get("state") or ""),
        step=check.step,
        release_step=None if release is None else round(release),
        estimated=bool(entry.get("estimated")),
        causes=tuple(causes),
        last_word=_sentences(entry.get("last_word")),
        unmeasured=_sentences(entry.get("unmeasured")),
    )


def _sentences(entry: Any) -> tuple[str, ...]:
    """Sentences that a record holds; none of an older one."""
    return tuple(str(sentence) for sentence in _list(entry))


def _cause(entry: Mapping[str, Any], step: int) -> Cause:
    return Cause(
        slug=str(entry.get("slug") or ""),
        evidence=str(entry.get("evidence") or ""),
        cure=str(entry.get("cure") or ""),
        step=int(number(entry.get("step")) or step),
        confidence=number(entry.get("confidence")) or 0.0,
    )


def final_course(records: Iterable[Record]) -> list[Record]:
    """The records that count.

    Where a resumed run went over steps again, those of the first time are left out.
    """
    course: list[Record] = []
    for record in records:
        if isinstance(record, StartRecord | StepRecord):
            while course and _gone_over_again(course[-1], record):
                course.pop()
        course.append(record)
    return course


def _gone_over_again(earlier: Record, record: Record) -> bool:
    """Whether `record` begins before what `earlier` tells of."""
    if earlier.step > record.step:
        return True
    both_steps = isinstance(earlier, StepRecord) and isinstance(record, StepRecord)
    return both_steps and earlier.step == record.step
