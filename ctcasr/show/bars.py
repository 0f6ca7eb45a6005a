"""Error rates with their intervals as SVG, drawn without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 900, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 18, 34
COLOURS = ("grey", "green", "blue", "orange", "purple", "red")


@dataclass(frozen=True)
class Series:
    """One condition: (index of the group, value, low, high) in shares of 1."""

    label: str
    points: Sequence[tuple[int, float, float, float]]


def bars(
    groups: Sequence[str], series: Sequence[Series], unit: str = "WER", joined: bool = True
) -> str:
    """Groups across, each series as points with intervals side by side, joined where groups have an order; empty without points."""
    ends = [
        min(high, 1.5) if math.isfinite(high) else value
        for one in series
        for _, value, _, high in one.points
    ]
    if not ends:
        return ""
    top = 100 * max(max(ends), 0.05) * 1.05
    step = next(s for s in (1, 2, 5, 10, 20, 25, 50) if top / s <= 8)
    wide = (WIDTH - _LEFT - _RIGHT) / len(groups)

    def up(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(100 * value, top) / top

    parts = [
        f'<path class="grid" d="M{_LEFT} {up(t / 100):.1f}H{WIDTH - _RIGHT}"/><text x="{_LEFT - 8}" y="{up(t / 100) + 4:.1f}" '
        f'text-anchor="end">{t} %</text>'
        for t in range(0, int(top) + 1, step)
    ]
    parts += [
        f'<text x="{_LEFT + wide * (i + 0.5):.1f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(name)}</text>'
        for i, name in enumerate(groups)
    ]
    for index, one in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        aside = wide * 0.6 * ((index + 0.5) / len(series) - 0.5)
        at = [
            (_LEFT + wide * (group + 0.5) + aside, value, low, high)
            for group, value, low, high in one.points
        ]
        if joined:
            path = "M" + "L".join(f"{x:.1f} {up(value):.1f}" for x, value, _, _ in at)
            parts.append(f'<path class="line faint {colour}" d="{path}"/>')
        for x, value, low, high in at:
            if math.isfinite(low) and math.isfinite(high):
                parts.append(
                    f'<path class="line {colour}" d="M{x:.1f} {up(max(low, 0)):.1f}V{up(high):.1f}"/>'
                )
            title = f"{one.label}: {100 * value:.2f} % [{100 * low:.2f}, {100 * high:.2f}]"
            parts.append(
                f'<circle class="{colour}" cx="{x:.1f}" cy="{up(value):.1f}" r="4.5"><title>{escape(title)}</title></circle>'
            )
    legend = "".join(
        f'<span><i class="{COLOURS[i % len(COLOURS)]}"></i>{escape(one.label)}</span>'
        for i, one in enumerate(series)
    )
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(unit)}">{"".join(parts)}</svg>'
        f"<figcaption>{legend}</figcaption></figure>"
    )
