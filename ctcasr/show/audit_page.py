"""The page about an audit: audit.html, with a player for each suspect; it copies no sound."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from urllib.parse import quote

from ctcasr.audit import Audit, LineVerdict
from ctcasr.audit.result import line_number
from ctcasr.show.audit_table import rather
from ctcasr.show.charts import Curve, chart
from ctcasr.show.page import Column, Section, facts, page, table, write_html
from ctcasr.show.raster import raster
from ctcasr.show.records import Sample
from ctcasr.show.units import percent

NAME = "audit.html"
_LISTED = 300  # suspects
_DRAWN = 40  # suspects
_DOUBTFUL = 0.2  # posterior from which on a word is marked

_SUSPECTS_WHY = (
    "The surest first. Words in red are probably wrong, a red stroke is where words are missing. "
    "Listen before you believe: the network mishears as well. The players read the corpus where "
    "it lies; open this page on the machine that has it."
)
_PICTURES_WHY = (
    "The symbols of the surest suspects over their frames, beside the number of the line: dark is "
    "blank, bright is a symbol. A line without symbols is silent, noise, or of another language."
)
_RANKS_WHY = (
    "The posterior that a line is wrong, the worst first. The area below the curve is the expected "
    "number of wrong lines; a steep edge says that right and wrong lines are told apart, a long "
    "slope that many are undecided."
)
_SHARES_WHY = (
    "The model of errors that was fitted to the corpus: shares of lines with the text of another "
    "one, and of words that are another one, that nobody said, or that are missing."
)


def write_audit_page(audit: Audit, out: Path) -> Path:
    """Write audit.html into a folder; sound files are referenced from there."""
    expected, least, most = audit.expected
    entries = [
        (str(len(audit.lines)), "lines"),
        (f"{expected:.0f} ({least:.0f} to {most:.0f})", "expected to be wrong"),
        (str(len(audit.suspects)), "suspected"),
    ]
    if audit.skipped:
        entries.append((str(len(audit.skipped)), "could not be judged"))
    sections = [
        _suspects(audit, out),
        _pictures(audit),
        _ranks(audit),
        _shares(audit),
        _skipped(audit),
    ]
    title = f"Audit of {Path(audit.manifest).name}"
    out.mkdir(parents=True, exist_ok=True)
    return write_html(out / NAME, page(title, facts(entries), sections))


def _suspects(audit: Audit, out: Path) -> Section:
    rows = []
    for line in audit.suspects[:_LISTED]:
        utterance = line.heard.utterance
        rows.append(
            [
                str(line_number(utterance)),
                escape(percent(line.wrong)),
                _how(audit, line),
                _written(line) + _heard(line),
                f"<b>{escape(rather(line))}</b>",
                player(utterance.audio_filepath, utterance.offset, utterance.duration, out),
            ]
        )
    columns = [
        Column("line", "n"),
        Column("wrong", "r"),
        Column("how"),
        Column("written", "text"),
        Column("rather", "text"),
        Column("listen"),
    ]
    why = _SUSPECTS_WHY
    if len(audit.suspects) > _LISTED:
        why += f" The first {_LISTED} of {len(audit.suspects)}; audit.jsonl has all."
    return Section("Suspects", why, table(columns, rows, stacked=True))


def _heard(line: LineVerdict) -> str:
    """What the network wrote."""
    return f'<br><span class="soft">heard: {escape(line.heard.hypothesis)}</span>'


def _pictures(audit: Audit) -> Section:
    """What the network heard of the surest suspects, each beside its number."""
    heard = []
    for line in audit.suspects[:_DRAWN]:
        sample = Sample(
            id=line.heard.utterance.id,
            reference=line.heard.text,
            hypothesis=line.heard.hypothesis,
            blank=line.heard.blank,
            spikes=line.heard.spikes,
        )
        heard.append((line_number(line.heard.utterance), sample))
    return Section("What was heard", _PICTURES_WHY, raster(heard))


def _how(audit: Audit, line: LineVerdict) -> str:
    """The kind, and of a swap the lines that have the better text."""
    kind = escape(line.kind)
    if line.kind != "swapped":
        return kind
    numbers = ", ".join(str(number) for number in audit.lines_with(line.partner)[:3])
    return f"{kind}<br>text of line {numbers}"


def _written(line: LineVerdict) -> str:
    """The transcript with its doubtful words marked."""
    if line.kind == "swapped":
        return f'<span class="wrong">{escape(line.heard.text)}</span>'
    parts = []
    for word in line.words:
        css = "wrong" if word.wrong >= _DOUBTFUL else ""
        if word.written:
            inside = escape(word.written)
            parts.append(f'<span class="{css}">{inside}</span>' if css else inside)
        elif css:
            parts.append('<span class="wrong">|</span>')
    return " ".join(parts) or escape(line.heard.text)


def player(audio: Path, offset: float, duration: float | None, out: Path) -> str:
    """A player of a part of a sound file, which is referenced relative to the page.

    Example:
        >>> player(Path("corpus/a b.wav"), 1.0, 2.5, Path("corpus/audit"))
        '<audio controls preload="none" src="../a%20b.wav#t=1,3.5"></audio>'
    """
    try:
        path = os.path.relpath(audio, out)
    except ValueError:  # on another drive of Windows
        path = str(audio.absolute())
    source = quote(path.replace(os.sep, "/"))
    if offset or duration is not None:
        source += f"#t={offset:g}"
        if duration is not None:
            source += f",{offset + duration:g}"
    return f'<audio controls preload="none" src="{escape(source)}"></audio>'


def _ranks(audit: Audit) -> Section:
    ranked = sorted((line.wrong for line in audit.lines), reverse=True)
    points = [(float(rank + 1), wrong) for rank, wrong in enumerate(ranked)]
    curve = Curve("posterior of being wrong", points, "red")
    drawn = chart([curve], title="Posterior by rank", unit="%")
    return Section("All lines", _RANKS_WHY, drawn)


def _shares(audit: Audit) -> Section:
    rows = [[escape(name), escape(percent(share))] for name, share in audit.shares.items()]
    columns = [Column("kind"), Column("share", "r")]
    return Section("Shares of errors", _SHARES_WHY, table(columns, rows))


def _skipped(audit: Audit) -> Section:
    rows = [[escape(skip.where), escape(skip.reason)] for skip in audit.skipped]
    columns = [Column("line"), Column("why")]
    return Section(
        "Not judged", "Lines without text, or that cannot be read.", table(columns, rows)
    )
