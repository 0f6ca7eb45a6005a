"""Three utterances over the epochs as HTML: what was written at each check, and where the spikes were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from html import escape
from typing import Any

from ctcasr.show.charts import raster
from ctcasr.show.records import RecordLike

_ROWS = 16  # checks that are shown of each utterance


def samples(records: Sequence[RecordLike]) -> str:
    """A block for each utterance that the checks sampled.

    A sample is {"id", "reference", "hypothesis"} and, where the task recorded them, "blank": the blank's posterior of every
    frame, and "spikes": [frame, symbol, posterior] of every symbol that is written.
    """
    found: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for record in records:
        for sample in record.data.get("samples") or () if record.kind == "check" else ():
            if isinstance(sample, Mapping):
                found.setdefault(str(sample.get("id")), []).append((record.step, sample))
    blocks = [_block(name, few(seen)) for name, seen in found.items()]
    if not blocks:
        return ""
    return (
        '<section><h2>Three utterances</h2><p class="why">What the network wrote at the checks: characters that are right in green, '
        "others in red. Where posteriors were recorded, each row is a check and runs through the utterance: dark frames are blank, "
        f"bright ones are a symbol; CTC narrows symbols to spikes of a frame or two.</p>{''.join(blocks)}</section>"
    )


def few(seen: Sequence[tuple[int, Mapping[str, Any]]]) -> list[tuple[int, Mapping[str, Any]]]:
    """At most 16 of the checks, evenly spread, the first and the last among them."""
    if len(seen) <= _ROWS:
        return list(seen)
    return [seen[round(i * (len(seen) - 1) / (_ROWS - 1))] for i in range(_ROWS)]


def _block(name: str, seen: Sequence[tuple[int, Mapping[str, Any]]]) -> str:
    said = str(seen[-1][1].get("reference") or "")
    rows = "".join(
        f'<tr><td class="n">{step}</td><td class="said">{_marked(said, str(s.get("hypothesis") or ""))}</td></tr>'
        for step, s in seen
    )
    pictures = raster(
        [
            (str(step), s["blank"], s.get("spikes") or ())
            for step, s in seen
            if isinstance(s.get("blank"), list)
        ]
    )
    return (
        f"<h3>{escape(name)}</h3>{pictures}<table><tr><th>step</th><th>written</th></tr>{rows}"
        f'<tr><td class="n soft">said</td><td class="said"><b>{escape(said)}</b></td></tr></table>'
    )


def _marked(said: str, written: str) -> str:
    """What was written, with the characters that agree with what was said marked."""
    if not written:
        return '<span class="soft">(nothing: only blanks)</span>'
    parts = []
    for what, _, _, a, b in SequenceMatcher(None, said, written, autojunk=False).get_opcodes():
        if a < b:
            parts.append(
                f'<span class="{"right" if what == "equal" else "wrong"}">{escape(written[a:b])}</span>'
            )
    return "".join(parts)
