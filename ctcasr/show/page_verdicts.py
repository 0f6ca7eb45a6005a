"""The verdicts of a run as HTML: the last one in full, and how it came to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ctcasr.show.charts import spans
from ctcasr.show.records import RecordLike, number

Judged = list[tuple[RecordLike, Mapping[str, Any]]]


def verdicts_of(records: Sequence[RecordLike]) -> Judged:
    """(check, its verdict) of every check that has one."""
    return [
        (r, r.data["verdict"])
        for r in records
        if r.kind == "check" and isinstance(r.data.get("verdict"), Mapping)
    ]


def banner(latest: Mapping[str, Any], *, recorded: bool) -> str:
    """The verdict in a frame: state, and every cause with evidence and cure, the likeliest first."""
    state, causes = str(latest.get("state", "")), _causes(latest)
    release = number(latest.get("release_step"))
    after = (
        f", release expected about step {release:.0f}"
        if release is not None and latest.get("estimated")
        else ""
    )
    how = "trouble" if causes else "wait" if "wait" in state else ""
    parts = [
        f'<div class="cause"><code>{_told(c, "slug")}</code> <span class="soft">seen at step {_told(c, "step")}{_sure(c)}</span>'
        f"<br>{_told(c, 'evidence')}<br><b>Cure:</b> {_told(c, 'cure')}</div>"
        for c in causes
    ]
    note = (
        ""
        if recorded
        else '<p class="soft">The run recorded no verdict; this one was made from its records.</p>'
    )
    return f'<div class="verdict {how}"><h2>{escape(state or "no verdict")}{after}</h2>{note}{"".join(parts)}</div>'


def history(judged: Judged) -> str:
    """A row for every stretch of checks with the same state and the same first cause."""
    if not judged:
        return ""
    names = [
        f"{v.get('state')}|{','.join(str(c.get('slug')) for c in _causes(v))}" for _, v in judged
    ]
    rows = []
    for first, last in spans(names):
        (a, found), (b, _) = judged[first], judged[last]
        slugs = ", ".join(str(c.get("slug")) for c in _causes(found))
        steps = f"{a.step}" if a.step == b.step else f"{a.step} to {b.step}"
        rows.append(
            f'<tr><td class="n">{steps}</td><td>{escape(str(found.get("state")))}</td><td>{escape(slugs)}</td>'
            f"<td>{escape(str(_causes(found)[0].get('evidence', ''))) if slugs else ''}</td></tr>"
        )
    return (
        '<section><h2>Verdicts</h2><p class="why">What was said of the run at each check; stretches that agree are one row.</p>'
        f"<table><tr><th>steps</th><th>state</th><th>causes</th><th>evidence</th></tr>{''.join(rows)}</table></section>"
    )


def _causes(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [c for c in found.get("causes") or () if isinstance(c, Mapping)]


def _told(cause: Mapping[str, Any], name: str) -> str:
    return escape(str(cause.get(name, "")))


def _sure(cause: Mapping[str, Any]) -> str:
    confidence = number(cause.get("confidence"))
    return "" if confidence is None else f", confidence {confidence:.1f}"
