"""By how much the gradients of a step were clipped: once, twice, or each part by itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

CLIPPING_FLOOR = 1e-6  # that torch adds to a norm before it divides by it


@dataclass
class Clipping:
    """One set of gradients that was clipped."""

    parameters: Sequence[Tensor]
    norm: Tensor  # before, of any order
    max_norm: float

    def lengths(self) -> tuple[float, float]:
        """The norm before and after; read from the device only here."""
        norm = float(self.norm)
        return norm, norm * min(1.0, self.max_norm / (norm + CLIPPING_FLOOR))


@dataclass
class Clippings:
    """What was clipped for the step that comes next, whichever optimisers take it together."""

    _clippings: list[Clipping] = field(default_factory=list)
    _stepped: set[int] = field(default_factory=set)  # ids of optimisers that have taken the step

    def add(self, parameters: Sequence[Tensor], norm: Tensor, max_norm: float) -> None:
        """Gradients were clipped; those that have been already are clipped further."""
        if self._stepped:
            self._begin_anew()
        if not parameters:
            return
        for earlier in self._clippings:
            are_as_many = len(earlier.parameters) == len(parameters)
            if are_as_many and earlier.parameters[0] is parameters[0]:
                earlier.max_norm = min(earlier.max_norm, max_norm)
                return
        self._clippings.append(Clipping(parameters, norm.detach(), max_norm))

    def begin_step(self, optimiser: int) -> None:
        """An optimiser takes a step: its second one since something was clipped is another step."""
        if optimiser in self._stepped:
            self._begin_anew()
        self._stepped.add(optimiser)

    def scale_of(self, parameters: Iterable[Tensor]) -> float:
        """What the length of all gradients of these parameters was multiplied by."""
        own = {id(parameter) for parameter in parameters}
        norms = []
        clipped_norms = []
        for clipping in self._clippings:
            if any(id(parameter) in own for parameter in clipping.parameters):
                norm, clipped_norm = clipping.lengths()
                norms.append(norm)
                clipped_norms.append(clipped_norm)
        length = math.hypot(*norms)
        if not length:
            return 1.0
        return math.hypot(*clipped_norms) / length

    def _begin_anew(self) -> None:
        self._clippings = []
        self._stepped = set()
