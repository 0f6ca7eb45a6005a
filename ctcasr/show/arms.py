"""Several ways of training side by side: one small picture for each, the first one in grey behind all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ctcasr.show.curves import new_figure
from ctcasr.show.units import BLUE, GREY, VERMILION

Curve = Sequence[tuple[int, float, float]]  # step, CER, WER (shares) of each check
RELEASED = 0.8


def draw_arms(path: str | Path, arms: Mapping[str, Sequence[Curve]]) -> Path:
    """Draw CER over steps for every run of every arm into the file `path`; the dashed line is where the plateau ends."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = min(4, len(arms))
    rows = -(-len(arms) // columns)
    figure = new_figure(3.2 * columns, 2.4 * rows)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    first = next(iter(arms.values()))
    for (name, runs), axis in zip(arms.items(), axes.flat, strict=False):
        for curve in first:
            axis.plot([p[0] for p in curve], [100 * p[1] for p in curve], color=GREY, linewidth=0.8)
        for curve in runs if runs is not first else ():
            axis.plot([p[0] for p in curve], [100 * p[1] for p in curve], color=BLUE, linewidth=1.4)
        axis.axhline(100 * RELEASED, color=VERMILION, linewidth=0.8, linestyle="--")
        axis.set_title(name, fontsize=9)
        axis.set_ylim(0, 105)
    for axis in list(axes.flat)[len(arms) :]:
        axis.set_visible(False)
    figure.supxlabel("optimiser steps")
    figure.supylabel("CER % on the dev part")
    figure.savefig(path, dpi=130)
    return path
