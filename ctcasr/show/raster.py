"""Posteriors of one utterance at every check, as SVG: dark is blank, bright is a symbol."""

from __future__ import annotations

from collections.abc import Sequence

from ctcasr.show.records import Sample, number
from ctcasr.show.svg_axis import LEFT, RIGHT, TICK_GAP, WIDTH, svg_text

_ROW = 22  # height of a check
_GAP = 3  # between two checks
_MARGIN = 4  # above and below all
_BLANK = 0.99  # posterior from which a frame is drawn as blank throughout
_SEAM = 0.4  # that neighbours overlap, so that no gap is seen between them


def raster(checks: Sequence[tuple[int, Sample]]) -> str:
    """One row for each (step, sample) whose posteriors were recorded; empty without any.

    Example:
        >>> sample = Sample("u1", "a", "a", blank=[1.0, 0.2], spikes=[(1, "a", 0.8)])
        >>> raster([(5, sample)]).count("<rect")
        2
    """
    rows = [(step, sample) for step, sample in checks if sample.blank]
    if not rows:
        return ""
    frames = max(len(sample.blank or ()) for _, sample in rows)
    frame_width = (RIGHT - LEFT) / frames
    parts = []
    top = _MARGIN
    for step, sample in rows:
        parts.append(_row(step, sample, top, frame_width))
        top += _ROW
    height = top + _MARGIN
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
    width = frame_width * len(blank)
    vertical = f'y="{top}" height="{height}"'
    parts = [
        svg_text(LEFT - TICK_GAP, baseline, str(step), anchor="end"),
        f'<rect class="frames" x="{LEFT}" width="{width:.1f}" {vertical}/>',
    ]
    symbol_width = frame_width + _SEAM
    for frame, posterior in enumerate(blank):
        share = number(posterior)
        if share is None or share >= _BLANK:
            continue
        x = LEFT + frame_width * frame
        opacity = 1 - share
        parts.append(
            f'<rect class="symbol" x="{x:.1f}" width="{symbol_width:.2f}" {vertical} '
            f'fill-opacity="{opacity:.2f}"/>'
        )
    for frame, symbol, *_ in sample.spikes:
        middle = LEFT + frame_width * (frame + 0.5)
        parts.append(svg_text(middle, baseline, str(symbol), css="spike"))
    return "".join(parts)
