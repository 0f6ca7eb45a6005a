"""The curves of a run: loss, error rates and the blank share over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctcasr.diagnose import first_release
from ctcasr.records import read_records
from ctcasr.show.records import RecordLike, final_course, number
from ctcasr.show.run_view import RunView
from ctcasr.show.units import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    percent,
    short,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = tuple[list[int], list[float]]


def draw_run(run: str | Path) -> list[Path]:
    """Draw loss.png, wer.png and blank.png of a run directory into its plots/; those whose numbers are there.

    Raises FileNotFoundError without records.jsonl, ImportError without matplotlib.
    """
    run = Path(run)
    records = final_course(read_records(run))
    folder = run / "plots"
    folder.mkdir(exist_ok=True)
    written = []
    for name, draw in (("loss.png", _loss), ("wer.png", _wer), ("blank.png", _blank)):
        figure = draw(records)
        if figure is not None:
            figure.savefig(folder / name, dpi=150)
            written.append(folder / name)
    return written


def new_figure(width_in: float, height_in: float) -> Figure:
    """A matplotlib figure that needs no display; ImportError names the extra where matplotlib is absent."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "plots need matplotlib, which is not installed: pip install 'ctcasr[plot]'"
        ) from error
    return Figure(figsize=(width_in, height_in), layout="constrained")


def series(records: Sequence[RecordLike], kind: str, name: str) -> Points:
    """Steps and values of one field in the records of one kind, where it is a number."""
    found = [
        (r.step, value)
        for r in records
        if r.kind == kind and (value := number(r.data.get(name))) is not None
    ]
    return [step for step, _ in found], [value for _, value in found]


def smooth(values: Sequence[float]) -> list[float]:
    """Mean over a window around each value, about 1/40 of the whole."""
    half = len(values) // 80
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    ends = [(max(0, i - half), min(len(values), i + half + 1)) for i in range(len(values))]
    return [(sums[b] - sums[a]) / (b - a) for a, b in ends]


def release_step(records: Sequence[RecordLike]) -> int | None:
    """Step of the first check after which CER stays at or below 80 % for 3 checks; None where that did not happen."""
    steps, cers = series(records, "check", "cer")
    at = first_release(cers)
    return None if at is None else steps[at]


def _loss(records: Sequence[RecordLike]) -> Figure | None:
    steps, values = series(records, "step", "loss")
    if not steps:
        return None
    figure = new_figure(9, 6.5)
    axes: Sequence[Any] = figure.subplots(3, 1, sharex=True, height_ratios=(4, 1, 1))
    top, rate, gradient = axes
    top.plot(steps, values, color=SKY, alpha=0.35, linewidth=0.7)
    top.plot(steps, smooth(values), color=BLUE, linewidth=2, label="train, smoothed")
    dev_steps, dev = series(records, "check", "dev_loss")
    if dev:
        top.plot(dev_steps, dev, color=ORANGE, marker="o", markersize=4, linewidth=1.5, label="dev")
        i = dev.index(min(dev))
        top.annotate(
            f"least {short(dev[i])}",
            (dev_steps[i], dev[i]),
            xytext=(0, 14),
            textcoords="offset points",
            ha="center",
            color=VERMILION,
            fontweight="bold",
        )
    _log_where_positive(top, values + dev)
    _frame(top, records, "Loss over the run", "loss")
    _legend(figure)
    for axis, name, label in (
        (rate, "lr", "learning\nrate"),
        (gradient, "grad_norm", "gradient\nnorm"),
    ):
        points = series(records, "step", name)
        axis.plot(*points, color=GREY, linewidth=0.6, alpha=0.5 if name == "grad_norm" else 0)
        axis.plot(
            points[0],
            smooth(points[1]) if name == "grad_norm" else points[1],
            color=BLACK,
            linewidth=1.3,
        )
        if name == "grad_norm":
            _log_where_positive(axis, points[1])
        _style(axis, label)
    rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    gradient.set_xlabel("step")
    return figure


