"""Numbers for people: durations, shares, counts; and colours that colour-blind people can tell apart."""

from __future__ import annotations

# Okabe and Ito, "Color Universal Design" (2008): distinct under every common form of colour blindness.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE, GREY = "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#8A8A8A"


def clock(seconds: float | None) -> str:
    """`3:07` or `1:02:03`; a dash where nothing is known."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def percent(share: float | None, digits: int = 0) -> str:
    """A share of 1 in per cent; never `100 %` or `0 %` for what is only close to it."""
    if share is None:
        return "-"
    text = f"{100 * share:.{digits}f}"
    edge = 10.0**-digits
    if share < 1 and float(text) >= 100:
        text = f">{100 - edge:.{digits}f}"
    elif share > 0 and float(text) == 0:
        text = f"<{edge:.{digits}f}"
    return f"{text} %"


def short(value: float | None) -> str:
    """About four significant digits in at most seven characters."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 100_000 or 0 < size < 0.001:
        return f"{value:.1e}"
    return (
        f"{value:.0f}" if size >= 1000 else f"{value:.{3 if size < 1 else 2 if size < 100 else 1}f}"
    )


def rate(value: float | None) -> str:
    """A learning rate, always in the same shape: `1.9e-03`."""
    return "-" if value is None else f"{value:.1e}"


def count(value: float | None) -> str:
    """A count with its thousands apart: `1 204 713`."""
    return "-" if value is None else f"{int(value):,}".replace(",", " ")


def binary(size: float) -> str:
    """Bytes as MiB or GiB."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
