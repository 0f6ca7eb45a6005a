"""One utterance: its spectrogram, and under it the posteriors with the spikes by their symbols."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ctcasr.show.curves import new_figure
from ctcasr.show.units import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY)
VISIBLE = 0.02  # a symbol whose posterior never gets here has no curve
_ROUNDING = 1e-3  # posteriors may be so far outside of 0..1
_TOP = 1.05  # of the axis of posteriors
_CONTRAST = (1, 99.8)  # percentiles of the features that are black and white
_DPI = 130


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
    posterior_s = len(posteriors) * frame_s
    features_s = posterior_s if feature_s is None else len(features) * feature_s
    times = (np.arange(len(posteriors)) + 0.5) * frame_s
    spikes = find_spikes(posteriors, blank)
    length_s = max(posterior_s, features_s)
    width_in = float(np.clip(2 + 0.22 * len(spikes) + 1.5 * length_s, 9, 45))
    figure = new_figure(width_in, 6)
    axes: Sequence[Any] = figure.subplots(3, 1, sharex=True, height_ratios=(5, 0.7, 4))
    above, names, below = axes
    figure.suptitle(title or Path(path).stem, x=0.01, ha="left", fontweight="bold")
    _draw_features(above, features, features_s, top_hz)
    texts = _texts(reference, hypothesis)
    above.set_title(texts, loc="left", fontfamily="monospace", fontsize="medium")
    colours = _colours(spikes, posteriors, blank)
    _draw_posteriors(below, times, posteriors, colours, blank)
    labels = []
    for frame, symbol in spikes:
        height = posteriors[frame, symbol]
        colour = colours[symbol]
        below.vlines(times[frame], height, _TOP, color=colour, linewidth=0.6, linestyle=":")
        above.axvline(times[frame], color="white", linewidth=0.6, alpha=0.45)
        labels.append(_Label(times[frame], _shown(symbols[symbol]), colour))
    _write_labels(names, labels)
    above.set_xlim(0, length_s)
    figure.savefig(path, dpi=_DPI)
    return Path(path)


def _check(features: NDArray[Any], posteriors: NDArray[Any], symbols: Sequence[str]) -> None:
    matrices = features.ndim == 2 and posteriors.ndim == 2
    if not matrices or not features.size or not posteriors.size:
        raise ValueError(
            "expected features [T, F] and posteriors [T', C], neither empty; "
            f"got {features.shape} and {posteriors.shape}"
        )
    classes = posteriors.shape[1]
    if len(symbols) != classes:
        raise ValueError(f"expected a symbol for each of the {classes} classes; got {len(symbols)}")
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
    spikes = []
    for first, end in pairwise([0, *changes.tolist(), len(best)]):
        symbol = int(best[first])
        if symbol != blank:
            peak = first + int(posteriors[first:end, symbol].argmax())
            spikes.append(Spike(peak, symbol))
    return spikes


def _texts(reference: str | None, hypothesis: str | None) -> str:
    """Reference over hypothesis, as far as they are known."""
    lines = []
    for label, text in (("said ", reference), ("heard", hypothesis)):
        if text is not None:
            lines.append(f"{label}  {text or '(nothing)'}")
    return "\n".join(lines)


def _draw_features(
    axis: Axes, features: NDArray[Any], length_s: float, top_hz: float | None
) -> None:
    low, high = np.percentile(features, _CONTRAST)
    top = features.shape[1] if top_hz is None else top_hz / 1000
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
    axis.set_ylabel("feature (low to high)" if top_hz is None else "kHz")


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
    seen = dict.fromkeys(spike.symbol for spike in spikes)
    for symbol in np.flatnonzero(posteriors.max(axis=0) >= VISIBLE).tolist():
        if symbol != blank:
            seen.setdefault(symbol)
    return {symbol: COLOURS[index % len(COLOURS)] for index, symbol in enumerate(seen)}


def _shown(symbol: str) -> str:
    return "␣" if symbol == " " else symbol


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
    for index, label in enumerate(labels):
        height = 0.75 if index % 2 else 0.2
        bold: dict[str, Any] = {"fontsize": "large", "fontweight": "bold", "clip_on": True}
        axis.text(label.time_s, height, label.text, color=label.colour, **centred, **bold)
    if not labels:
        axis.text(0.5, 0.5, "only blanks", color=GREY, transform=axis.transAxes, **centred)
