"""Evidence that a recogniser gives while it trains: plain numbers for the checks' records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ctcasr.batch import Batch, Utterance
from ctcasr.diagnose.outputs import output_stats
from ctcasr.diagnose.probe import (
    Activations,
    batch_statistics,
    feature_stats,
    fingerprints,
    parameter_stats,
)
from ctcasr.diagnose.scores import Read, mean_nll, penalised_cers, score_stats
from ctcasr.diagnose.targets import target_stats
from ctcasr.diagnose.voice import voice_stats
from ctcasr.diagnose.yardstick import DeafYardstick
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer

_DEV_ROWS = 64  # of the dev part that are looked at: their logits are there anyway
_TRAIN_ROWS = 8  # of training: each costs two forward passes
_LEAST_TRAIN_ROWS = 4
_TRAINED_A_ROW = 40  # utterances trained on for one looked at: looking costs less than 3 %

PartEvidence = dict[str, Any]
"""Numbers about one part by name; what each means stands at the statistics it comes from."""


class _DevBatch(NamedTuple):
    batch: Batch
    logits: Seq
    hypotheses: Sequence[str]


class Evidence:
    """Collects while a task trains, and is asked at each check; changes nothing it looks at.

    `read` makes hypotheses of logits and a blank penalty, with the blank of the loss.
    """

    def __init__(
        self,
        network: nn.Module,
        tokenizer: Tokenizer,
        trained: Callable[[], Iterable[nn.Parameter]],
        blank_penalty: Callable[[], float],
        read: Read,
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.trained = trained
        self.blank_penalty = blank_penalty
        self.read = read
        self.deaf = DeafYardstick(tokenizer.size, tokenizer.blank)
        self._before: dict[str, str] = {}  # fingerprints of the parameters at the last check
        self._last_batch: Batch | None = None
        self._last_size = 0
        self._trained_on = 0  # utterances since the last check
        self._dev: list[_DevBatch] = []
        # What is the same at every check, by the utterances that it is of:
        self._unchanging: dict[tuple[str, ...], PartEvidence] = {}

    def train_batch(self, batch: Batch, lengths: tuple[int, ...]) -> None:
        """A batch that has been trained on, with the frames its logits had."""
        if not self._before:
            self._before = fingerprints(self.network)
        self._last_batch = batch
        self._last_size = len(batch)
        self._trained_on += len(batch)
        self.deaf.remember(batch, lengths)

    def dev_batch(self, batch: Batch, logits: Seq, hypotheses: Sequence[str]) -> None:
        """A batch of the check with its logits [B, T, C] and what was written."""
        if sum(len(part.batch) for part in self._dev) < _DEV_ROWS:
            self._dev.append(_DevBatch(batch, logits, hypotheses))

    @torch.no_grad()
    def collect(self) -> dict[str, Any]:
        """All evidence since the last check: `parameters`, and `dev` and `train` where seen.

        The network must be in evaluation mode.
        """
        now = fingerprints(self.network)
        parameters = parameter_stats(self.network, self.trained(), self._before, now)
        evidence: dict[str, Any] = {"parameters": asdict(parameters)}
        if self._dev:
            evidence["dev"] = self._dev_part()
        if self._last_batch is not None:
            evidence["train"] = self._train_part(self._last_batch)
        self._before = now
        self._dev = []
        self._trained_on = 0
        return evidence

    def _dev_part(self) -> PartEvidence:
        """The dev part: what the network made of it was computed by the check already."""
        parts = []
        for dev in self._dev:
            rows = range(min(len(dev.batch), _DEV_ROWS))
            batch = dev.batch.rows(rows)
            logits = dev.logits.rows(rows)
            part = self._scores(batch, logits, dev.hypotheses[: len(rows)])
            part |= output_stats(logits.data, logits.lengths)
            part |= self._unchanging_part(batch)
            part |= penalised_cers(batch, logits, self.read, self.tokenizer)
            part["rows"] = len(rows)
            parts.append(part)
        return weighted_means(parts)

    def _unchanging_part(self, batch: Batch) -> PartEvidence:
        """What recordings and targets of the dev part are like, looked at once."""
        if batch.ids not in self._unchanging:
            self._unchanging[batch.ids] = self._recordings_and_targets(batch)
        return self._unchanging[batch.ids]

    def _train_part(self, last_batch: Batch) -> PartEvidence:
        """A few rows of the last training batch, evaluated and by the statistics of the batch."""
        wanted = min(_TRAIN_ROWS, self._trained_on // _TRAINED_A_ROW)
        rows = range(min(len(last_batch), max(_LEAST_TRAIN_ROWS, wanted)))
        batch = last_batch.rows(rows)
        with Activations() as activations:
            logits = self.network(batch.audio)
        hypotheses = self.read(logits, self.blank_penalty())
        part = self._scores(batch, logits, hypotheses)
        few_rows = rows[: max(_LEAST_TRAIN_ROWS, len(rows) // 2)]
        few = batch.rows(few_rows)
        with batch_statistics(self.network) as norm_layers:
            logits_by_batch = self.network(few.audio)
        blank = self.tokenizer.blank
        part["nll_few"] = mean_nll(few, logits.rows(few_rows), blank)
        part["nll_batch_statistics"] = mean_nll(few, logits_by_batch, blank)
        part["rows"] = len(rows)
        part["batch"] = self._last_size
        part["normed"] = norm_layers
        part["dead"] = activations.dead_shares(logits.lengths)
        features = feature_stats(self.network, few)
        if features is not None:
            part |= asdict(features)
        part |= self._recordings_and_targets(batch)
        return part

    def _scores(self, batch: Batch, logits: Seq, hypotheses: Sequence[str]) -> PartEvidence:
        best_paths = self.read(logits, self.blank_penalty())
        stats = score_stats(
            self.network, batch, logits, hypotheses, best_paths, self.tokenizer, self.deaf
        )
        return asdict(stats)

    def _recordings_and_targets(self, batch: Batch) -> PartEvidence:
        targets = target_stats(batch, self.tokenizer)
        return {**asdict(voice_stats(batch.audio)), **targets.as_json()}

    # for checkpoints ----------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All that the next checks need to say what they would have said without a stop.

        Plain data and tensors: `deaf`, `before`, `trained_on`, `last_size` and `last_batch`.
        """
        last_batch = None
        if self._last_batch is not None:
            rows = range(min(len(self._last_batch), _TRAIN_ROWS))
            last_batch = _batch_state(self._last_batch.rows(rows))
        return {
            "deaf": self.deaf.state_dict(),
            "before": self._before,
            "trained_on": self._trained_on,
            "last_size": self._last_size,
            "last_batch": last_batch,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` told."""
        self.deaf.load_state_dict(state["deaf"])
        self._before = dict(state["before"])
        self._trained_on = int(state["trained_on"])
        self._last_size = int(state["last_size"])
        self._last_batch = None
        if state["last_batch"] is not None:
            device = next(self.network.parameters()).device
            self._last_batch = _batch_from(state["last_batch"]).to(device)


def _batch_state(batch: Batch) -> dict[str, Any]:
    """A batch as plain data and tensors: what evidence looks at of it."""
    return {
        "files": [str(utterance.audio_filepath) for utterance in batch.utterances],
        "texts": [utterance.text for utterance in batch.utterances],
        "samples": batch.audio.data.cpu(),
        "lengths": list(batch.audio.lengths),
        "rate": [batch.audio.rate.numerator, batch.audio.rate.denominator],
        "targets": batch.targets.cpu(),
        "target_lengths": list(batch.target_lengths),
    }


def _batch_from(state: Mapping[str, Any]) -> Batch:
    """The batch that `_batch_state` told of."""
    utterances = []
    for file, text in zip(state["files"], state["texts"], strict=True):
        utterances.append(Utterance(Path(file), text=text))
    audio = Seq(state["samples"], tuple(state["lengths"]), Fraction(*state["rate"]))
    return Batch(tuple(utterances), audio, state["targets"], tuple(state["target_lengths"]))


def weighted_means(parts: Sequence[Mapping[str, float]]) -> PartEvidence:
    """Means of numbers over parts, weighted by their `rows`, which are added up.

    What is no number in a part is left out of its mean.

    Example:
        >>> weighted_means([{"rows": 3, "cer": 0.1}, {"rows": 1, "cer": 0.5}])
        {'rows': 4, 'cer': 0.2}
    """
    means: PartEvidence = {"rows": sum(part["rows"] for part in parts)}
    for name in parts[0]:
        if name == "rows":
            continue
        weight = 0.0
        total = 0.0
        for part in parts:
            value = part.get(name, math.nan)
            if not math.isnan(value):
                weight += part["rows"]
                total += value * part["rows"]
        means[name] = total / weight if weight else math.nan
    return means
