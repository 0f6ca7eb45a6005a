"""What goes into a network, seen by a hook on one of its modules: samples, or features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

SILENT = 1e-8  # power below which nothing is heard (-80 dB of full scale)
CONSTANT = 1e-4  # standard deviation below which features do not change
TOLD_TOO_LONG = 1.1  # times the share of frames that holds anything
LEAST_FRAMES = 2  # that a length must be beyond it
ROWS_COUNTED = 2048
SHORT_INTEGERS = (torch.int16, torch.uint8)  # longer ones are labels, positions or masks


@dataclass
class InputFacts:
    """Counts over the rows of one part; they add up batch by batch."""

    rows: int = 0
    silent: int = 0
    constant: int = 0
    not_finite: int = 0
    features_constant: int = 0
    wrong_lengths: int = 0  # rows that are told frames in which nothing is but padding
    has_samples: bool = False
    widths: set[int] = field(default_factory=set)  # of the batches, in samples or frames
    levels_db: list[float] = field(default_factory=list)

    def add(self, inputs: Tensor, features: Tensor | None, lengths: Sequence[int]) -> None:
        """Count a batch: what went in, what the module made of it, and frames told to the loss."""
        if self.rows >= ROWS_COUNTED:
            return
        values = inputs.detach().float().cpu()
        self.rows += len(values)
        broken = ~values.isfinite().flatten(1).all(1)
        self.not_finite += int(broken.sum())
        values = values.nan_to_num(0.0, 0.0, 0.0)
        if is_samples(values):
            self.has_samples = True
            self._add_samples(values.flatten(1))
        else:
            features = values
        if features is not None and features.dim() >= 3:
            self.features_constant += constant_rows(features.detach().float().cpu())
        self.wrong_lengths += padded_rows(values, lengths)
        self.widths.add(values.shape[-1] if is_samples(values) else values.shape[1])

    def _add_samples(self, samples: Tensor) -> None:
        """Samples [B, N]."""
        power = samples.square().mean(1)
        silent = power < SILENT
        constant = ~silent & (samples.var(1) < SILENT)
        levels_db = 10 * power.clamp_min(SILENT).log10()
        self.silent += int(silent.sum())
        self.constant += int(constant.sum())
        self.levels_db.extend(levels_db.tolist())

    def as_json(self) -> dict[str, float]:
        """Shares of the rows, by the names that the causes know."""
        if not self.rows:
            return {}
        shares = {
            "not_finite": self.not_finite / self.rows,
            "features_constant": self.features_constant / self.rows,
        }
        # Where all batches are equally wide, silence at the end may belong to the recordings.
        if len(self.widths) > 1:
            shares["wrong_lengths"] = self.wrong_lengths / self.rows
        if self.has_samples:
            shares["silent"] = self.silent / self.rows
            shares["constant"] = self.constant / self.rows
            shares["level_db"] = median(self.levels_db)
        return shares


def is_samples(inputs: Tensor) -> bool:
    """Whether these are samples [B, N] or [B, 1, N], and not features."""
    return inputs.dim() == 2 or (inputs.dim() == 3 and inputs.shape[1] == 1)


def constant_rows(features: Tensor) -> int:
    """Rows of features [B, T, F] or [B, F, T] that do not change along an axis."""
    finite = features.nan_to_num(0.0, 0.0, 0.0)
    if finite.dim() > 3:
        finite = finite.flatten(3).mean(3)
    constant = torch.zeros(len(finite), dtype=torch.bool)
    for axis, other in ((1, 2), (2, 1)):
        if finite.shape[axis] > 1:  # what has one value does not change, and need not
            constant |= finite.std(axis, keepdim=True).mean(other).squeeze(1) < CONSTANT
    return int(constant.sum())


def padded_rows(inputs: Tensor, lengths: Sequence[int]) -> int:
    """Rows of inputs [B, T, ...] whose lengths for the loss reach into what is padding.

    Padding is one value to the end, where another row has others.
    """
    if len(lengths) != len(inputs) or len(inputs) < 2:
        return 0
    if is_samples(inputs):
        by_time = inputs.flatten(1).unsqueeze(2)
    else:
        by_time = inputs.flatten(2)
    times = by_time.shape[1]
    last = by_time[:, -1:]
    changes = (by_time != last).any(2)  # [B, T]
    places = torch.arange(1, times + 1)
    real_times = (changes * places).amax(1)  # up to where anything is
    wrong = 0
    for length, real in zip(lengths, real_times.tolist(), strict=True):
        share = TOLD_TOO_LONG * real / times
        expected = share * max(lengths) + LEAST_FRAMES
        if real > 0 and length > expected:
            wrong += 1
    return wrong


class InputWatch:
    """A hook on one module, which keeps what it saw last until somebody takes it."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.facts = {"train": InputFacts(), "dev": InputFacts()}
        self._last: tuple[Tensor, Tensor | None] | None = None
        self._handle: RemovableHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        self._handle = self.module.register_forward_hook(self._seen, with_kwargs=True)

    def stop(self) -> None:
        """Look no more."""
        if self._handle is not None:
            self._handle.remove()
        self._last = None

    def add_to(self, part: str, lengths: Sequence[int], classes: int) -> None:
        """Count what went in last as of this part; `lengths` are what the loss was told."""
        if self._last is None:
            return
        inputs, features = self._last
        if features is not None and features.shape[-1] == classes:  # the scores, and no features
            features = None
        self.facts[part].add(inputs, features, lengths)
        self._last = None

    def _seen(
        self, module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], output: Any
    ) -> None:
        if torch.compiler.is_compiling():
            return
        inputs = first_batch((*args, *kwargs.values()))
        if inputs is not None:
            self._last = (inputs, first_batch((output,)))

    @property
    def saw_any(self) -> bool:
        """Whether anything that can be looked at has passed the module."""
        return any(facts.rows for facts in self.facts.values())


def first_batch(values: Sequence[Any]) -> Tensor | None:
    """The first tensor of floats with a batch axis, also in a tuple; None where none is.

    Without any, the first of short integers, as samples and pixels are: their largest is 1 then.
    """
    batches = list(batches_in(values))
    for batch in batches:
        if batch.is_floating_point():
            return batch
    for batch in batches:
        if batch.dtype in SHORT_INTEGERS:
            return batch.float() / torch.iinfo(batch.dtype).max
    return None


def batches_in(values: Sequence[Any]) -> Iterator[Tensor]:
    """All tensors with a batch axis, also in tuples."""
    for value in values:
        if isinstance(value, Tensor) and value.dim() >= 2:
            yield value.detach()
        elif isinstance(value, tuple | list):
            yield from batches_in(value)
