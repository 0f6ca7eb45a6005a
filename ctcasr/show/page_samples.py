"""Three utterances over the checks as HTML: what was written at each, and where the spikes were."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape

from ctcasr.records import CheckRecord, Record
from ctcasr.show.page import Column, Section, table
from ctcasr.show.raster import raster
from ctcasr.show.records import Sample, samples_of

Seen = tuple[int, Sample]  # the step of a check, and what it wrote

_ROWS = 16  # checks that are shown of each utterance
_WHY = (
    "What the network wrote at the checks: characters that are right in green, wrong ones in red, "
    "missing ones struck out. Where posteriors were recorded, each row is a check and runs through "
    "the utterance: dark frames are blank, bright ones are a symbol, be it the space."
)


def samples(records: Sequence[Record]) -> Section:
    """A block for each utterance that the checks sampled."""
    by_utterance: dict[str, list[Seen]] = {}
    for record in records:
        if not isinstance(record, CheckRecord):
            continue
        for sample in samples_of(record):
            seen = by_utterance.setdefault(sample.id, [])
            seen.append((record.step, sample))
    blocks = ""
    for name, seen in by_utterance.items():
        blocks += _block(name, few(seen))
    return Section("Three utterances", _WHY, blocks)


def few(seen: Sequence[Seen]) -> list[Seen]:
    """At most 16 of the checks, evenly spread, the first and the last among them."""
    if len(seen) <= _ROWS:
        return list(seen)
    stride = (len(seen) - 1) / (_ROWS - 1)
    places = [round(row * stride) for row in range(_ROWS)]
    return [seen[place] for place in places]


def _block(name: str, seen: Sequence[Seen]) -> str:
    reference = seen[-1][1].reference
    rows = []
    for step, sample in seen:
        written = marked(reference, sample.hypothesis) or _nothing(sample)
        rows.append([str(step), written])
    said = '<span class="soft">said</span>'
    rows.append([said, f"<b>{escape(reference)}</b>"])
    columns = [Column("step", "n"), Column("written", "text")]
    heading = f"<h3>{escape(name)}</h3>"
    return heading + raster(seen) + table(columns, rows)


def marked(reference: str, hypothesis: str) -> str:
    """The hypothesis, its characters marked as right or wrong, with those that it misses.

    Example:
        >>> marked("cat", "cut")[:60]
        '<span class="right">c</span><span class="wrong">u</span><spa'
    """
    if not hypothesis.strip():
        return ""
    matcher = SequenceMatcher(None, reference, hypothesis, autojunk=False)
    parts = []
    for change, said, said_end, first, end in matcher.get_opcodes():
        if change == "delete":
            missing = escape(reference[said:said_end])
            parts.append(f'<span class="missing">{missing}</span>')
        elif first < end:
            css = "right" if change == "equal" else "wrong"
            characters = escape(hypothesis[first:end])
            parts.append(f'<span class="{css}">{characters}</span>')
    return "".join(parts)


def _nothing(sample: Sample) -> str:
    """That no word was written, and what stood in its place."""
    written = "blanks and spaces" if sample.spikes else "only blanks"
    return f'<span class="soft">(nothing: {written})</span>'
