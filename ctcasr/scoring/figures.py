"""Shares and differences as people read them: one way of writing them, everywhere."""

from __future__ import annotations

import math
import re

UNKNOWN = "-"

_VERBS = re.compile(r"(^| or | and )(have|are|hold|begin|say|end|occur|rise|fall)\b")
_OF_ONE = {"have": "has", "are": "is"}


def percent(share: float | None, digits: int = 0, *, signed: bool = False) -> str:
    """A share of 1 in per cent; never `100 %` or `0 %` for what is only close to it.

    `signed` is for changes, which may be negative and beyond 100 %; NaN and None are a dash.

    Example:
        >>> percent(0.2345, 1), percent(0.9999), percent(None), percent(-0.031, 1, signed=True)
        ('23.4 %', '>99 %', '-', '-3.1 %')
    """
    if share is None or math.isnan(share):
        return UNKNOWN
    if signed:
        return f"{signed_number(100 * share, digits)} %"
    text = rounded(100 * share, digits)
    smallest = 10.0**-digits
    if share < 1 and float(text) >= 100:
        text = f">{100 - smallest:.{digits}f}"
    elif share > 0 and float(text) == 0:
        text = f"<{smallest:.{digits}f}"
    return f"{text} %"


def points(share: float) -> str:
    """A difference of two rates (share of 1) in points, with its sign; a dash where none is known.

    Example:
        >>> points(-0.0212), points(0.0), points(-1e-9)
        ('-2.12', '0.00', '0.00')
    """
    return UNKNOWN if math.isnan(share) else signed_number(100 * share, 2)


def points_between(share: float, low: float, high: float) -> str:
    """A difference in points with the ends of its interval, where it has ends.

    Example:
        >>> points_between(-0.02, -0.03, -0.01), points_between(-0.02, -math.inf, math.inf)
        ('-2.00 [-3.00, -1.00]', '-2.00')
    """
    if not math.isfinite(low) or not math.isfinite(high):
        return points(share)
    return f"{points(share)} [{points(low)}, {points(high)}]"


def rounded(value: float, digits: int) -> str:
    """With so many digits; zero, and what is rounded to it, has no sign.

    Example:
        >>> rounded(-0.001, 2), rounded(-0.01, 2)
        ('0.00', '-0.01')
    """
    return f"{value:z.{digits}f}"


def signed_number(value: float, digits: int) -> str:
    """The same with a sign before what is above zero, too.

    Example:
        >>> signed_number(0.5, 1), signed_number(-0.0, 1)
        ('+0.5', '0.0')
    """
    text = rounded(value, digits)
    return f"+{text}" if float(text) > 0 else text


def plural(count: int, noun: str, predicate: str = "") -> str:
    """A count with its noun, and what is said of them: in the plural, made singular for one.

    Example:
        >>> plural(1, "step"), plural(1204, "step")
        ('1 step', '1 204 steps')
        >>> plural(1, "line", "have no sound or are short"), plural(2, "line", "have no sound")
        ('1 line has no sound or is short', '2 lines have no sound')
    """
    ending = "" if count == 1 else "s"
    counted = f"{count:,} {noun}{ending}".replace(",", " ")
    return f"{counted} {agreeing(count, predicate)}" if predicate else counted


def agreeing(count: int, predicate: str) -> str:
    """What is said of several, with its verbs made singular for one.

    Example:
        >>> agreeing(1, "rise and fall"), agreeing(3, "rise and fall")
        ('rises and falls', 'rise and fall')
    """
    if count != 1:
        return predicate
    return _VERBS.sub(lambda found: found[1] + _OF_ONE.get(found[2], f"{found[2]}s"), predicate)
