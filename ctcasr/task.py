"""What the trainer asks of a task: forward, objective and score; the trainer owns order, optimiser, clock and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

from ctcasr.batch import Batch
from ctcasr.records import Record


T = TypeVar("T")
_SHOWN = 3  # samples of a check


@dataclass(frozen=True, eq=False)
class Loss:
    """The objective of one batch as a sum and the weight to divide by, so that accumulation and several devices normalise exactly."""

    sum: Tensor  # scalar, differentiable, over the utterances that count
    weight: float  # how many those are
    rows: Tensor | None = None  # [B] detached loss of each utterance, to name a non-finite one
    left_out: tuple[str, ...] = ()  # utterances in neither sum nor weight, with the reason
    evidence: Callable[[], Mapping[str, float]] = (
        dict  # scalars for the records; called only when one is written
    )


@dataclass(frozen=True)
class Score:
    """The result of a check: `key` is compared (lower is better), `metrics` are recorded, `samples` are shown."""

    key: tuple[float, ...]
    metrics: Mapping[str, float]
    samples: Sequence[Mapping[str, Any]] = ()
    report: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(
        default_factory=dict
    )  # what `judge` reads, beside the metrics


Gather = Callable[[Any], list[Any]]
"""What all processes have found, rank by rank."""


def alone(found: Any) -> list[Any]:
    """The one process's own."""
    return [found]


def added(found: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """What all processes have found, each part of it added up."""
    return tuple(reduce(add, parts) for parts in zip(*found, strict=True))


def three_of(samples: Sequence[T]) -> list[T]:
    """Three samples of a check, spread evenly, the same ones each time; all of fewer.

    Example:
        >>> three_of(range(9))
        [1, 4, 7]
    """
    if len(samples) <= _SHOWN:
        return list(samples)
    middles = (1, 3, 5)  # of three parts of equal length, in sixths
    return [samples[len(samples) * sixths // 6] for sixths in middles]


class Task(Protocol):
    """Recognise, enhance, classify: one file each; `fit` trains any of them."""

    @property
    def network(self) -> nn.Module:
        """What is trained, and scored by `check`."""
        ...

    @property
    def title(self) -> str:
        """The network in a few words, for people."""
        ...

    def parameters(self) -> Iterable[nn.Parameter]:
        """What is trained; a frozen listener is not in it."""
        ...

    def step(self, batch: Batch, step: int) -> Loss:
        """Forward pass and objective in training, for optimiser step number `step`."""
        ...

    def after_step(self, step: int, total: int) -> None:
        """Called behind each optimiser step (pruning)."""
        ...

    def check(self, batches: Iterable[Batch], gather: Gather = alone) -> Score:
        """Score in evaluation mode of this process's batches and, by `gather`, of all others'; leaves the network as it was."""
        ...

    def judge(self, history: Sequence[Record]) -> Mapping[str, Any] | None:
        """A verdict on the run so far from its records, or None; written into the check's record."""
        ...

    def export(self) -> dict[str, Any]:
        """What a checkpoint must hold to be loaded without the trainer."""
        ...