def _wer(records: Sequence[RecordLike]) -> Figure | None:
    curves = [
        (name, colour, *series(records, "check", name))
        for name, colour in (("wer", BLUE), ("cer", ORANGE))
    ]
    if not any(values for *_, values in curves):
        return None
    figure = new_figure(9, 5)
    axis: Axes = figure.subplots()
    for name, colour, steps, values in curves:
        if values:
            axis.plot(
                steps,
                [100 * v for v in values],
                color=colour,
                marker="o",
                markersize=4,
                linewidth=2,
                label=f"{name.upper()}, {percent(values[-1], 1)} at last",
            )
    best = [
        r
        for r in records
        if r.kind == "check" and r.data.get("best") and number(r.data.get("wer")) is not None
    ]
    title = "Errors on the dev part"
    if best:
        wer = float(best[-1].data["wer"])
        axis.plot(
            [best[-1].step],
            [100 * wer],
            marker="*",
            markersize=16,
            color=GREEN,
            linestyle="none",
            zorder=5,
        )
        title += f": best WER {percent(wer, 1)} at step {best[-1].step} (star)"
    # Logarithmic, so that 4 % and 2 % are as far apart as 40 and 20; linear below 1 %, so that 0 has a place.
    top = max(100.0, *(100 * v for *_, values in curves for v in values))
    ticks = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500]
    axis.set_yscale("symlog", linthresh=1, linscale=0.4)
    axis.set_yticks(
        [t for t in ticks if t <= top * 1.1], [f"{t} %" for t in ticks if t <= top * 1.1]
    )
    axis.minorticks_off()
    axis.set_ylim(-0.1, top * 1.15)
    axis.set_xlim(
        0, max(RunView.of(records).step, *(steps[-1] for _, _, steps, _ in curves if steps)) * 1.01
    )
    _frame(axis, records, title, "error rate (logarithmic)")
    axis.set_xlabel("step")
    _legend(figure)
    return figure


def _blank(records: Sequence[RecordLike]) -> Figure | None:
    steps, mass = series(records, "step", "blank_mass")
    if not steps:
        return None
    figure = new_figure(9, 5)
    axis: Axes = figure.subplots()
    wins = series(records, "step", "blank_argmax")
    axis.plot(
        wins[0],
        [100 * v for v in smooth(wins[1])],
        color=PURPLE,
        linewidth=1,
        linestyle=":",
        label="frames where blank is the likeliest",
    )
    axis.plot(
        steps,
        [100 * v for v in smooth(mass)],
        color=ORANGE,
        linewidth=2.2,
        label="blank mass of the model",
    )
    asked_steps, asked = series(records, "step", "blank_expected")
    shares = [100 * v for v in smooth(asked)]
    axis.plot(
        asked_steps, shares, color=BLUE, linewidth=2.2, label="blank share that the targets ask for"
    )
    if asked_steps == steps:
        axis.fill_between(steps, [100 * v for v in smooth(mass)], shares, color=ORANGE, alpha=0.15)
    released = release_step(records)
    title = "Blank share: model against targets"
    if released is not None:
        axis.axvline(released, color=GREEN, linewidth=1.5, linestyle="--")
        axis.annotate(
            f"release: CER at most 80 % from step {released} on",
            (released, 2),
            xytext=(6, 0),
            textcoords="offset points",
            color=GREEN,
            va="bottom",
        )
    elif series(records, "check", "cer")[0]:
        title += " (not released: CER still above 80 %)"
    axis.set_ylim(0, 102)
    axis.set_yticks(range(0, 101, 20), [f"{t} %" for t in range(0, 101, 20)])
    _frame(axis, records, title, "share of the probability mass")
    axis.set_xlabel("step")
    _legend(figure)
    return figure


def _legend(figure: Figure) -> None:
    """Below everything, where it hides no curve."""
    figure.legend(loc="outside lower center", ncols=2, frameon=False)


def _style(axis: Any, label: str) -> None:
    axis.set_ylabel(label)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.6)
    axis.margins(x=0.01)


def _log_where_positive(axis: Any, values: Sequence[float]) -> None:
    """A logarithmic axis with plain numbers on it, where no value forbids it."""
    if values and min(values) > 0:
        axis.set_yscale("log")
        if max(values) / min(values) < 1e4:
            from matplotlib.ticker import LogLocator, NullFormatter

            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.yaxis.set_minor_formatter(NullFormatter())


def _frame(axis: Any, records: Sequence[RecordLike], title: str, label: str) -> None:
    """Title, the epochs above, and what befell the run: skipped steps as ticks, resumptions and stops as lines."""
    _style(axis, label)
    axis.set_title(title, loc="left", fontweight="bold")
    story = RunView.of(records)
    if story.steps and story.epochs:
        per = story.steps / story.epochs
        above = axis.secondary_xaxis(
            "top", functions=(lambda step: step / per, lambda epoch: epoch * per)
        )
        above.set_xlabel("epoch", fontsize="small", loc="right")
        above.tick_params(labelsize="small")
    skipped = [
        r.step for r in records if r.kind == "event" and r.data.get("what") == "skipped-step"
    ]
    if skipped:
        axis.plot(
            skipped,
            [0] * len(skipped),
            marker="|",
            markersize=12,
            color=VERMILION,
            linestyle="none",
            clip_on=False,
            transform=axis.get_xaxis_transform(),
            label="skipped step",
        )
    for record in records:
        what = record.data.get("what")
        if record.kind == "event" and what in ("resumed", "early-stop", "interrupted"):
            axis.axvline(record.step, color=GREY, linewidth=1, linestyle="--")
            axis.annotate(
                f" {what}",
                (record.step, 0.98),
                xycoords=axis.get_xaxis_transform(),
                color=GREY,
                va="top",
                rotation=90,
                fontsize="small",
                ha="right",
            )
