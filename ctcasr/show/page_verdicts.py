"""The verdicts of a run as HTML: the last one in full, and how it came to it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from ctcasr.diagnose import Cause, Verdict, verdict
from ctcasr.records import CheckRecord, EventRecord, Record
from ctcasr.show.page import Column, Section, table
from ctcasr.show.records import verdict_of


def verdicts_of(records: Sequence[Record]) -> list[Verdict]:
    """The verdicts of all checks that recorded one, in order."""
    verdicts = []
    for record in records:
        if isinstance(record, CheckRecord):
            told = verdict_of(record)
            if told is not None:
                verdicts.append(told)
    return verdicts


def last_verdict(records: Sequence[Record]) -> tuple[Verdict, bool]:
    """The verdict at the end of a run, and whether the run recorded it.

    One is made of the records where none was recorded, or where steps were refused after it.
    """
    recorded = verdicts_of(records)
    refused = False
    for record in records:
        if isinstance(record, CheckRecord):
            refused = False
        elif isinstance(record, EventRecord) and record.skipped_step:
            refused = True
    if recorded and not refused:
        return recorded[-1], True
    return verdict(records), False


def banner(told: Verdict, *, recorded: bool) -> str:
    """The verdict in a frame: state, and every cause with evidence and cure, likeliest first."""
    heading = told.state or "no verdict (there are such of recognisers, from their checks)"
    waits = "wait" in told.state
    if told.waits_until is not None:
        heading += f", release expected about step {told.waits_until}"
    css = "verdict"
    if told.causes:
        css += " trouble"
    elif waits:
        css += " wait"
    note = ""
    if told.state and not recorded:
        note = (
            '<p class="soft">The run recorded no verdict of its end; this one was made from its '
            "records.</p>"
        )
    parts = [f"<h2>{escape(heading)}</h2>", note]
    parts += [_cause(cause) for cause in told.causes]
    # Evidence and cure of the first cause stand above already.
    words = told.last_word[-1:] if told.causes else told.last_word
    last_word = " ".join(words)
    if last_word:
        parts.append(f"<p>{escape(last_word)}</p>")
    for sentence in told.unmeasured:
        parts.append(f'<p class="soft">{escape(sentence)}</p>')
    inside = "".join(parts)
    return f'<div class="{css}">{inside}</div>'


def history(verdicts: Sequence[Verdict]) -> Section:
    """A row for every stretch of checks with the same state and the same causes."""
    rows = []
    for _, group in groupby(verdicts, key=_gist):
        stretch = list(group)
        rows.append(_row(stretch[0], stretch[-1]))
    columns = [Column("steps", "n"), Column("state"), Column("causes"), Column("evidence")]
    why = "What was said of the run at each check; stretches that agree are one row."
    return Section("Verdicts", why, table(columns, rows))


def _gist(verdict: Verdict) -> tuple[str, list[str]]:
    """What makes two verdicts the same."""
    return verdict.state, [cause.slug for cause in verdict.causes]


def _row(first: Verdict, last: Verdict) -> list[str]:
    """The cells of a stretch, with the evidence of its first verdict."""
    steps = str(first.step)
    if last.step != first.step:
        steps += f" to {last.step}"
    slugs = ", ".join(cause.slug for cause in first.causes)
    evidence = ""
    if first.causes:
        evidence = first.causes[0].evidence
    return [
        steps,
        escape(first.state),
        escape(slugs),
        escape(evidence),
    ]


def _cause(cause: Cause) -> str:
    seen = f"seen at step {cause.step}"
    if cause.confidence:
        seen += f", confidence {cause.confidence:.1f}"
    slug = escape(cause.slug)
    evidence = escape(cause.evidence)
    cure = escape(cause.cure)
    return (
        f'<div class="cause"><code>{slug}</code> <span class="soft">{seen}</span>'
        f"<br>{evidence}<br><b>Cure:</b> {cure}</div>"
    )
