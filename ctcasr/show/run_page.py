"""The page about a run: doctor.html, one file that opens from disk and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

from ctcasr.diagnose.verdicts import verdict
from ctcasr.records import read_records
from ctcasr.show.charts import Curve, Mark, chart
from ctcasr.show.curves import series, smooth
from ctcasr.show.page_samples import samples
from ctcasr.show.page_verdicts import banner, history, verdicts_of
from ctcasr.show.records import RecordLike, final_course, number
from ctcasr.show.run_view import RunView
from ctcasr.show.style import SCRIPT, STYLE
from ctcasr.show.units import clock, count, percent

Points = list[tuple[float, float]]


def write_page(run: Path | str) -> Path:
    """Write doctor.html into the folder of a run; FileNotFoundError without records.jsonl."""
    run = Path(run)
    records = final_course(read_records(run))
    plain = [{"kind": r.kind, "step": r.step, **r.data} for r in records]
    judged = verdicts_of(records)
    own = verdict(plain)
    released = None if own.estimated else own.release_step
    latest = judged[-1][1] if judged else own.as_json()
    body = [
        f"<h1>{escape(run.resolve().name)}</h1>",
        _facts(RunView.of(records), released),
        banner(latest, recorded=bool(judged)),
        _blank(records, released),
        _loss(records, released),
        _listening(records, released),
        _errors(records, released),
        _steps(records, released),
        samples(records),
        history(judged),
        _events(records),
    ]
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(run.resolve().name)}: the doctor's page</title><style>{STYLE}</style><main>{''.join(body)}</main>"
        f"<script>{SCRIPT}</script></html>\n"
    )
    path = run / "doctor.html"
    path.write_text(page, encoding="utf-8")
    return path


def _facts(story: RunView, released: int | None) -> str:
    best = story.best or {}
    facts = [
        (count(story.step) + (f" of {count(story.steps)}" if story.steps else ""), "steps"),
        (clock(story.time_s), "training time"),
        (
            count(number(story.start.get("parameters"))),
            f"parameters, {story.start.get('network', 'network')}",
        ),
        (percent(number(best.get("wer")), 1), f"best WER, at step {best.get('step', '-')}"),
        (
            "not yet" if released is None else f"step {count(released)}",
            "release from the blank plateau",
        ),
    ]
    return (
        '<div class="facts">'
        + "".join(f"<div><b>{escape(a)}</b><span>{escape(b)}</span></div>" for a, b in facts)
        + "</div>"
    )


def _section(title: str, why: str, picture: str) -> str:
    return (
        f'<section><h2>{title}</h2><p class="why">{why}</p>{picture}</section>' if picture else ""
    )


def _points(records: Sequence[RecordLike], kind: str, name: str, smoothed: bool = False) -> Points:
    steps, values = series(records, kind, name)
    return list(zip(map(float, steps), smooth(values) if smoothed else values, strict=True))


def _marks(released: int | None) -> list[Mark]:
    return [] if released is None else [Mark(released, f"release, step {released}")]


def _blank(records: Sequence[RecordLike], released: int | None) -> str:
    curves = [
        Curve(
            "blank is the likeliest class",
            _points(records, "step", "blank_argmax", True),
            "purple",
            "dashed",
        ),
        Curve(
            "mass that the model gives the blank",
            _points(records, "step", "blank_mass", True),
            "orange",
        ),
        Curve(
            "share that the targets ask for",
            _points(records, "step", "blank_expected", True),
            "blue",
        ),
    ]
    why = (
        "CTC pulls the model's blank mass (orange) towards the share that its own alignments of the targets ask for "
        "(blue); the distance between them is the mean gradient on the blank. Blank likeliest nearly everywhere "
        "(dashed) with both curves together is the blank plateau: the model has not found yet what depends on the "
        "sound. It ends at the release: the first check from which the character error rate stays at or below 80 %."
    )
    return _section(
        "Blank share", why, chart(curves, unit="%", marks=_marks(released), last=_last(records))
    )


def _loss(records: Sequence[RecordLike], released: int | None) -> str:
    dev = _points(records, "check", "dev_loss")
    deaf = [
        (float(r.step), value)
        for r in records
        if r.kind == "check" and (value := _evidence(r, "deaf")) is not None
    ]
    before = [(x, y) for x, y in dev if released is None or x < released]
    plateau: Points = []
    if len(before) >= 2 and not deaf:
        level = median(y for _, y in before[len(before) // 2 :])
        plateau = [(before[0][0], level), (before[-1][0], level)]
    curves = [
        Curve("", _points(records, "step", "loss"), "blue", "faint"),
        Curve("train, nats an utterance", _points(records, "step", "loss", True), "blue"),
        Curve("dev", dev, "orange", "dots"),
        Curve("best model that does not listen", deaf, "grey", "dashed"),
        Curve("plateau: median of the dev loss before release", plateau, "grey", "dashed"),
    ]
    dashed = (
        " The dashed line is where that ends; only a loss below it shows that the sound is used."
        if deaf or plateau
        else ""
    )
    return _section(
        "Loss",
        "A model can come down far by learning what is usually said when, without listening."
        + dashed,
        chart(curves, log=True, marks=_marks(released), last=_last(records)),
    )


def _listening(records: Sequence[RecordLike], released: int | None) -> str:
    def of(name: str) -> Points:
        return [
            (float(r.step), value)
            for r in records
            if r.kind == "check" and (value := _evidence(r, name)) is not None
        ]

    curves = [
        Curve("with its own sound", of("own"), "blue", "dots"),
        Curve("with the sound of another utterance", of("other"), "red", "dots"),
    ]
    return _section(
        "Does it listen?",
        "The same texts scored with their own sound and with that of another utterance, in nats. While both "
        "are equal, the model ignores what it hears.",
        chart(curves, log=True, marks=_marks(released), last=_last(records)),
    )


def _errors(records: Sequence[RecordLike], released: int | None) -> str:
    curves = [
        Curve("WER", _points(records, "check", "wer"), "blue", "dots"),
        Curve("CER", _points(records, "check", "cer"), "orange", "dots"),
    ]
    return _section(
        "Error rates",
        "Words and characters of the part that selects, by greedy decoding.",
        chart(curves, unit="%", marks=_marks(released), last=_last(records)),
    )


def _steps(records: Sequence[RecordLike], released: int | None) -> str:
    norm = [
        Curve("", _points(records, "step", "grad_norm"), "grey", "faint"),
        Curve("gradient norm", _points(records, "step", "grad_norm", True), "purple"),
    ]
    ratio = [
        Curve(
            "length of a step against that of the weights",
            _points(records, "step", "update_ratio", True),
            "green",
        )
    ]
    pictures = [
        chart(
            [Curve("learning rate", _points(records, "step", "lr"), "blue")],
            marks=_marks(released),
            last=_last(records),
        ),
        chart(norm, log=True, marks=_marks(released), last=_last(records)),
        chart(ratio, log=True, marks=_marks(released), last=_last(records)),
    ]
    return _section(
        "Steps",
        "A gradient norm that grows while the loss does not fall, or jumps by powers of ten, asks for a lower rate; "
        "steps usually are 1e-4 to 1e-2 of the weights.",
        "".join(pictures),
    )


def _events(records: Sequence[RecordLike]) -> str:
    rows = [
        f'<tr><td class="n">{r.step}</td><td>{escape(str(r.data.get("what")))}</td><td>{escape(str(r.data.get("message")))}</td></tr>'
        for r in records
        if r.kind == "event"
    ]
    table = (
        f"<table><tr><th>step</th><th>what</th><th></th></tr>{''.join(rows[:200])}</table>"
        if rows
        else ""
    )
    return _section("Events", "What was left out, skipped or interrupted.", table)


def _evidence(record: RecordLike, name: str) -> float | None:
    """A yardstick of a check: `deaf` (loss of the best model that does not listen), `own` and `other`."""
    found: Any = record.data.get("evidence")
    part = found.get("dev") if isinstance(found, Mapping) else None
    return number(part.get(name)) if isinstance(part, Mapping) else None


def _last(records: Sequence[RecordLike]) -> float:
    return float(max((r.step for r in records), default=0))
