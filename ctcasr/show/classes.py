"""Pictures of a classifier: its confusion matrix, and accuracy and loss over the epochs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ctcasr.records import read_records
from ctcasr.scoring.confusion import Confusion
from ctcasr.show.curves import new_figure, series
from ctcasr.show.records import final_course
from ctcasr.show.units import BLUE, GREEN, ORANGE, SKY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_classes(run: str | Path, confusion: Confusion) -> list[Path]:
    """Draw learning.png and confusion.png of a run directory into its plots/ (the matrix where there is something in it).

    Raises FileNotFoundError without records.jsonl, ImportError without matplotlib.
    """
    run = Path(run)
    folder = run / "plots"
    folder.mkdir(exist_ok=True)
    figures = {"learning.png": _learning(run)}
    if confusion.total:
        figures["confusion.png"] = _matrix(confusion)
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=150)
    return [folder / name for name in figures]


def _learning(run: Path) -> Figure:
    records = final_course(read_records(run))
    figure = new_figure(8.0, 4.5)
    loss, accuracy = figure.subplots(1, 2)
    curves = [
        (loss, "step", "loss", "train", BLUE),
        (loss, "check", "dev_loss", "dev", ORANGE),
        (accuracy, "step", "accuracy", "train", SKY),
        (accuracy, "check", "accuracy", "dev", GREEN),
    ]
    for axis, kind, name, label, colour in curves:
        steps, values = series(records, kind, name)
        if steps:
            axis.plot(
                steps, values, color=colour, label=label, marker="" if kind == "step" else "."
            )
    for axis, title in ((loss, "cross-entropy"), (accuracy, "accuracy")):
        axis.set(title=title, xlabel="step", ylim=(0, None) if axis is loss else (0, 1.02))
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(frameon=False)
    return figure


def _matrix(confusion: Confusion) -> Figure:
    """Shares of each row; counts are written where there is room."""
    count = len(confusion.classes)
    size = min(14.0, 3.0 + 0.45 * count)
    figure = new_figure(size, size)
    axis = figure.subplots()
    shares = confusion.counts / confusion.counts.sum(1, keepdims=True).clip(min=1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    # Names are data: a dollar sign in one begins no formula.
    names = [name.replace("$", r"\$") for name in confusion.classes]
    axis.set_xticks(range(count), names, rotation=90)
    axis.set_yticks(range(count), names)
    low, high = confusion.interval
    axis.set(
        xlabel="found",
        ylabel="true",
        title=f"accuracy {100 * confusion.accuracy:.1f} % ({100 * low:.1f} to {100 * high:.1f})",
    )
    if count <= 20:
        for row, column in zip(*confusion.counts.nonzero(), strict=True):
            axis.text(
                column,
                row,
                str(confusion.counts[row, column]),
                ha="center",
                va="center",
                color="white" if shares[row, column] > 0.5 else "black",
            )
    return figure
