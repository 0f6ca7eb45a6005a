"""The page about a trial: one HTML file that opens from disk and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from ctcasr.compare.summary import Row, Summary
from ctcasr.show.bars import Series, bars
from ctcasr.show.score_report import against
from ctcasr.show.style import STYLE
from ctcasr.show.units import percent

_STYLE = """
.helps { color:var(--green); font-weight:700 } .harms { color:var(--red); font-weight:700 } .undecided { color:var(--orange) }
 circle.grey { fill:var(--grey) } img { width:100%; display:block; border-radius:6px } td.r,th.r { text-align:right;
 font-variant-numeric:tabular-nums; white-space:nowrap } .heard { font-family:ui-monospace,monospace; font-size:.9rem; white-space:pre-wrap;
 margin:.3rem 0 1.2rem } .sound { font-size:.82rem } .sound th.r { white-space:normal }
"""
_TITLE = {
    "snr": "By SNR",
    "interferer": "By kind of interferer",
    "noise": "By class of noise",
    "speaker": "By speaker",
    "seen": "By whether the noise was in training",
}


def write_page(
    path: Path, title: str, summary: Summary, remarks: Sequence[str], pictures: Sequence[str]
) -> Path:
    """Write the page; `pictures` are ready-made HTML figures of single scenes."""
    judges = list(dict.fromkeys(row.judge for row in summary.rows))
    body = [f"<h1>{escape(title)}</h1>", _facts(summary)]
    if remarks:
        body.append("<ul>" + "".join(f"<li>{escape(remark)}</li>" for remark in remarks) + "</ul>")
    body.append(
        _section(
            "Error rates",
            "Words wrong, against the same scenes unprocessed. The word comes from the interval of the difference (corrected by "
            "Holm where several are tested): <b>helps</b> where all of it lies below zero, <b>harms</b> above, else undecided. Drawn are "
            f"{summary.unit}s, since scenes of one {summary.unit} are not independent.",
            _rows(summary.rows),
        )
    )
    for kind, parts in summary.strata.items():
        if len(parts) < 2 and kind != "snr":
            continue
        charts = (
            "".join(_chart(judge, parts, len(judges) > 1, kind == "snr") for judge in judges)
            if len(parts) <= 20
            else ""
        )
        tables = "".join(f"<h3>{escape(name)}</h3>{_rows(rows)}" for name, rows in parts.items())
        why = "WER with 95 % intervals." if charts else f"{len(parts)} groups, too many to draw."
        body.append(
            _section(
                _TITLE[kind], why, f"{charts}<details><summary>numbers</summary>{tables}</details>"
            )
        )
    body.append(
        _section(
            "Observation adding",
            "WER of the dev part by the share of noisy sound that is added back; the best share was "
            "then scored once on the rest.",
            _choices(summary),
        )
    )
    body.append(
        _section(
            "Sound",
            "Medians; in brackets the median gain over noisy. The last columns split what is left besides speech by orthogonal "
            "projection: noise (SNR) and artifacts (SAR). Less noise and more artifacts sounds better, and may be understood worse.",
            _sounds(summary),
        )
    )
    body.append(
        _section(
            "Scenes",
            "Where the first enhancer helped most, hurt most, and one in the middle.",
            "".join(pictures),
        )
    )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}{_STYLE}</style><main>{''.join(body)}</main></html>\n"
    )
    path.write_text(page, encoding="utf-8")
    return path


def _facts(summary: Summary) -> str:
    words = {row.against.word for row in summary.rows if row.against and row.condition != "clean"}
    resolvable = [
        row.against.resolvable
        for row in summary.rows
        if row.against and row.condition != "clean" and row.against.resolvable
    ]
    facts = [
        (str(max((row.errors.utterances for row in summary.rows), default=0)), "scenes scored"),
        (str(summary.units), f"{summary.unit}s, the units of the bootstrap"),
        (", ".join(sorted(words)) or "-", "the words"),
        (
            f"{100 * min(resolvable):.1f} points" if resolvable else "-",
            "smallest difference that this set finds in 4 of 5 cases",
        ),
    ]
    return (
        '<div class="facts">'
        + "".join(f"<div><b>{escape(a)}</b><span>{escape(b)}</span></div>" for a, b in facts)
        + "</div>"
    )


def _section(title: str, why: str, inside: str) -> str:
    return f'<section><h2>{title}</h2><p class="why">{why}</p>{inside}</section>' if inside else ""


def _rows(rows: Sequence[Row]) -> str:
    head = "".join(
        f'<th class="{c}">{t}</th>'
        for t, c in (
            ("recogniser", ""),
            ("condition", ""),
            ("WER", "r"),
            ("CER", "r"),
            ("S / D / I", "r"),
            ("against noisy, points [95 %]", "r"),
            ("", ""),
            ("resolves", "r"),
            ("empty", "r"),
            ("lost", "r"),
        )
    )
    lines = []
    for row in rows:
        words, found = row.errors.words, row.against
        word = found.word if found and row.condition != "clean" else ""
        resolves = f"{100 * found.resolvable:.2f}" if found and found.resolvable else "-"
        counts = f"{words.substitutions} / {words.deletions} / {words.insertions}"
        cells = [percent(words.rate, 2), percent(row.errors.chars.rate, 2), counts, against(found)]
        lines.append(
            f"<tr><td>{escape(row.judge)}</td><td>{escape(row.condition)}{' (own listener)' if row.own_listener else ''}</td>"
            + "".join(f'<td class="r">{cell}</td>' for cell in cells)
            + f'<td class="{word}">{word}</td>'
            + "".join(
                f'<td class="r">{cell}</td>'
                for cell in (resolves, row.errors.empty, sum(row.lost.values()))
            )
            + "</tr>"
        )
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _chart(judge: str, parts: Mapping[str, Sequence[Row]], named: bool, joined: bool) -> str:
    series = []
    for condition in dict.fromkeys(
        row.condition for rows in parts.values() for row in rows if row.judge == judge
    ):
        points = [
            (index, row.errors.words.rate, *row.interval)
            for index, rows in enumerate(parts.values())
            for row in rows
            if row.judge == judge and row.condition == condition and row.errors.utterances
        ]
        series.append(Series(condition, points))
    return (f"<h3>{escape(judge)}</h3>" if named else "") + bars(list(parts), series, joined=joined)


def _choices(summary: Summary) -> str:
    figures = []
    for choice in summary.choices:
        points = [(index, wer, wer, wer) for index, wer in enumerate(choice.dev_wer.values())]
        figures.append(
            f"<h3>{escape(choice.judge)}, {escape(choice.enhancer)}: {choice.share:g} chosen</h3>"
            + bars(
                [f"{share:g}" for share in choice.dev_wer], [Series("WER on the dev part", points)]
            )
        )
    return "".join(figures)


def _sounds(summary: Summary) -> str:
    """The metrics of all scenes, and folded away those of each stratum."""
    parts = [
        (name, found)
        for kind, strata in summary.strata_sound_as_json().items()
        if len(strata) > 1
        for name, found in strata.items()
    ]
    inside = "".join(
        f"<h3>{escape(name)}</h3>{_sound(found, {})}" for name, found in parts if _sound(found, {})
    )
    return _sound(summary.sound_as_json(), summary.failures) + (
        f"<details><summary>by stratum</summary>{inside}</details>" if inside else ""
    )


def _sound(
    qualities: Mapping[str, Mapping[str, float | int]], failures: Mapping[str, Mapping[str, int]]
) -> str:
    names = {
        "si_sdr_db": "SI-SDR dB",
        "pesq": "PESQ",
        "stoi": "STOI",
        "estoi": "ESTOI",
        "split_sdr_db": "SDR dB",
        "split_snr_db": "SNR dB",
        "split_sar_db": "SAR dB",
    }
    shown = {
        m: t for m, t in names.items() if any(f"{m}_median" in row for row in qualities.values())
    }
    if not shown:
        return ""
    lines = []
    for condition, row in qualities.items():
        cells = [
            f"{row[f'{m}_median']:.2f}"
            + (f" ({row[f'{m}_gain_median']:+.2f})" if f"{m}_gain_median" in row else "")
            if f"{m}_median" in row
            else "-"
            for m in shown
        ]
        lines.append(
            f"<tr><td>{escape(condition)}</td>"
            + "".join(f'<td class="r">{c}</td>' for c in cells)
            + f'<td class="r">{row["lagged"]} / {row["rescaled"]} / {row["odd"]}</td></tr>'
        )
    head = "".join(f'<th class="r">{t}</th>' for t in (*shown.values(), "lagged / rescaled / odd"))
    failed = "".join(
        f"<li>{escape(m)} failed for {n} sounds: {escape(reason)}</li>"
        for m, reasons in failures.items()
        for reason, n in reasons.items()
    )
    return f"<table class='sound'><tr><th>condition</th>{head}</tr>{''.join(lines)}</table>" + (
        f"<ul>{failed}</ul>" if failed else ""
    )
