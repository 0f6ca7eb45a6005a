"""The curves of a run: loss, error rates and the blank share over the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctcasr.diagnose.history import RunHistory
from ctcasr.records import CheckRecord, EventRecord, Reason, Record, StepRecord, read_records
from ctcasr.show.records import Series, final_course, number_of, series
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

_DPI = 150
_WIDTH_IN = 9
_SMOOTHED = 80  # half a window of smoothing is this part of the whole
_SHARE_TICKS = (0, 20, 40, 60, 80, 100)  # per cent
_RATE_TICKS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)  # per cent
_PLAIN_DECADES = 1e4  # up to this ratio a logarithmic axis has 1, 2 and 5 as ticks
_MARKED = (Reason.RESUMED, Reason.INTERRUPTED, Reason.EARLY_STOP)  # events drawn as lines


def draw_run(run: str | Path) -> list[Path]:
    """Draw loss.png, wer.png and blank.png of a run directory into its plots/.

    Those whose numbers are there are drawn; returned are their paths.

    Raises:
        FileNotFoundError: without records.jsonl.
        ImportError: without matplotlib.
    """
    folder = Path(run) / "plots"
    records = final_course(read_records(run))
    folder.mkdir(exist_ok=True)
    pictures: dict[str, Callable[[Sequence[Record]], Figure | None]] = {
        "loss.png": _loss,
        "wer.png": _error_rates,
        "blank.png": _blank,
    }
    written = []
    for name, draw in pictures.items():
        figure = draw(records)
        if figure is not None:
            figure.savefig(folder / name, dpi=_DPI)
            written.append(folder / name)
    return written


def new_figure(width_in: float, height_in: float) -> Figure:
    """A matplotlib figure that needs no display.

    Raises:
        ImportError: naming the extra to install, where matplotlib is absent.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "plots need matplotlib, which is not installed: pip install 'ctcasr[plot]'"
        ) from error
    return Figure(figsize=(width_in, height_in), layout="constrained")


def plain_text(text: str) -> str:
    r"""Names and texts of users as a figure writes them: a dollar sign begins no formula.

    Example:
        >>> print(plain_text("$5 or $6"))
        \$5 or \$6
    """
    return text.replace("$", r"\$")


def smooth(values: Sequence[float]) -> list[float]:
    """Mean over a window around each value, about 1/40 of the whole."""
    half = len(values) // _SMOOTHED
    sums = [0.0]  # of all values before each
    for value in values:
        sums.append(sums[-1] + value)
    means = []
    for index in range(len(values)):
        first = max(0, index - half)
        end = min(len(values), index + half + 1)
        means.append((sums[end] - sums[first]) / (end - first))
    return means


def smoothed(curve: Series) -> Series:
    """The curve with its values smoothed."""
    return Series(curve.steps, smooth(curve.values))


def release_step(records: Sequence[Record]) -> int | None:
    """Step of the release: of the first of three checks in a row that hear and spell; or None.

    The verdict's own definition; where checks tell no evidence, the CER alone decides.

    Example:
        >>> cers = [1.0, 0.8, 0.6, 0.4]
        >>> release_step([CheckRecord(step=10 * k, metrics={"cer": c}) for k, c in enumerate(cers)])
        10
    """
    return RunHistory.of(records).release


def _loss(records: Sequence[Record]) -> Figure | None:
    """Loss of train and dev, with the learning rate and the gradient norm below."""
    train = series(records, StepRecord, "loss")
    if not train.steps:
        return None
    dev = series(records, CheckRecord, "loss")
    figure = new_figure(_WIDTH_IN, 6.5)
    axes: Sequence[Any] = figure.subplots(3, 1, sharex=True, height_ratios=(4, 1, 1))
    losses, rates, gradients = axes
    losses.plot(*train, color=SKY, alpha=0.35, linewidth=0.7)
    losses.plot(*smoothed(train), color=BLUE, linewidth=2, label="train, smoothed")
    if dev.values:
        losses.plot(*dev, color=ORANGE, marker="o", markersize=4, linewidth=1.5, label="dev")
        _annotate_least(losses, dev)
    _log_where_positive(losses, train.values + dev.values)
    _frame(losses, records, "Loss over the run", "loss")
    _legend(figure)
    learning_rate = series(records, StepRecord, "lr")
    rates.plot(*learning_rate, color=BLACK, linewidth=1.3)
    rates.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    _style(rates, "learning\nrate")
    norm = series(records, StepRecord, "grad_norm")
    gradients.plot(*norm, color=GREY, linewidth=0.6, alpha=0.5)
    gradients.plot(*smoothed(norm), color=BLACK, linewidth=1.3)
    _log_where_positive(gradients, norm.values)
    _style(gradients, "gradient\nnorm")
    gradients.set_xlabel("step")
    return figure


def _annotate_least(axis: Axes, curve: Series) -> None:
    """The least value of a curve, written above its point."""
    least = min(curve.values)
    step = curve.steps[curve.values.index(least)]
    axis.annotate(
        f"least {short(least)}",
        (step, least),
        xytext=(0, 14),
        textcoords="offset points",
        ha="center",
        color=VERMILION,
        fontweight="bold",
    )


