"""What the trainer asks of a task: forward, objective and score.

The trainer owns order, optimiser, clock and files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

from ctcasr.batch import Batch, Skip
from ctcasr.records import Record

T = TypeVar("T")
_SHOWN = 3  # samples of a check


@dataclass(frozen=True, eq=False)
class Loss:
    """The objective of one batch as a sum, and the weight to divide it by.

    So accumulation and several devices normalise exactly.
    """

    sum: Tensor  # scalar, differentiable, over the utterances that count
    weight: float  # how many those are
    rows: Tensor | None = None  # [B] detached loss of each utterance, to name a non-finite one
    left_out: tuple[str, ...] = ()  # utterances in neither sum nor weight, with the reason
    # Scalars for the records; called only when one is written.
    evidence: Callable[[], Mapping[str, float]] = dict
    # [B] of the transcripts as they stand, where the objective's are of others (a star); else None.
    as_written: Tensor | None = None
    # Scalar that the records tell in the place of `sum`, where more is learnt than is checked.
    told: Tensor | None = None

    @property
    def of_lines(self) -> Tensor | None:
        """[B] what tells how well each line's transcript fits; None where nothing does."""
        return self.rows if self.as_written is None else self.as_written


@dataclass(frozen=True)
class Score:
    """The result of a check."""

    key: tuple[float, ...]  # compared with that of other checks; lower is better
    metrics: Mapping[str, float]  # recorded by name; "loss" is the mean per utterance
    samples: Sequence[Mapping[str, Any]] = ()  # shown
    report: Mapping[str, float] = field(default_factory=dict)  # of the loss
    evidence: Mapping[str, Any] = field(default_factory=dict)  # what `judge` reads beside these


Gather = Callable[[Any], list[Any]]
"""What all processes have, rank by rank."""


def alone(value: Any) -> list[Any]:
    """The one process's own value, as `Gather` gives it.

    Example:
        >>> alone(3)
        [3]
    """
    return [value]


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


class Batches(Protocol):
    """What `fit` asks of a loader; with several processes each has a loader of its own share."""

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    @property
    def seconds(self) -> float:
        """Of audio in an epoch, all processes together."""
        ...

    @property
    def utterances(self) -> int:
        """In an epoch, all processes together; asked only if some were skipped."""
        ...

    @property
    def skipped(self) -> Sequence[Skip]:
        """All that could not be read so far."""
        ...

    @property
    def unread(self) -> Sequence[Skip]:
        """What could not be read in the epoch that is going on; asked only if some were skipped."""
        ...

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch | None]:
        """The batches of an epoch; None for one of which this process has no share."""
        ...


class Task(Protocol):
    """Recognise, enhance, classify: one room each; `fit` trains any of them."""

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
        """Score in evaluation mode of this process's batches and, by `gather`, of all others'.

        Leaves the network as it was.
        """
        ...

    def judge(self, history: Sequence[Record]) -> Mapping[str, Any] | None:
        """A verdict on the run so far, or None; written into the check's record.

        Keys that the trainer reads: `causes`, a list of tables with slug, evidence and cure.
        """
        ...

    def export(self) -> dict[str, Any]:
        """What a checkpoint must hold to be loaded without the trainer."""
        ...


class LossRefused(ValueError):
    """The loss refused its arguments: labels, lengths or shapes are wrong.

    `facts` are counts of defects that explain it, `train` and `dev`.
    """

    def __init__(self, message: str, facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.facts = dict(facts or {})


@runtime_checkable
class Factual(Protocol):
    """A task that counts defects of its corpus; events that stop training tell of them."""

    def facts(self) -> dict[str, Any]:
        """Counts so far, of the parts `train` and `dev`."""
        ...


@runtime_checkable
class Stateful(Protocol):
    """A task that collects while it trains (evidence for the verdict).

    last.pt holds its state, so that a resumed run is judged as one that was never stopped.
    """

    def state_dict(self) -> dict[str, Any]:
        """What was collected, as plain data and tensors."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        ...
