"""Facts of a corpus: defects of recordings and targets, counted over every row of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from ctcasr.batch import Batch
from ctcasr.diagnose.targets import TargetStats, target_stats
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer

_SILENT = 1e-8  # power below which nothing is heard (-80 dB of full scale)


@dataclass
class CorpusFacts:
    """Counts of rows; each row of the first epoch is looked at once.

    Example:
        >>> CorpusFacts().as_json()["rows"]
        0
    """

    rows: int = 0
    wrong_lengths: int = 0  # whose logits have not the frames that the network makes of the audio
    targets: TargetStats = field(default_factory=TargetStats)
    first_row: str = ""  # when it is seen again, an epoch has passed
    complete: bool = False
    # Counted where the samples lie, so that nobody waits for a device: silent, constant, NaN.
    _signal: Tensor | None = None

    def add(
        self,
        batch: Batch,
        lengths: tuple[int, ...],
        frames_of: Callable[[int], int] | None,
        tokenizer: Tokenizer,
    ) -> None:
        """Look at a batch whose logits had so many frames; at none once an epoch has passed."""
        names = [utterance.full_name for utterance in batch.utterances]
        self.complete = self.complete or self.first_row in names
        if self.complete or not names:
            return
        self.first_row = self.first_row or names[0]
        self.rows += len(batch)
        self.targets.merge(target_stats(batch, tokenizer))
        faults = signal_faults(batch.audio)
        self._signal = faults if self._signal is None else self._signal + faults
        if frames_of is not None:
            for frames, samples in zip(lengths, batch.audio.lengths, strict=True):
                self.wrong_lengths += frames_of(samples) != frames

    def as_json(self) -> dict[str, int]:
        """Counts by name: of rows, and of labels, characters and `uncovered` ones."""
        silent, constant, not_finite = (0, 0, 0) if self._signal is None else self._signal.tolist()
        return {
            **asdict(self.targets),
            "rows": self.rows,
            "wrong_lengths": self.wrong_lengths,
            "silent": silent,
            "constant": constant,
            "not_finite": not_finite,
        }

    def state_dict(self) -> dict[str, Any]:
        """All that was counted, as plain data."""
        return {
            "rows": self.rows,
            "wrong_lengths": self.wrong_lengths,
            "targets": asdict(self.targets),
            "first_row": self.first_row,
            "complete": self.complete,
            "signal": None if self._signal is None else self._signal.tolist(),
        }

    @staticmethod
    def from_state(state: Mapping[str, Any], device: torch.device) -> CorpusFacts:
        """The facts that `state_dict` tells of, counting on where samples lie."""
        facts = CorpusFacts(
            rows=int(state["rows"]),
            wrong_lengths=int(state["wrong_lengths"]),
            targets=TargetStats(**state["targets"]),
            first_row=state["first_row"],
            complete=bool(state["complete"]),
        )
        if state["signal"] is not None:
            facts._signal = torch.tensor(state["signal"], device=device)
        return facts


def signal_faults(audio: Seq) -> Tensor:
    """How many rows of samples [B, N] are silent, constant (not silent), not finite: int64 [3].

    Example:
        >>> dc = torch.full((100,), 0.5)
        >>> signal_faults(Seq.stack([dc, 0 * dc, torch.nan * dc], 16000)).tolist()
        [1, 1, 1]
    """
    samples = audio.data.float()
    counts = audio.device_lengths.clamp_min(1)
    finite = (samples.isfinite() | ~audio.mask).all(1)
    real = samples.masked_fill(~audio.mask, 0.0)
    power = real.square().sum(1) / counts
    mean = real.sum(1) / counts
    deviation = (real - mean[:, None]).masked_fill(~audio.mask, 0.0)
    changing = deviation.square().sum(1) / counts
    silent = finite & (power < _SILENT)
    constant = finite & ~silent & (changing < _SILENT)
    return torch.stack([silent.sum(), constant.sum(), (~finite).sum()])
