"""Sequences that know their true lengths and their clock; the only length arithmetic in the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import torch
from torch import Tensor


@dataclass(frozen=True)
class Framing:
    """How a window of `size` inputs, moved by `hop` over an input padded by `before` and `after`, makes frames (all in inputs)."""

    size: int
    hop: int
    before: int = 0
    after: int = 0

    def __post_init__(self) -> None:
        if self.size < 1 or self.hop < 1 or self.before < 0 or self.after < 0:
            raise ValueError(f"expected size >= 1, hop >= 1, padding >= 0; got {self}")

    def count(self, inputs: int) -> int:
        """Number of frames made of `inputs` inputs; 0 where not one window fits, and always 0 for nothing."""
        if inputs <= 0:
            return 0
        return max(0, (inputs + self.before + self.after - self.size) // self.hop + 1)

    def span(self, frame: int) -> tuple[int, int]:
        """First input and the one after the last that `frame` sees; negative where it looks into the padding."""
        start = frame * self.hop - self.before
        return start, start + self.size

    def centre(self, frame: int) -> Fraction:
        """Position of the middle of `frame`, in inputs."""
        return Fraction(sum(self.span(frame)), 2)

    def then(self, other: Framing) -> Framing:
        """One framing that does what this one and then `other` do (exact wherever this one gives at least one frame)."""
        return Framing(
            size=self.size + self.hop * (other.size - 1),
            hop=self.hop * other.hop,
            before=self.before + self.hop * other.before,
            after=self.after + self.hop * other.after,
        )


IDENTITY = Framing(1, 1)


@dataclass(frozen=True, eq=False)
class Seq:
    """A padded batch `data [B, T, ...]` with the true `lengths` as host integers and its `rate` in elements per second."""

    data: Tensor
    lengths: tuple[int, ...]
    rate: Fraction
    _cache: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.data.dim() < 2 or self.data.shape[0] != len(self.lengths):
            raise ValueError(
                f"expected data [B, T, ...] with B = {len(self.lengths)} lengths; got {tuple(self.data.shape)}"
            )
        if any(not 0 <= n <= self.data.shape[1] for n in self.lengths):
            raise ValueError(
                f"expected lengths within 0..{self.data.shape[1]} (the padded T); got {self.lengths}"
            )

    @staticmethod
    def stack(rows: Sequence[Tensor], rate: Fraction | int) -> Seq:
        """Pad rows `[T_b, ...]` with zeros into one Seq."""
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
            self._cache["lengths"] = host.to(self.device, non_blocking=True)
        return self._cache["lengths"]

    @property
    def mask(self) -> Tensor:
        """True on real elements, [B, T] bool on the data's device (made once)."""
        if "mask" not in self._cache:
            steps = torch.arange(self.data.shape[1], device=self.device)
            self._cache["mask"] = steps[None, :] < self.device_lengths[:, None]
        return self._cache["mask"]

    @property
    def full(self) -> bool:
        """True where no row is padded, so that masks can be left out."""
        return all(n == self.data.shape[1] for n in self.lengths)

    def with_data(self, data: Tensor) -> Seq:
        """The same lengths and clock around other data `[B, T, ...]` of the same T."""
        if data.shape[:2] != self.data.shape[:2]:
            raise ValueError(
                f"expected [B, T] = {tuple(self.data.shape[:2])}; got {tuple(data.shape[:2])}; use framed()"
            )
        cache = self._cache if data.device == self.device else {}
        return Seq(data, self.lengths, self.rate, cache)

    def zero_padding(self) -> Seq:
        """The same with zeros wherever there is padding, so that no batch mate's length can be seen."""
        if self.full:
            return self
        keep = self.mask.reshape(*self.mask.shape, *[1] * (self.data.dim() - 2))
        return self.with_data(self.data.masked_fill(~keep, 0))

    def framed(self, data: Tensor, framing: Framing) -> Seq:
        """`data [B, T', ...]` as the frames that `framing` makes of this sequence."""
        lengths = tuple(framing.count(n) for n in self.lengths)
        return Seq(data, lengths, self.rate / framing.hop)

    def to(self, device: torch.device | str) -> Seq:
        """The same on another device."""
        return Seq(self.data.to(device, non_blocking=True), self.lengths, self.rate)

    def rows(self, indices: Sequence[int]) -> Seq:
        """Only these rows, cut to the longest of them."""
        lengths = tuple(self.lengths[i] for i in indices)
        index = torch.tensor(list(indices), dtype=torch.int64, device=self.device)
        return Seq(
            self.data.index_select(0, index)[:, : max(lengths, default=0)], lengths, self.rate
        )

    def row(self, index: int) -> Tensor:
        """Row `index` without its padding, `[T_b, ...]`."""
        return self.data[index, : self.lengths[index]]
