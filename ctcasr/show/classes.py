"""Pictures of a classifier: its confusion matrix, and accuracy and loss over the steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ctcasr.records import CheckRecord, StepRecord, read_records
from ctcasr.scoring.confusion import Confusion
from ctcasr.show.curves import new_figure, plain_text
from ctcasr.show.records import final_course, series
from ctcasr.show.units import BLUE, GREEN, ORANGE, SKY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 150
_MOST_COUNTED = 20  # classes; with more there is no room for counts
_DARK = 0.5  # share of a row from which the blue is dark


def draw_classes(run: str | Path, confusion: Confusion) -> list[Path]:
    """Draw learning.png and confusion.png of a run directory into its plots/.

    The matrix is drawn where there is something in it; returned are the paths.

    Raises:
        FileNotFoundError: without records.jsonl.
        ImportError: without matplotlib.
    """
    folder = Path(run) / "plots"
    figures = {"learning.png": _learning(run)}
    if confusion.total:
        figures["confusion.png"] = _matrix(confusion)
    folder.mkdir(exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=_DPI)
    return [folder / name for name in figures]


def _learning(run: str | Path) -> Figure:
    """Loss and accuracy of train and dev, side by side."""
    records = final_course(read_records(run))
    figure = new_figure(8.0, 4.5)
    left, right = figure.subplots(1, 2)
    for axis, name, title, colours in (
        (left, "loss", "cross-entropy", (BLUE, ORANGE)),
        (right, "accuracy", "accuracy", (SKY, GREEN)),
    ):
        train = series(records, StepRecord, name)
        dev = series(records, CheckRecord, name)
        if train.steps:
            axis.plot(*train, color=colours[0], label="train")
        if dev.steps:
            axis.plot(*dev, color=colours[1], label="dev", marker=".")
        axis.set(title=title, xlabel="step")
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(frameon=False)
    left.set_ylim(0, None)
    right.set_ylim(0, 1.02)
    return figure


def _matrix(confusion: Confusion) -> Figure:
    """Shares of each row; counts are written where there is room."""
    count = len(confusion.classes)
    wanted_in = 3.0 + 0.45 * count
    size_in = min(14.0, wanted_in)
    figure = new_figure(size_in, size_in)
    axis = figure.subplots()
    shares = confusion.counts / confusion.counts.sum(1, keepdims=True).clip(min=1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [plain_text(name) for name in confusion.classes]
    axis.set_xticks(range(count), names, rotation=90)
    axis.set_yticks(range(count), names)
    low, high = confusion.interval
    accuracy = f"{100 * confusion.accuracy:.1f} %"
    ends = f"{100 * low:.1f} to {100 * high:.1f}"
    axis.set_title(f"accuracy {accuracy} ({ends})")
    axis.set_xlabel("found")
    axis.set_ylabel("true")
    if count <= _MOST_COUNTED:
        _write_counts(axis, confusion)
    return figure


def _write_counts(axis: Axes, confusion: Confusion) -> None:
    """Every count but 0 into its cell, white where the cell is dark."""
    for row, counts in enumerate(confusion.counts):
        dark_from = _DARK * counts.sum()
        (columns,) = counts.nonzero()
        for column in columns:
            dark = counts[column] > dark_from
            axis.text(
                column,
                row,
                str(counts[column]),
                ha="center",
                va="center",
                color="white" if dark else "black",
            )
