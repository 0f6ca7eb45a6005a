"""The page about a trial: one HTML file that opens from disk and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from ctcasr.compare.panel import panel_of
from ctcasr.compare.quality import SoundSummary
from ctcasr.compare.summary import Row, Summary
from ctcasr.scoring.bootstrap import UNDECIDED
from ctcasr.show.intervals import Condition, Estimate, interval_chart
from ctcasr.show.page import Column, Section, facts, folded, page, table, write_html
from ctcasr.show.score_cells import (
    FIXED,
    failure_texts,
    fixed_text,
    measured,
    median_text,
    resolvable_of,
    row_cells,
    word_differences,
)
from ctcasr.show.units import UNKNOWN, percent

_TITLES = {
    "snr": "By SNR",
    "interferer": "By kind of interferer",
    "noise": "By class of noise",
    "speaker": "By speaker",
    "seen": "By whether the noise was in training",
}
_ORDERED = "snr"  # the strata that have an order: their points are joined
_MOST_DRAWN = 20  # strata
_AGAINST_CLEAN = {
    "si_sdr_db": "SI-SDR dB",
    "pesq": "PESQ",
    "stoi": "STOI",
    "estoi": "ESTOI",
    "split_snr_db": "SNR dB",
    "split_sar_db": "SAR dB",
}
_OPINIONS = {
    "dnsmos_ovrl": "DNSMOS",
    "dnsmos_sig": "of speech",
    "dnsmos_bak": "of background",
    "dnsmos_p808": "P.808",
}
# A phone shows the first four without scrolling.
_COLUMNS = (
    Column("recogniser"),
    Column("condition"),
    Column("WER", "r"),
    Column(""),
    Column("against noisy [95 %]", "r"),
    Column("finds", "r"),
    Column("CER", "r"),
    Column("S / D / I", "r"),
    Column("empty / lost", "r"),
)

_RATES_WHY = (
    "Words wrong, against the same scenes unprocessed (in points). The word comes from the "
    "interval of the difference (corrected by Holm where several are tested): <b>helps</b> where "
    "all of it lies below zero, <b>harms</b> above, else undecided. Drawn are {unit}s, since "
    "scenes of one {unit} are not independent. <b>Finds</b>: the difference in points that is "
    "found in 4 of 5 cases."
)
_PANEL_WHY = (
    "Difference of WER to noisy in points with 95 % intervals, by the recogniser; in brackets its "
    "WER on clean speech (noisy, where there is none), the strongest first. Hollow points are "
    "undecided. What one says of an enhancer that was trained to please it is left out."
)
_ADDING_WHY = (
    "WER of the dev part by the share of noisy sound that is added back; the best share was then "
    "scored once on the rest."
)
_SOUND_WHY = (
    "Medians; in brackets the median gain over noisy. SNR and SAR split what is left besides "
    "speech by orthogonal projection: noise and artifacts, of which noisy sound has none. Less "
    "noise and more artifacts sounds better, and may be understood worse."
)
_SCENES_WHY = "Where the first enhancer helped most, hurt most, and one in the middle."


def write_page(
    path: Path, title: str, summary: Summary, remarks: Sequence[str], pictures: Sequence[str]
) -> Path:
    """Write the page; `pictures` are ready-made HTML figures of single scenes."""
    sections = [
        Section("Error rates", _RATES_WHY.format(unit=summary.unit), _rates(summary.rows)),
        Section("Judges of different strength", _PANEL_WHY, _panel(summary)),
        *_strata(summary),
        Section("Observation adding", _ADDING_WHY, _choices(summary)),
        Section("Sound", _SOUND_WHY, _sound(summary)),
        Section("Scenes", _SCENES_WHY, "".join(pictures)),
    ]
    head = _facts(summary) + _list(remarks)
    return write_html(path, page(title, head, sections))


def _facts(summary: Summary) -> str:
    differences = word_differences(summary)
    words = sorted({difference.word for difference in differences})
    resolvable = resolvable_of(differences)
    smallest = f"{100 * max(resolvable):.2f} points" if resolvable else UNKNOWN
    scenes = max((row.errors.utterances for row in summary.rows), default=0)
    entries = [
        (str(scenes), "scenes scored"),
        (str(summary.units), f"{summary.unit}s, the units of the bootstrap"),
        (", ".join(words) or UNKNOWN, "enhanced sound, against noisy"),
        (smallest, "difference that this set finds in 4 of 5 cases, whichever pair it is"),
    ]
    return facts(entries)


def _list(entries: Sequence[str]) -> str:
    if not entries:
        return ""
    items = "".join(f"<li>{escape(entry)}</li>" for entry in entries)
    return f"<ul>{items}</ul>"


def _rates(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        cells = row_cells(row)
        lines.append(
            [
                escape(cells.judge),
                escape(cells.condition),
                escape(cells.wer),
                f'<span class="{cells.word}">{cells.word}</span>',
                cells.against,
                cells.resolvable,
                escape(cells.cer),
                cells.counts,
                f"{cells.empty} / {cells.lost}",
            ]
        )
    return table(_COLUMNS, lines)


def _strata(summary: Summary) -> list[Section]:
    """A section for each kind of strata: a chart for the first judge, the others folded away."""
    judges = list(dict.fromkeys(row.judge for row in summary.rows))
    looks = _looks(summary)
    sections = []
    for kind, strata in summary.strata.items():
        if len(strata) < 2 and kind != _ORDERED:
            continue
        charts = ""
        why = f"{len(strata)} groups, too many to draw."
        if len(strata) <= _MOST_DRAWN:
            why = "WER with 95 % intervals."
            for number, judge in enumerate(judges):
                chart = _chart(judge, strata, looks, joined=kind == _ORDERED)
                charts += chart if number == 0 else folded(judge, chart)
                if number == 0 and len(judges) > 1:
                    charts = f"<h3>{escape(judge)}</h3>{charts}"
        numbers = "".join(f"<h3>{escape(name)}</h3>{_rates(rows)}" for name, rows in strata.items())
        sections.append(Section(_TITLES[kind], why, charts + folded("numbers", numbers)))
    return sections


def _looks(summary: Summary) -> dict[str, int]:
    """A number for the look of each condition, the same in all charts."""
    conditions = dict.fromkeys(row.condition for row in summary.rows)
    return {condition: number for number, condition in enumerate(conditions)}


def _chart(
    judge: str, strata: Mapping[str, Sequence[Row]], looks: Mapping[str, int], joined: bool
) -> str:
    """The WER of one judge in every stratum, condition by condition."""
    estimates: dict[str, list[Estimate]] = {}
    for index, rows in enumerate(strata.values()):
        for row in rows:
            rate = row.errors.words.rate
            if row.judge == judge and rate is not None:
                low, high = row.interval
                of_condition = estimates.setdefault(row.condition, [])
                of_condition.append(Estimate(index, rate, low, high))
    conditions = [
        Condition(name, of_condition, looks[name]) for name, of_condition in estimates.items()
    ]
    return interval_chart(list(strata), conditions, title=f"WER of {judge}", joined=joined)


def _panel(summary: Summary) -> str:
    """What each enhancer does to judges of different strength; nothing for one judge."""
    panel = panel_of(summary)
    if len(panel.judges) < 2:
        return ""
    looks = _looks(summary)
    conditions = []
    for enhancer, effects in panel.effects.items():
        estimates = []
        for effect in effects:
            low, high = effect.difference.interval
            number = panel.judges.index(effect.judge)
            undecided = effect.difference.word == UNDECIDED
            points = effect.difference.difference
            estimates.append(Estimate(number, points, low, high, undecided))
        conditions.append(Condition(enhancer, estimates, looks[enhancer]))
    names = []
    for judge in panel.judges:
        names.append(f"{judge} ({percent(panel.strength[judge])})")
    chart = interval_chart(names, conditions, title="effect of the enhancers", signed=True)
    return chart + _list(panel.turns)


def _choices(summary: Summary) -> str:
    """A chart for each judge, with a line for each enhancer."""
    looks = _looks(summary)
    charts = []
    for judge in dict.fromkeys(choice.judge for choice in summary.choices):
        conditions = []
        shares: dict[str, int] = {}
        chosen = []
        for choice in summary.choices:
            if choice.judge != judge:
                continue
            estimates = []
            for share, wer in choice.dev_wer.items():
                index = shares.setdefault(f"{share:g}", len(shares))
                estimates.append(Estimate(index, wer, wer, wer))
            chosen.append(f"{choice.enhancer}: {choice.share:g} chosen")
            conditions.append(Condition(choice.enhancer, estimates, looks.get(choice.enhancer)))
        chart = interval_chart(list(shares), conditions, title=f"WER of {judge} on the dev part")
        charts.append(f"<h3>{escape(judge)}</h3>{chart}{_list(chosen)}")
    return "".join(charts)


def _sound(summary: Summary) -> str:
    """The metrics of all scenes, and folded away those of each stratum."""
    parts = []
    for strata in summary.strata_sound.values():
        if len(strata) > 1:
            for name, sound in strata.items():
                numbers = _sound_tables(sound)
                if numbers:
                    parts.append(f"<h3>{escape(name)}</h3>{numbers}")
    whole = _sound_tables(summary.sound) + _list(failure_texts(summary.failures))
    return whole + folded("by stratum", "".join(parts)) + _put_right(summary.sound)


def _sound_tables(sound: Mapping[str, SoundSummary]) -> str:
    """What needs clean speech, and what does not."""
    return _sound_table(sound, _AGAINST_CLEAN) + _sound_table(sound, _OPINIONS)


def _sound_table(sound: Mapping[str, SoundSummary], titles: Mapping[str, str]) -> str:
    """A row for each condition; empty where nothing was measured."""
    metrics = measured(sound, titles)
    if not metrics:
        return ""
    columns = [Column("condition"), *(Column(title, "r") for title in metrics.values())]
    rows = []
    for condition, summary in sound.items():
        cells = [median_text(summary, name) for name in metrics]
        rows.append([escape(condition), *cells])
    return table(columns, rows)


def _put_right(sound: Mapping[str, SoundSummary]) -> str:
    """How many files came late, at another level, or were odd in another way; folded away."""
    rows = []
    for condition, summary in sound.items():
        rows.append([escape(condition), str(summary.scenes), fixed_text(summary)])
    columns = [Column("condition"), Column("scenes", "r"), Column(FIXED, "r")]
    return folded("what had to be put right", table(columns, rows))
