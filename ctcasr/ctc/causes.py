"""Why a CTC run does not learn: one function for each cause, in order of certainty; docs/causes.md tells of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ctcasr.ctc.story import RELEASED, Story

FACT, STRONG, LIKELY, PAIR = 1.0, 0.9, 0.7, 0.5


@dataclass(frozen=True)
class Cause:
    """A named cause: the numbers that decided, what to do, the step at which it was found, and how sure it is, 0..1."""

    slug: str
    evidence: str
    cure: str
    step: int
    confidence: float
