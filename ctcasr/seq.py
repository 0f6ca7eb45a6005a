"""Sequences that know their true lengths and their clock: the library's only length arithmetic.

Shape letters: B rows of a batch, T elements of the longest row, T_b those of row b.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Framing:
    """How a window of `size` inputs, moved by `hop` over a padded input, makes frames.

    The input is padded by `before` and `after`; all four are counted in inputs.

    Raises:
        ValueError: for a window or a hop of nothing, and for negative padding.

    Example:
        >>> window = Framing(size=400, hop=160)
        >>> window.count(16000)
        98
        >>> window.then(Framing(size=3, hop=2, before=1, after=1))
        Framing(size=720, hop=320, before=160, after=160)
    """

    size: int
    hop: int
    before: int = 0
    after: int = 0

    def __post_init__(self) -> None:
        if self.size < 1 or self.hop < 1 or self.before < 0 or self.after < 0:
            raise ValueError(f"expected size >= 1, hop >= 1, padding >= 0; got {self}")

    def count(self, inputs: int) -> int:
        """Frames made of `inputs` inputs; 0 where no window fits, and always 0 for nothing."""
        if inputs <= 0:
            return 0
        padded = inputs + self.before + self.after
        return max(0, (padded - self.size) // self.hop + 1)

    def span(self, frame: int) -> tuple[int, int]:
        """First input that `frame` sees and the one after the last; negative inside the padding."""
        start = frame * self.hop - self.before
        return start, start + self.size

    def centre(self, frame: int) -> Fraction:
        """Position of the middle of `frame`, in inputs."""
        return Fraction(sum(self.span(frame)), 2)

    def then(self, other: Framing) -> Framing:
        """One framing that does what this one and then `other` do.

        Exact wherever this one gives at least one frame.
        """
        return Framing(
            size=self.size + self.hop * (other.size - 1),
            hop=self.hop * other.hop,
            before=self.before + self.hop * other.before,
            after=self.after + self.hop * other.after,
        )


IDENTITY = Framing(1, 1)


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """The tensor on another device; on its way to CUDA the host waits for nothing.

    Example:
        >>> to_device(torch.ones(2), "cpu")
        tensor([1., 1.])
    """
    if tensor.is_cpu and torch.device(device).type == "cuda":
        # From page-locked memory: the host would wait for any other copy.
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class _TakeRows(torch.autograd.Function):
    """Rows [P, ...] of data [N, ...] at places [P], none twice."""

    @staticmethod
    def forward(data: Tensor, places: Tensor) -> Tensor:
        return data.index_select(0, places)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        data, places = inputs
        ctx.count = data.shape[0]
        ctx.save_for_backward(places)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        spread: Tensor = _SpreadRows.apply(grad, places, ctx.count)  # type: ignore[no-untyped-call]
        return spread, None


class _SpreadRows(torch.autograd.Function):
    """Rows [P, ...] at places [P] of zeros [N, ...]; what `_TakeRows` took, put back."""

    @staticmethod
    def forward(rows: Tensor, places: Tensor, count: int) -> Tensor:
        spread = rows.new_zeros(count, *rows.shape[1:])
        return spread.index_copy_(0, places, rows)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (places,) = ctx.saved_tensors
        taken: Tensor = _TakeRows.apply(grad.contiguous(), places)  # type: ignore[no-untyped-call]
        return taken, None, None


@dataclass(frozen=True, eq=False)
class Seq:
    """A padded batch `data [B, T, ...]`, its true `lengths` as host integers, and its clock.

    `rate` is in elements per second.

    Raises:
        ValueError: where data and lengths do not fit each other.

    Example:
        >>> samples = Seq.stack([torch.ones(3), torch.ones(2)], rate=16000)
        >>> samples.data
        tensor([[1., 1., 1.],
                [1., 1., 0.]])
        >>> samples.lengths, samples.full
        ((3, 2), False)
    """

    data: Tensor
    lengths: tuple[int, ...]
    rate: Fraction
    _cache: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.data.dim() < 2 or self.data.shape[0] != len(self.lengths):
            raise ValueError(
                f"expected data [B, T, ...] with B = {len(self.lengths)} lengths; "
                f"got {tuple(self.data.shape)}"
            )
        padded = self.data.shape[1]
        if not all(hasattr(length, "__index__") for length in self.lengths):
            raise ValueError(
                f"expected lengths in whole elements, not shares of the padded T; "
                f"got {self.lengths}"
            )
        if any(not 0 <= length <= padded for length in self.lengths):
            raise ValueError(
                f"expected lengths within 0..{padded} (the padded T); got {self.lengths}"
            )

    @staticmethod
    def stack(rows: Sequence[Tensor], rate: Fraction | int) -> Seq:
        """Pad rows `[T_b, ...]` with zeros into one Seq; ValueError for no rows."""
        if not rows:
            raise ValueError("expected at least one row to stack; got none")
        lengths = tuple(int(row.shape[0]) for row in rows)
        data = rows[0].new_zeros((len(rows), max(lengths), *rows[0].shape[1:]))
        for index, row in enumerate(rows):
            data[index, : lengths[index]] = row
        return Seq(data, lengths, Fraction(rate))

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def device(self) -> torch.device:
        """Where the data is."""
        return self.data.device

    @property
    def seconds(self) -> float:
        """Seconds of real signal in the whole batch."""
        return float(sum(self.lengths) / self.rate)

    @property
    def device_lengths(self) -> Tensor:
        """Lengths [B] int64 on the data's device (made once)."""
        if "lengths" not in self._cache:
            host = torch.tensor(self.lengths, dtype=torch.int64)
            self._cache["lengths"] = to_device(host, self.device)
        return self._cache["lengths"]

    @property
    def mask(self) -> Tensor:
        """True on real elements, [B, T] bool on the data's device (made once)."""
        if "mask" not in self._cache:
            steps = torch.arange(self.data.shape[1], device=self.device)
            self._cache["mask"] = steps[None, :] < self.device_lengths[:, None]
        return self._cache["mask"]

    @property
    def places(self) -> Tensor:
        """Where real elements lie in `data.flatten(0, 1)`, int64 [P] on its device (made once)."""
        if "places" not in self._cache:
            # From the host's lengths: looking for them in the mask would wait for the device.
            padded = self.data.shape[1]
            *starts, count = itertools.accumulate(self.lengths, initial=0)
            padding_before = [row * padded - start for row, start in enumerate(starts)]
            shifts = to_device(torch.tensor(padding_before, dtype=torch.int64), self.device)
            shift = shifts.repeat_interleave(self.device_lengths, output_size=count)
            self._cache["places"] = torch.arange(count, device=self.device) + shift
        return self._cache["places"]

    def real(self) -> Tensor:
        """The real elements alone, [P, ...], row after row.

        Example:
            >>> Seq.stack([torch.ones(1), torch.zeros(2)], rate=1).real()
            tensor([1., 0., 0.])
        """
        elements = self.data.flatten(0, 1)
        if self.full:
            return elements
        real: Tensor = _TakeRows.apply(elements, self.places)  # type: ignore[no-untyped-call]
        return real

    def with_real(self, elements: Tensor) -> Seq:
        """Elements [P, ...], as `real` gives them, where they belong; zeros in the padding."""
        rows, padded = self.data.shape[:2]
        if not self.full:
            elements = _SpreadRows.apply(  # type: ignore[no-untyped-call]
                elements, self.places, rows * padded
            )
        return self.with_data(elements.unflatten(0, (rows, padded)))

    @property
    def full(self) -> bool:
        """True where no row is padded, so that masks can be left out."""
        padded = self.data.shape[1]
        return all(length == padded for length in self.lengths)

    def with_data(self, data: Tensor) -> Seq:
        """The same lengths and clock around other data `[B, T, ...]`; ValueError for another T."""
        expected = tuple(self.data.shape[:2])
        if tuple(data.shape[:2]) != expected:
            raise ValueError(
                f"expected [B, T] = {expected}; got {tuple(data.shape[:2])}; use framed()"
            )
        if data.device == self.device:
            return Seq(data, self.lengths, self.rate, self._cache)
        return Seq(data, self.lengths, self.rate)

    def zero_padding(self) -> Seq:
        """The same with zeros in the padding, so that no batch mate's length can be seen."""
        if self.full:
            return self
        inner_axes = self.data.dim() - 2
        real = self.mask.reshape(*self.mask.shape, *[1] * inner_axes)
        return self.with_data(self.data.masked_fill(~real, 0))

    def framed(self, data: Tensor, framing: Framing) -> Seq:
        """`data [B, T', ...]` as the frames that `framing` makes of this sequence."""
        lengths = tuple(framing.count(length) for length in self.lengths)
        return Seq(data, lengths, self.rate / framing.hop)

    def to(self, device: torch.device | str) -> Seq:
        """The same on another device."""
        return Seq(to_device(self.data, device), self.lengths, self.rate)

    def pin(self) -> Seq:
        """The same in page-locked memory, for copies that do not wait."""
        return Seq(self.data.pin_memory(), self.lengths, self.rate)

    def rows(self, indices: Sequence[int]) -> Seq:
        """Only these rows, cut to the longest of them."""
        lengths = tuple(self.lengths[index] for index in indices)
        chosen = to_device(torch.tensor(list(indices), dtype=torch.int64), self.device)
        longest = max(lengths, default=0)
        return Seq(self.data.index_select(0, chosen)[:, :longest], lengths, self.rate)

    def row(self, index: int) -> Tensor:
        """Row `index` without its padding, `[T_b, ...]`."""
        return self.data[index, : self.lengths[index]]
