"""Which recordings fit no text of the manifest: another language, music, a channel of its own.

How well the best of all texts fits is much the same for every recording whose text is somewhere in
the manifest, whether it stands in the right line or not. A fit far below says that none does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

_LOW = 0.25  # share of the lines below a fit that says how far fits spread downwards
_TO_DEVIATION = 0.6745  # deviations of a normal distribution from its middle to there
_LEAST_DEVIATION = 0.25  # nats a symbol
_FAR = 3.0  # deviations below the median from which on a recording may be foreign
_REACH = 20.0  # deviations over which foreign ones lie evenly
_AT_MIDDLE = 0.375  # density of Student's t of four degrees of freedom there
_TAIL = 2.5  # its exponent
_MOST = 12.0  # nats that a fit may say: the model of it is coarse


@dataclass(frozen=True)
class Fits:
    """Nats a symbol of the text that fits best: their middle, and how far they spread.

    Example:
        >>> fits = Fits.of([-0.5, -0.4, -0.6, -0.5, -0.45])
        >>> fits.log_ratio(-0.5) < 0 < fits.log_ratio(-3.0)
        True
    """

    middle: float
    deviation: float

    @staticmethod
    def of(nats_per_symbol: Sequence[float]) -> Fits:
        """Of all lines, most of which are not foreign."""
        middle = median(nats_per_symbol)
        lowest_first = sorted(nats_per_symbol)
        low = lowest_first[int(_LOW * len(lowest_first))]
        deviation = (middle - low) / _TO_DEVIATION
        return Fits(middle, max(deviation, _LEAST_DEVIATION))

    def log_ratio(self, nats_per_symbol: float) -> float:
        """ln of how much likelier such a fit is of a foreign recording than of another one."""
        below = (self.middle - nats_per_symbol) / self.deviation
        if below < _FAR:
            return -_MOST
        log_known = log_student(below)
        log_foreign = -math.log(_REACH)
        return min(log_foreign - log_known, _MOST)


def log_student(deviations: float) -> float:
    """ln density of a distribution with longer tails than the normal one.

    Example:
        >>> log_student(0.0) > log_student(1.0) > log_student(2.0)
        True
    """
    return math.log(_AT_MIDDLE) - _TAIL * math.log1p(deviations * deviations / 4)
