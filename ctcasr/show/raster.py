"""Posteriors of one utterance at every check, as SVG: dark is blank, bright is a symbol."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ctcasr.show.records import Sample, number
from ctcasr.show.svg_axis import LEFT, RIGHT, TICK_GAP, WIDTH

_ROW = 22  # height of a check
_GAP = 3  # between two checks
_MARGIN = 4  # above and below all
_BLANK = 0.99  # posterior from which a frame is drawn as blank throughout
_SEAM = 0.4  # that neighbours overlap, so that no gap is seen between them


def raster(checks: Sequence[tuple[int, Sample]]) -> str:
    """One row for each (step, sample) whose posteriors were recorded; empty without any."""
    rows = [(step, sample) for step, sample in checks if sample.blank]
    if not rows:
        return ""
    frames = max(len(sample.blank or ()) for _, sample in rows)
    frame_width = (RIGHT - LEFT) / frames
    parts = []
    for index, (step, sample) in enumerate(rows):
        parts.append(_row(step, sample, _MARGIN + index * _ROW, frame_width))
    height = 2 * _MARGIN + len(rows) * _ROW
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="posteriors">'
        f'<svg class="raster" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="where the symbols are, check by check">{"".join(parts)}</svg></div>'
    )


def _row(step: int, sample: Sample, top: float, frame_width: float) -> str:
    """The frames of one check, with the symbols that it writes."""
    blank = sample.blank or ()
    baseline = top + _ROW / 2 + 3
    height = _ROW - _GAP
    parts = [
        f'<text x="{LEFT - TICK_GAP}" y="{baseline:.1f}" text-anchor="end">{step}</text>'
        f'<rect class="frames" x="{LEFT}" y="{top}" width="{frame_width * len(blank):.1f}" '
        f'height="{height}"/>'
    ]
    for frame, posterior in enumerate(blank):
        share = number(posterior)
        if share is not None and share < _BLANK:
            parts.append(
                f'<rect class="symbol" x="{LEFT + frame_width * frame:.1f}" y="{top}" '
                f'width="{frame_width + _SEAM:.2f}" height="{height}" '
                f'fill-opacity="{1 - share:.2f}"/>'
            )
    for frame, symbol, *_ in sample.spikes:
        x = LEFT + frame_width * (frame + 0.5)
        parts.append(
            f'<text class="spike" x="{x:.1f}" y="{baseline:.1f}" text-anchor="middle">'
            f"{escape(str(symbol))}</text>"
        )
    return "".join(parts)
