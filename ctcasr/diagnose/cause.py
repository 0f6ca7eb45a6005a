"""One named cause."""

from __future__ import annotations

from dataclasses import dataclass

# How sure a cause can be:
FACT = 1.0  # seen as it is
STRONG = 0.9  # all but certain
LIKELY = 0.7
PAIR = 0.5  # one of two that cannot be told apart


@dataclass(frozen=True)
class Cause:
    """A named cause: the numbers that decided, what to do, and the step at which it was found.

    `confidence` says how sure it is, 0..1.

    Example:
        >>> Cause("learning-rate-zero", "The learning rate is 0.", "Look at the schedule.", 80)
        Cause(slug='learning-rate-zero', evidence='The learning rate is 0.', ...)
    """

    slug: str
    evidence: str
    cure: str
    step: int
    confidence: float = FACT
