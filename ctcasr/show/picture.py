"""One utterance: its spectrogram, and under it the posteriors with the spikes labelled by their symbols."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ctcasr.show.curves import new_figure
from ctcasr.show.units import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY)
VISIBLE = 0.02  # a symbol whose posterior never gets here has no curve


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
    """Draw features [T, F] over posteriors [T', C] (rows that sum to 1), `frame_s` seconds each, into the file `path`.

    `feature_s` is the seconds per feature frame (default: both last equally long); `top_hz` the frequency of the last
    feature, where they are linear in frequency; `symbols` names the C classes.
    Raises ValueError where the shapes do not fit, ImportError without matplotlib.
    """
    features, posteriors = np.asarray(features, float), np.asarray(posteriors, float)
    if features.ndim != 2 or posteriors.ndim != 2 or not features.size or not posteriors.size:
        raise ValueError(
            "expected features [T, F] and posteriors [T', C], neither empty; "
            f"got {features.shape} and {posteriors.shape}"
        )
    if len(symbols) != posteriors.shape[1]:
        raise ValueError(
            f"expected a symbol for each of the {posteriors.shape[1]} classes; got {len(symbols)}"
        )
    if posteriors.min() < -1e-3 or posteriors.max() > 1 + 1e-3:
        raise ValueError(
            "expected posteriors between 0 and 1; got "
            f"{posteriors.min():.3g} to {posteriors.max():.3g}: hand over the softmax of the logits"
        )
    frames = len(posteriors)
    feature_s = frame_s * frames / len(features) if feature_s is None else feature_s
    length_s = max(frames * frame_s, len(features) * feature_s)
    times = (np.arange(frames) + 0.5) * frame_s
    found = spikes(posteriors, blank)

    figure = new_figure(float(np.clip(2 + 0.22 * len(found) + 1.5 * length_s, 9, 45)), 6)
    axes: Sequence[Any] = figure.subplots(3, 1, sharex=True, height_ratios=(5, 0.7, 4))
    above, names, below = axes
    low, high = np.percentile(features, (1, 99.8))
    top = features.shape[1] if top_hz is None else top_hz / 1000
    above.imshow(
        features.T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        extent=(0, len(features) * feature_s, 0, top),
        vmin=low,
        vmax=max(high, low + 1e-9),
        interpolation="nearest",
    )
    above.set_ylabel("feature (low to high)" if top_hz is None else "kHz")
    figure.suptitle(title or Path(path).stem, x=0.01, ha="left", fontweight="bold")
    texts = [
        f"{label}  {text or '(nothing)'}"
        for label, text in (("said ", reference), ("heard", hypothesis))
        if text is not None
    ]
    above.set_title("\n".join(texts), loc="left", fontfamily="monospace", fontsize="medium")

    below.fill_between(times, posteriors[:, blank], color=GREY, alpha=0.25, linewidth=0)
    below.text(
        1.005,
        posteriors[-1, blank],
        "blank",
        color=GREY,
        va="center",
        transform=below.get_yaxis_transform(),
    )
    colours = _colours(found, posteriors, blank)
    for symbol, colour in colours.items():
        below.plot(times, posteriors[:, symbol], color=colour, linewidth=1.6)
    for frame, symbol in found:
        below.vlines(
            times[frame],
            posteriors[frame, symbol],
            1.05,
            color=colours[symbol],
            linewidth=0.6,
            linestyle=":",
        )
        above.axvline(times[frame], color="white", linewidth=0.6, alpha=0.45)
    _write_names(
        names, [(times[frame], _shown(symbols[symbol]), colours[symbol]) for frame, symbol in found]
    )
    below.set_ylim(0, 1.05)
    below.set_ylabel("posterior")
    below.set_xlabel("seconds")
    below.spines[["top", "right"]].set_visible(False)
    above.set_xlim(0, length_s)
    path = Path(path)
    figure.savefig(path, dpi=130)
    return path


def spikes(posteriors: NDArray[Any], blank: int = 0) -> list[tuple[int, int]]:
    """(frame, class) of every symbol that greedy decoding writes: where its posterior is highest within its run."""
    best = posteriors.argmax(axis=1)
    edges = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist(), len(best)]
    return [
        (int(a + posteriors[a:b, best[a]].argmax()), int(best[a]))
        for a, b in pairwise(edges)
        if best[a] != blank
    ]


def _colours(
    found: Sequence[tuple[int, int]], posteriors: NDArray[Any], blank: int
) -> dict[int, str]:
    """A colour for every class that is seen: those that are written first, so that neighbours differ."""
    order = dict.fromkeys(symbol for _, symbol in found)
    order.update(
        dict.fromkeys(
            int(c) for c in np.flatnonzero(posteriors.max(axis=0) >= VISIBLE) if c != blank
        )
    )
    return {symbol: COLOURS[i % len(COLOURS)] for i, symbol in enumerate(order)}


def _shown(symbol: str) -> str:
    return "␣" if symbol == " " else symbol


def _write_names(axis: Any, labels: Sequence[tuple[float, str, str]]) -> None:
    """The symbols in a row of their own, each over its spike, in two heights so that close ones stay apart."""
    axis.set_ylim(0, 1)
    axis.axis("off")
    for i, (time_s, text, colour) in enumerate(labels):
        axis.text(
            time_s,
            0.75 if i % 2 else 0.2,
            text,
            ha="center",
            va="center",
            color=colour,
            fontsize="large",
            fontweight="bold",
            clip_on=True,
        )
    if not labels:
        axis.text(
            0.5, 0.5, "only blanks", ha="center", va="center", color=GREY, transform=axis.transAxes
        )
