"""One utterance: its spectrogram, and under it the posteriors with the spikes by their symbols."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ctcasr.show.curves import new_figure, plain_text
from ctcasr.show.units import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY)
VISIBLE = 0.02  # a symbol whose posterior never gets here has no curve
_ROUNDING = 1e-3  # posteriors may be so far outside of 0..1
_TOP = 1.05  # of the axis of posteriors
_CONTRAST = (1, 99.8)  # percentiles of the features that are black and white
_NOTHING = "(nothing)"
_DPI = 130
_HEIGHT_IN = 6
_HEIGHTS = (5, 0.7, 4)  # of features, names and posteriors
_NARROWEST_IN = 9.0
_WIDEST_IN = 45.0


class Spike(NamedTuple):
    """Where greedy decoding writes a symbol."""

    frame: int
    symbol: int


def draw_utterance(
    path: str | Path,
    *,
    features: NDArray[Any],
    posteriors: NDArray[Any],
    symbols: Sequence[str],
    frame_s: float,
    feature_s: float | None = None,
    top_hz: float | None = None,
    blank: int = 0,
    title: str = "",
    reference: str | None = None,
    hypothesis: str | None = None,
) -> Path:
    """Draw features [T, F] over posteriors [T', C] (rows that sum to 1) into the file `path`.

    A frame of the posteriors lasts `frame_s` seconds, one of the features `feature_s` (default:
    both last equally long); `top_hz` is the frequency of the last feature, where they are linear
    in frequency; `symbols` names the C classes.

    Raises:
        ValueError: where the shapes do not fit.
        ImportError: without matplotlib.
    """
    features = np.asarray(features, float)
    posteriors = np.asarray(posteriors, float)
    _check(features, posteriors, symbols)
    path = Path(path)
    frames = len(posteriors)
    posterior_s = frames * frame_s
    features_s = posterior_s
    if feature_s is not None:
        features_s = len(features) * feature_s
    length_s = max(posterior_s, features_s)
    frame_middles = np.arange(frames) + 0.5
    times = frame_middles * frame_s
    spikes = find_spikes(posteriors, blank)
    figure = new_figure(_width_in(len(spikes), length_s), _HEIGHT_IN)
    axes: Sequence[Any] = figure.subplots(3, 1, sharex=True, height_ratios=_HEIGHTS)
    above, names, below = axes
    heading = plain_text(title or path.stem)
    figure.suptitle(heading, x=0.01, ha="left", fontweight="bold")
    _draw_features(above, features, features_s, top_hz)
    texts = plain_text(_texts(reference, hypothesis))
    above.set_title(texts, loc="left", fontfamily="monospace", fontsize="medium")
    colours = _colours(spikes, posteriors, blank)
    _draw_posteriors(below, times, posteriors, colours, blank)
    labels = []
    for frame, symbol in spikes:
        time = times[frame]
        height = posteriors[frame, symbol]
        colour = colours[symbol]
        below.vlines(time, height, _TOP, color=colour, linewidth=0.6, linestyle=":")
        above.axvline(time, color="white", linewidth=0.6, alpha=0.45)
        name = _shown(symbols[symbol])
        labels.append(_Label(time, name, colour))
    _write_labels(names, labels)
    above.set_xlim(0, length_s)
    figure.savefig(path, dpi=_DPI)
    return path


def _width_in(spikes: int, length_s: float) -> float:
    """Inches: enough for the names of the spikes, and for the sound."""
    wanted = 2 + 0.22 * spikes + 1.5 * length_s
    return min(max(wanted, _NARROWEST_IN), _WIDEST_IN)


def _check(features: NDArray[Any], posteriors: NDArray[Any], symbols: Sequence[str]) -> None:
    """ValueError for what cannot be drawn."""
    shapes = f"{features.shape} and {posteriors.shape}"
    for matrix in (features, posteriors):
        if matrix.ndim != 2 or not matrix.size:
            raise ValueError(
                f"expected features [T, F] and posteriors [T', C], neither empty; got {shapes}"
            )
    classes = posteriors.shape[1]
    named = len(symbols)
    if named != classes:
        raise ValueError(f"expected a symbol for each of the {classes} classes; got {named}")
    least = posteriors.min()
    most = posteriors.max()
    if least < -_ROUNDING or most > 1 + _ROUNDING:
        raise ValueError(
            f"expected posteriors between 0 and 1; got {least:.3g} to {most:.3g}: "
            "hand over the softmax of the logits"
        )


def find_spikes(posteriors: NDArray[Any], blank: int = 0) -> list[Spike]:
    """Every symbol that greedy decoding writes, where its posterior is highest within its run.

    Example:
        >>> find_spikes(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.9, 0.1]]))
        [Spike(frame=2, symbol=1)]
    """
    best = posteriors.argmax(axis=1)
    changes = np.flatnonzero(np.diff(best)) + 1
    edges = [0, *changes.tolist(), len(best)]
    spikes = []
    for first, end in pairwise(edges):
        symbol = int(best[first])
        if symbol == blank:
            continue
        within_run = posteriors[first:end, symbol]
        peak = first + int(within_run.argmax())
        spikes.append(Spike(peak, symbol))
    return spikes


def _texts(reference: str | None, hypothesis: str | None) -> str:
    """Reference over hypothesis, as far as they are known."""
    lines = []
    if reference is not None:
        lines.append(f"said   {reference or _NOTHING}")
    if hypothesis is not None:
        lines.append(f"heard  {hypothesis or _NOTHING}")
    return "\n".join(lines)


def _draw_features(
    axis: Axes, features: NDArray[Any], length_s: float, top_hz: float | None
) -> None:
    """Features from low to high, or as a spectrogram in kHz."""
    low, high = np.percentile(features, _CONTRAST)
    top = float(features.shape[1])
    label = "feature (low to high)"
    if top_hz is not None:
        top = top_hz / 1000
        label = "kHz"
    axis.imshow(
        features.T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        extent=(0, length_s, 0, top),
        vmin=low,
        vmax=max(high, low + 1e-9),
        interpolation="nearest",
    )
    axis.set_ylabel(label)


def _draw_posteriors(
    axis: Any,
    times: NDArray[Any],
    posteriors: NDArray[Any],
    colours: dict[int, str],
    blank: int,
) -> None:
    """The blank as a grey area, the symbols as lines."""
    blanks = posteriors[:, blank]
    axis.fill_between(times, blanks, color=GREY, alpha=0.25, linewidth=0)
    beside = axis.get_yaxis_transform()
    axis.text(1.005, blanks[-1], "blank", color=GREY, va="center", transform=beside)
    for symbol, colour in colours.items():
        axis.plot(times, posteriors[:, symbol], color=colour, linewidth=1.6)
    axis.set_ylim(0, _TOP)
    axis.set_ylabel("posterior")
    axis.set_xlabel("seconds")
    axis.spines[["top", "right"]].set_visible(False)


def _colours(spikes: Sequence[Spike], posteriors: NDArray[Any], blank: int) -> dict[int, str]:
    """A colour for every class that is seen: those written first, so that neighbours differ."""
    visible = np.flatnonzero(posteriors.max(axis=0) >= VISIBLE)
    symbols = [spike.symbol for spike in spikes]
    symbols += [symbol for symbol in visible.tolist() if symbol != blank]
    colours: dict[int, str] = {}
    for symbol in symbols:
        if symbol not in colours:
            index = len(colours) % len(COLOURS)
            colours[symbol] = COLOURS[index]
    return colours


def _shown(symbol: str) -> str:
    return "␣" if symbol == " " else plain_text(symbol)


class _Label(NamedTuple):
    """A symbol over its spike."""

    time_s: float
    text: str
    colour: str


def _write_labels(axis: Axes, labels: Sequence[_Label]) -> None:
    """The symbols in a row of their own, in two heights so that close ones stay apart."""
    axis.set_ylim(0, 1)
    axis.axis("off")
    centred: dict[str, Any] = {"ha": "center", "va": "center"}
    bold: dict[str, Any] = {
        "fontsize": "large",
        "fontweight": "bold",
        "clip_on": True,
    }
    for index, label in enumerate(labels):
        height = 0.75 if index % 2 else 0.2
        axis.text(
            label.time_s,
            height,
            label.text,
            color=label.colour,
            **centred,
            **bold,
        )
    if not labels:
        middle = axis.transAxes
        axis.text(0.5, 0.5, "only blanks", color=GREY, transform=middle, **centred)
