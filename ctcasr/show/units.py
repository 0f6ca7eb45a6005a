"""Numbers for people (durations, shares, counts), and colours that everybody can tell apart."""

from __future__ import annotations

from ctcasr.scoring.figures import UNKNOWN as UNKNOWN
from ctcasr.scoring.figures import percent as percent
from ctcasr.scoring.figures import plural as plural

# Okabe and Ito, "Color Universal Design" (2008): distinct for every kind of colour blindness.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8A8A8A"

SHARES = ("wer", "cer", "accuracy")  # metrics that are shown in per cent


def clock(seconds: float | None) -> str:
    """`3:07` or `1:02:03`; a dash where nothing is known.

    Example:
        >>> clock(187), clock(3723), clock(None)
        ('3:07', '1:02:03', '-')
    """
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}"


def short(value: float | None) -> str:
    """About four significant digits in at most seven characters.

    Example:
        >>> short(0.12345), short(12.345), short(1234.5), short(1234567)
        ('0.123', '12.35', '1234', '1.2e+06')
    """
    if value is None:
        return UNKNOWN
    size = abs(value)
    if size >= 100_000 or 0 < size < 0.001:
        return f"{value:.1e}"
    for bound, decimals in ((1, 3), (100, 2), (1000, 1)):
        if size < bound:
            return f"{value:z.{decimals}f}"
    return f"{value:.0f}"


def rate(value: float | None) -> str:
    """A learning rate, always in the same shape: `1.9e-03`."""
    return UNKNOWN if value is None else f"{value:.1e}"


def count(value: float | None) -> str:
    """A count with its thousands apart: `1 204 713`."""
    return UNKNOWN if value is None else f"{int(value):,}".replace(",", " ")


def binary(size: float) -> str:
    """Bytes as MiB or GiB."""
    if size >= 2**30:
        return f"{size / 2**30:.1f} GiB"
    return f"{size / 2**20:.0f} MiB"


def metric(name: str, value: float | None) -> str:
    """A metric for people: error rates and accuracies in per cent, others as numbers."""
    return percent(value, 1) if name in SHARES else short(value)


def metric_name(name: str) -> str:
    """The name of a metric for people: `WER`, `si sdr db`."""
    return name.upper() if name in ("wer", "cer") else name.replace("_", " ")