def _error_rates(records: Sequence[Record]) -> Figure | None:
    """WER and CER of the checks, the best of them with a star."""
    curves = {"wer": BLUE, "cer": ORANGE}
    rates = {name: series(records, CheckRecord, name) for name in curves}
    values = [value for curve in rates.values() for value in curve.values]
    if not values:
        return None
    figure = new_figure(_WIDTH_IN, 5)
    axis: Axes = figure.subplots()
    for name, colour in curves.items():
        curve = rates[name]
        if curve.values:
            last = percent(curve.values[-1], 1)
            axis.plot(
                curve.steps,
                _percents(curve.values),
                color=colour,
                label=f"{name.upper()}, {last} at last",
                marker="o",
                markersize=4,
                linewidth=2,
            )
    title = "Errors on the dev part"
    best = _best_check(records)
    if best is not None:
        wer = number_of(best, "wer") or 0.0
        axis.plot(
            [best.step],
            [100 * wer],
            color=GREEN,
            marker="*",
            markersize=16,
            linestyle="none",
            zorder=5,
        )
        title += f": best WER {percent(wer, 1)} at step {best.step} (star)"
    _rate_axis(axis, highest=100 * max(values))
    last_check = max(curve.steps[-1] for curve in rates.values() if curve.steps)
    axis.set_xlim(0, max(RunView.of(records).step, last_check) * 1.01)
    _frame(axis, records, title, "error rate (logarithmic)")
    axis.set_xlabel("step")
    _legend(figure)
    return figure


def _best_check(records: Sequence[Record]) -> Record | None:
    """The last check that was the best so far and has a WER."""
    best = None
    for record in records:
        is_best = isinstance(record, CheckRecord) and record.best
        if is_best and number_of(record, "wer") is not None:
            best = record
    return best


def _rate_axis(axis: Axes, highest: float) -> None:
    """Per cent, logarithmic, so that 4 % and 2 % are as far apart as 40 and 20.

    Below 1 % it is linear, so that 0 has a place.
    """
    top = max(100.0, highest)
    ticks = [tick for tick in _RATE_TICKS if tick <= top * 1.1]
    axis.set_yscale("symlog", linthresh=1, linscale=0.4)
    axis.set_yticks(ticks, [f"{tick} %" for tick in ticks])
    axis.minorticks_off()
    axis.set_ylim(-0.1, top * 1.15)


def _blank(records: Sequence[Record]) -> Figure | None:
    """The blank's mass of the model and of the targets, and the release from the plateau."""
    mass = _smooth_percent(records, "blank_mass")
    if not mass.steps:
        return None
    likeliest = _smooth_percent(records, "blank_argmax")
    asked = _smooth_percent(records, "blank_expected")
    figure = new_figure(_WIDTH_IN, 5)
    axis: Axes = figure.subplots()
    axis.plot(
        *likeliest,
        color=PURPLE,
        linewidth=1,
        linestyle=":",
        label="frames where blank is the likeliest",
    )
    label = "blank mass of the model"
    axis.plot(*mass, color=ORANGE, linewidth=2.2, label=label)
    label = "blank share that the targets ask for"
    axis.plot(*asked, color=BLUE, linewidth=2.2, label=label)
    if asked.steps == mass.steps:
        axis.fill_between(*mass, asked.values, color=ORANGE, alpha=0.15)
    title = "Blank share: model against targets"
    released = release_step(records)
    if released is not None:
        _annotate_release(axis, released)
    elif series(records, CheckRecord, "cer").steps:
        title += " (not released: CER still above 80 %)"
    axis.set_ylim(0, 102)
    axis.set_yticks(_SHARE_TICKS, [f"{tick} %" for tick in _SHARE_TICKS])
    _frame(axis, records, title, "share of the probability mass")
    axis.set_xlabel("step")
    _legend(figure)
    return figure


def _annotate_release(axis: Axes, released: int) -> None:
    axis.axvline(released, color=GREEN, linewidth=1.5, linestyle="--")
    axis.annotate(
        f"release: CER at most 80 % from step {released} on",
        (released, 2),
        xytext=(6, 0),
        textcoords="offset points",
        color=GREEN,
        va="bottom",
    )


def _smooth_percent(records: Sequence[Record], name: str) -> Series:
    """A share of the steps in per cent, smoothed."""
    shares = smoothed(series(records, StepRecord, name))
    return Series(shares.steps, _percents(shares.values))


def _percents(shares: Sequence[float]) -> list[float]:
    return [100 * share for share in shares]


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
    if not values or min(values) <= 0:
        return
    axis.set_yscale("log")
    if max(values) / min(values) < _PLAIN_DECADES:
        from matplotlib.ticker import LogLocator, NullFormatter

        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())


def _frame(axis: Any, records: Sequence[Record], title: str, label: str) -> None:
    """Title, the epochs above, and what befell the run.

    Skipped steps are ticks at the bottom, resumptions and stops are lines.
    """
    _style(axis, label)
    axis.set_title(title, loc="left", fontweight="bold")
    view = RunView.of(records)
    if view.steps and view.epochs:
        _epochs_above(axis, steps_per_epoch=view.steps / view.epochs)
    events = [record for record in records if isinstance(record, EventRecord)]
    skipped = [event.step for event in events if event.skipped_step]
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
    for event in events:
        if event.reason in _MARKED:
            _mark_event(axis, event)


def _epochs_above(axis: Any, steps_per_epoch: float) -> None:
    """A second axis above, in epochs."""

    def epoch_of(step: Any) -> Any:
        return step / steps_per_epoch

    def step_of(epoch: Any) -> Any:
        return epoch * steps_per_epoch

    above = axis.secondary_xaxis("top", functions=(epoch_of, step_of))
    above.set_xlabel("epoch", fontsize="small", loc="right")
    above.tick_params(labelsize="small")


def _mark_event(axis: Any, event: EventRecord) -> None:
    axis.axvline(event.step, color=GREY, linewidth=1, linestyle="--")
    axis.annotate(
        f" {event.reason}",
        (event.step, 0.98),
        xycoords=axis.get_xaxis_transform(),
        color=GREY,
        va="top",
        rotation=90,
        fontsize="small",
        ha="right",
    )
