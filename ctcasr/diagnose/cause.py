"""One named cause."""

from __future__ import annotations

from dataclasses import dataclass

FACT, STRONG, LIKELY, PAIR = (
    1.0,
    0.9,
    0.7,
    0.5,
)  # confidence: seen as it is; all but certain; likely; one of a pair


@dataclass(frozen=True)
class Cause:
    """A named cause: the numbers that decided, what to do, the step at which it was found, and how sure it is, 0..1."""

    slug: str
    evidence: str
    cure: str
    step: int
    confidence: float = FACT
