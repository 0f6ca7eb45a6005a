"""Several ways of training side by side: a small picture for each, the first in grey behind all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctcasr.diagnose.history import RELEASED
from ctcasr.show.curves import new_figure
from ctcasr.show.units import BLUE, GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = Sequence[tuple[int, float, float]]  # step, CER, WER (shares) of each check

_COLUMNS = 4
_COLUMN_IN = 3.2
_ROW_IN = 2.4
_DPI = 130


def draw_arms(path: str | Path, arms: Mapping[str, Sequence[Curve]]) -> Path:
    """Draw CER over the steps for every run of every arm into the file `path`.

    The dashed line is where the plateau ends.

    Raises:
        ImportError: without matplotlib.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = min(_COLUMNS, len(arms))
    rows = math.ceil(len(arms) / columns)
    width_in = columns * _COLUMN_IN
    height_in = rows * _ROW_IN
    figure = new_figure(width_in, height_in)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    axes = list(grid.flat)
    first, *_ = arms.values()
    for axis, (name, runs) in zip(axes, arms.items(), strict=False):
        _draw(axis, first, GREY, 0.8)
        if runs is not first:
            _draw(axis, runs, BLUE, 1.4)
        plateau_end = 100 * RELEASED
        axis.axhline(plateau_end, color=VERMILION, linewidth=0.8, linestyle="--")
        axis.set_title(name, fontsize=9)
        axis.set_ylim(0, 105)
    for axis in axes[len(arms) :]:
        axis.set_visible(False)
    figure.supxlabel("optimiser steps")
    figure.supylabel("CER % on the dev part")
    figure.savefig(path, dpi=_DPI)
    return path


def _draw(axis: Axes, runs: Sequence[Curve], colour: str, width: float) -> None:
    """CER in per cent over the steps of each run."""
    for curve in runs:
        steps = [step for step, _, _ in curve]
        cers = [100 * cer for _, cer, _ in curve]
        axis.plot(steps, cers, color=colour, linewidth=width)
