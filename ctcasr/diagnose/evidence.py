"""What a recogniser looks like from inside while it trains: plain numbers for the check's record, from a few utterances."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ctcasr.batch import Batch
from ctcasr.ctc import ctc_loss
from ctcasr.diagnose.deaf import DeafModel, rolled
from ctcasr.diagnose.outputs import output_stats
from ctcasr.diagnose.probe import (
    Activations,
    batch_statistics,
    feature_stats,
    parameter_stats,
    sound_stats,
)
from ctcasr.diagnose.targets import target_stats
from ctcasr.scoring.errors import ErrorRates
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer

_KEPT, _FIT = (
    4096,
    384,
)  # targets kept of the first epoch, and how many of them the deaf model is fitted on
_DEV = 64  # utterances of the dev part that are looked at: their logits are there anyway
_TRAIN = 8  # of training: each costs two forward passes
_SHARE = 40  # one utterance looked at for so many trained on, so that looking stays below 3 % of training
_PENALTIES = (2, 5)  # nats that the blank is lowered by, on trial


class Evidence:
    """Collects while a task trains, and is asked at each check; changes nothing of what it looks at."""

    def __init__(
        self,
        network: nn.Module,
        tokenizer: Tokenizer,
        trained: Callable[[], Iterable[nn.Parameter]],
        blank_penalty: Callable[[], float],
        read: Callable[[Seq, float], list[str]],
    ) -> None:
        self.network, self.tokenizer, self.trained, self.blank_penalty = (
            network,
            tokenizer,
            trained,
            blank_penalty,
        )
        self.read = read  # logits [B, T, C] and nats off the blank to texts
        self._texts: list[
            tuple[Tensor, int, int]
        ] = []  # targets, frames, labels: for the deaf model
        self._seen: set[str] = set()
        self._deaf: DeafModel | None = None
        self._last: Batch | None = None
        self._heard = 0
        self._before: dict[str, Tensor] = {}
        self._dev: list[tuple[Batch, Seq, Sequence[str]]] = []
        self._same: dict[
            tuple[str, ...], dict[str, Any]
        ] = {}  # what of the dev part is the same at every check

    def train_batch(self, batch: Batch, lengths: tuple[int, ...]) -> None:
        """A batch that has been trained on, with the frames its logits had."""
        if not self._before:
            self._before = {name: p.detach().clone() for name, p in self.network.named_parameters()}
        self._last, self._heard = batch, self._heard + len(batch)
        if self._deaf is None and len(self._texts) < _KEPT and batch.ids[0] not in self._seen:
            self._seen.update(batch.ids)
            parts = batch.targets.cpu().split(list(batch.target_lengths))
            self._texts += zip(parts, lengths, batch.target_lengths, strict=True)

    def dev_batch(self, batch: Batch, logits: Seq, written: Sequence[str]) -> None:
        """A batch of the check with its logits and what was written."""
        if sum(len(b) for b, _, _ in self._dev) < _DEV:
            self._dev.append((batch, logits, written))

    @torch.no_grad()
    def figures(self) -> dict[str, Any]:
        """All evidence since the last check; the network must be in evaluation mode."""
        found: dict[str, Any] = {
            "parameters": parameter_stats(self.network, self.trained(), self._before)
        }
        if self._dev:
            found["dev"] = self._dev_figures()
        if self._last is not None:
            found["train"] = self._train_figures(self._last)
        self._before = {name: p.detach().clone() for name, p in self.network.named_parameters()}
        self._dev, self._heard = [], 0
        return found

    def _dev_figures(self) -> dict[str, Any]:
        """The dev part: what the network made of it was computed by the check already."""
        parts = []
        for batch, logits, written in self._dev:
            rows = list(range(min(len(batch), _DEV)))
            small, cut = _rows(batch, rows), logits.rows(rows)
            if small.ids not in self._same:
                self._same[small.ids] = {
                    **sound_stats(small.audio),
                    **target_stats(small, self.tokenizer),
                }
            parts.append(
                {
                    **self._scores(small, cut, list(written)[: len(rows)]),
                    **output_stats(cut.data, cut.lengths),
                    **self._same[small.ids],
                    "rows": len(rows),
                    **self._penalised(small, cut),
                }
            )
        return _mean(parts)

    def _train_figures(self, batch: Batch) -> dict[str, Any]:
        """A few utterances of the last training batch, in evaluation mode and with the statistics of the batch."""
        rows = list(range(min(len(batch), max(4, min(_TRAIN, self._heard // _SHARE)))))
        small = _rows(batch, rows)
        with Activations() as activations:
            logits = self.network(small.audio)
        written = self.read(logits, self.blank_penalty())
        found = self._scores(small, logits, written)
        few = _rows(small, rows[: max(4, len(rows) // 2)])
        with batch_statistics(self.network) as normed:
            by_batch = self.network(few.audio)
        found["nll_few"] = self._nll(few, logits.rows(range(len(few))))
        found["nll_batch_statistics"] = self._nll(few, by_batch)
        found |= {
            "rows": len(rows),
            "batch": len(batch),
            "normed": normed,
            "dead": activations.dead(logits.lengths),
        }
        return (
            found
            | feature_stats(self.network, few)
            | sound_stats(small.audio)
            | target_stats(small, self.tokenizer)
        )

    def _scores(self, batch: Batch, logits: Seq, written: Sequence[str]) -> dict[str, float]:
        """Losses of the model, of the deaf model and of the wrong audio; errors as written and as the loss's blank reads them."""
        blank = self.tokenizer.blank
        said = [self.tokenizer.normalise(u.text or "") for u in batch.utterances]
        read = self.read(logits, self.blank_penalty())  # with the blank of the loss
        turned = rolled(
            logits.data, logits.lengths, batch.targets, batch.target_lengths, blank=blank
        )
        tally = sum((ErrorRates.of(s, w) for s, w in zip(said, written, strict=True)), ErrorRates())
        frames = getattr(self.network, "frames", None)
        wrong = [
            n
            for n, samples in zip(logits.lengths, batch.audio.lengths, strict=True)
            if frames and frames(samples) != n
        ]
        return {
            "nll": self._nll(batch, logits),
            "deaf": self._deaf_nll(batch, logits),
            "own": turned.own,
            "other": turned.other,
            "pairs": turned.pairs,
            "wer": tally.words.rate,
            "cer": tally.chars.rate,
            "deletions": tally.chars.deletions / max(tally.chars.total, 1),
            "insertions": tally.chars.insertions / max(tally.chars.total, 1),
            "written_differs": sum(a != b for a, b in zip(read, written, strict=True))
            / max(len(read), 1),
            "wrong_lengths": len(wrong) / max(len(batch), 1),
            "uniform": sum(logits.lengths)
            / max(len(batch), 1)
            * math.log(max(self.tokenizer.size, 2)),
        }

    def _penalised(self, batch: Batch, logits: Seq) -> dict[str, float]:
        """CER with the blank made less likely: lower where the blank takes what belongs to symbols."""
        found = {}
        for nats in _PENALTIES:
            read = self.read(logits, nats)
            tally = sum(
                (
                    ErrorRates.of(self.tokenizer.normalise(u.text or ""), text)
                    for u, text in zip(batch.utterances, read, strict=True)
                ),
                ErrorRates(),
            )
            found[f"cer_blank_minus_{nats}"] = tally.chars.rate
        return found

    def _nll(self, batch: Batch, logits: Seq) -> float:
        rows = ctc_loss(
            logits.data,
            batch.targets,
            logits.lengths,
            batch.target_lengths,
            blank=self.tokenizer.blank,
            reduction="none",
        )
        rows = rows[~rows.isposinf()]
        return float(rows.mean()) if len(rows) else float("nan")

    def _deaf_nll(self, batch: Batch, logits: Seq) -> float:
        """The deaf model's loss on the same targets; NaN as long as there are no training targets to fit it on."""
        if self._deaf is None and self._texts:
            # Spread over all that was seen: a first epoch may come sorted, and its beginning is like no other part.
            targets, frames, labels = zip(
                *self._texts[:: -(-len(self._texts) // _FIT)], strict=True
            )
            if any(n >= 2 * u for n, u in zip(frames, labels, strict=True)):
                self._deaf = DeafModel.fit(
                    torch.cat(targets),
                    frames,
                    labels,
                    self.tokenizer.size,
                    blank=self.tokenizer.blank,
                )
        if self._deaf is None:
            return float("nan")
        rows = self._deaf.nll(batch.targets, logits.lengths, batch.target_lengths)
        rows = rows[~rows.isposinf()]
        return float(rows.mean()) if len(rows) else float("nan")


def _rows(batch: Batch, rows: Sequence[int]) -> Batch:
    """The first rows of a batch."""
    count = len(rows)
    labels = batch.target_lengths[:count]
    return Batch(
        batch.utterances[:count],
        batch.audio.rows(rows),
        batch.targets[: sum(labels)],
        labels,
        seeds=batch.seeds[:count],
    )


def _mean(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means weighted by rows; what is not a number anywhere is left out of its mean."""
    found = {"rows": sum(part["rows"] for part in parts)}
    for name in parts[0]:
        known = [
            (part[name], part["rows"])
            for part in parts
            if part.get(name) is not None and part[name] == part[name]
        ]
        if name != "rows":
            weight = sum(rows for _, rows in known)
            found[name] = (
                sum(value * rows for value, rows in known) / weight if weight else float("nan")
            )
    return found
