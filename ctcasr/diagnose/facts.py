"""Facts of a corpus: defects of recordings and targets, counted over every row of an epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from ctcasr.batch import Batch
from ctcasr.diagnose.targets import TargetStats, target_stats
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer

_REMEMBERED = 65_536  # rows whose sound and text are compared with those of the others
_ODD = 0x9E3779B97F4A7C15 - 2**64  # spreads the bits of a sum (Knuth 1973, multiplicative hashing)
_SILENT = 1e-8  # power below which nothing is heard (-80 dB of full scale)


@dataclass
class CorpusFacts:
    """Counts of rows; each row of the first epoch is looked at once.

    Example:
        >>> CorpusFacts().as_json()["rows"]
        0
    """

    rows: int = 0
    compared: int = 0  # of them, the first so many, with each other
    wrong_lengths: int = 0  # whose logits have not the frames that the network makes of the audio
    targets: TargetStats = field(default_factory=TargetStats)
    seen: set[str] = field(default_factory=set)  # once one of them comes again, all were counted
    complete: bool = False
    # Counted where the samples lie, so that nobody waits for a device: silent, constant, NaN.
    _signal: Tensor | None = None
    texts: Counter[int] = field(default_factory=Counter)  # rows by the digest of their target
    _sounds: dict[int, int] = field(default_factory=dict)  # digests of sounds, and of their targets
    _pending: list[tuple[Tensor, list[int]]] = field(default_factory=list)  # not yet looked up
    _contradicted: int = 0

    def add(
        self,
        batch: Batch,
        lengths: tuple[int, ...],
        frames_of: Callable[[int], int] | None,
        tokenizer: Tokenizer,
    ) -> None:
        """Look at a batch whose logits had so many frames; at none once an epoch has passed."""
        names = [utterance.full_name for utterance in batch.utterances]
        if self.complete or not self.seen.isdisjoint(names):
            self.complete = True
            self.seen = set()
            return
        self.seen.update(names)
        self.rows += len(batch)
        self.targets.merge(target_stats(batch, tokenizer))
        self._remember(batch)
        faults = signal_faults(batch.audio)
        self._signal = faults if self._signal is None else self._signal + faults
        if frames_of is not None:
            for frames, samples in zip(lengths, batch.audio.lengths, strict=True):
                self.wrong_lengths += frames_of(samples) != frames

    def _remember(self, batch: Batch) -> None:
        """Keep digests of the sounds and targets of a batch, to find what contradicts itself."""
        if self.compared >= _REMEMBERED:
            return
        self.compared += len(batch)
        targets = batch.targets.cpu().split(list(batch.target_lengths))
        digests = [hash(tuple(row.tolist())) for row in targets]
        said = [digest for digest, row in zip(digests, targets, strict=True) if len(row)]
        self.texts.update(said)
        self._pending.append((sound_digests(batch.audio), digests))

    @property
    def contradicted(self) -> int:
        """Rows whose sound has been heard before, with another target."""
        for sounds, texts in self._pending:
            for sound, text in zip(sounds.tolist(), texts, strict=True):
                if sound:  # of silence nothing can be said
                    self._contradicted += self._sounds.setdefault(sound, text) != text
        self._pending = []
        return self._contradicted

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
            "compared": self.compared,
            "contradicted": self.contradicted,
            "same_text": max(self.texts.values(), default=0),
        }

    def state_dict(self) -> dict[str, Any]:
        """All that was counted, as plain data."""
        return {
            "rows": self.rows,
            "compared": self.compared,
            "wrong_lengths": self.wrong_lengths,
            "targets": asdict(self.targets),
            "seen": sorted(self.seen),
            "complete": self.complete,
            "signal": None if self._signal is None else self._signal.tolist(),
            "contradicted": self.contradicted,
            "sounds": {} if self.complete else dict(self._sounds),
            "texts": dict(self.texts.most_common(1 if self.complete else None)),
        }

    @staticmethod
    def from_state(state: Mapping[str, Any], device: torch.device) -> CorpusFacts:
        """The facts that `state_dict` tells of, counting on where samples lie."""
        rows = int(state["rows"])
        facts = CorpusFacts(
            rows=rows,
            compared=int(state.get("compared", min(rows, _REMEMBERED))),  # likewise
            wrong_lengths=int(state["wrong_lengths"]),
            targets=TargetStats(**state["targets"]),
            seen=set(state.get("seen", ())),  # absent in an older file
            complete=bool(state["complete"]),
        )
        facts._contradicted = int(state.get("contradicted", 0))  # absent in an older file
        facts._sounds = dict(state.get("sounds", {}))
        facts.texts = Counter(state.get("texts", {}))
        if state["signal"] is not None:
            facts._signal = torch.tensor(state["signal"], device=device)
        return facts


def levels(audio: Seq) -> Seq:
    """Samples [B, N] float32 of samples; of pictures [B, T, H, W] the sum of each.

    Example:
        >>> levels(Seq.stack([torch.ones(2, 3, 4, dtype=torch.uint8)], 25)).data.tolist()
        [[12.0, 12.0]]
    """
    data = audio.data.float()
    if data.dim() > 2:
        data = data.flatten(2).sum(2)
    return audio.with_data(data)


def sound_digests(audio: Seq) -> Tensor:
    """A digest of each row of samples [B, N], to the bit and whatever the padding; 0: silent.

    Example:
        >>> sound = torch.tensor([0.5, -0.25])
        >>> first, second, silent = sound_digests(Seq.stack([sound, sound, 0 * sound], 8000))
        >>> bool(first == second), int(silent)
        (True, 0)
    """
    audio = levels(audio)
    samples = audio.data + 0.0  # of the two zeros, one
    bits = samples.masked_fill(~audio.mask, 0.0).view(torch.int32).to(torch.int64)
    places = torch.arange(1, bits.shape[1] + 1, device=bits.device) * _ODD
    return (bits * places).sum(1)


def signal_faults(audio: Seq) -> Tensor:
    """How many rows of samples [B, N] are silent, constant (not silent), not finite: int64 [3].

    Example:
        >>> dc = torch.full((100,), 0.5)
        >>> signal_faults(Seq.stack([dc, 0 * dc, torch.nan * dc], 16000)).tolist()
        [1, 1, 1]
    """
    audio = levels(audio)
    samples = audio.data
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
