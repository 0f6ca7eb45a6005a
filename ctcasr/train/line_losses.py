"""The loss of each line before the network knows the lines by heart: which transcripts are wrong?

A wrong transcript is learnt late (Arpit et al. 2017, arXiv 1706.05394), so that in the first epochs
its loss stands out. Later it is learnt like any other, and its loss tells nothing any more. A right
one stands out too, now and then: beneath a mask, or in noise. So the least of the last losses of a
line is what counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor

from ctcasr.batch import Batch, Utterance
from ctcasr.records import CheckRecord, Record

BLIND_EPOCHS = 1  # in the first epoch no line has been learnt yet
EPOCHS = 5  # that tell, where no dev part shows when lines are known by heart
BY_HEART = 0.5  # of the dev loss: training lines with less are known by heart
_FEWEST = 20  # lines from which on one can stand out
_HEARINGS = 3  # of a line, the least of which counts
_FEWEST_HEARINGS = 2  # before that a line is no suspect
_FAR = 3.0  # robust deviations from the median
_AGREED = 0.5  # nats per symbol: with less the network agrees with the text
_FLOOR = 1e-4  # of a typical line's loss
_TO_DEVIATION = 1.4826  # a normal distribution's deviation over its median absolute one
_MOST = 100  # suspects that a record names
NO_LINE = ""  # in place of a line's name: what was made has no transcript that could be wrong


class LineLosses:
    """Nats per symbol of the lines of an epoch; tensors stay on the device until they are told.

    Example:
        >>> losses = LineLosses()
        >>> losses.add_rows(["a", "b"], [2, 4], torch.tensor([6.0, 4.0]))
        >>> losses.told()
        {'a': 3.0, 'b': 1.0}
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._symbols: list[int] = []
        self._rows: list[Tensor] = []

    def add(self, batch: Batch, rows: Tensor | None) -> None:
        """Take in the losses [B] of a batch; nothing of one without symbols."""
        if rows is not None and any(batch.target_lengths):
            names = [_line_of(utterance) for utterance in batch.utterances]
            self.add_rows(names, batch.target_lengths, rows)

    def add_rows(self, names: Sequence[str], symbols: Sequence[int], rows: Tensor) -> None:
        """Take in the losses [B] of lines that have so many symbols."""
        self._names.extend(names)
        self._symbols.extend(symbols)
        self._rows.append(rows)

    def told(self) -> dict[str, float]:
        """Nats per symbol by line; waits for the device. Without lines that have no alignment."""
        losses: list[float] = []
        if self._rows:
            losses = self._all_rows().tolist()
        by_line = {}
        for name, symbols, loss in zip(self._names, self._symbols, losses, strict=True):
            # With a star, losses may be negative.
            if name != NO_LINE and loss != 0 and math.isfinite(loss):
                by_line[name] = loss / max(symbols, 1)
        return by_line

    def _all_rows(self) -> Tensor:
        """The losses of all batches, on the device of the last: not so those of before a stop."""
        device = self._rows[-1].device
        return torch.cat([row.to(device, torch.float32) for row in self._rows])

    def mean(self) -> float:
        """Mean loss of a line in nats, as a dev part's is told; NaN without lines.

        Waits for the device.
        """
        if not self._rows:
            return math.nan
        losses = self._all_rows()
        feasible = losses.isfinite() & (losses != 0)
        return float(losses[feasible].mean())

    def clear(self) -> None:
        """Forget the epoch."""
        self._names.clear()
        self._symbols.clear()
        self._rows.clear()

    def state_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        rows = [row.detach().cpu() for row in self._rows]
        return {"names": list(self._names), "symbols": list(self._symbols), "rows": rows}

    def load_state_dicts(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Become what `state_dict` gave: of one process, or of several that this one stands for."""
        self.clear()
        for state in states:
            self._names.extend(state["names"])
            self._symbols.extend(state["symbols"])
            self._rows.extend(state["rows"])


def _line_of(utterance: Utterance) -> str:
    """The name of the line that an utterance is of."""
    return NO_LINE if utterance.made else utterance.full_name


def tells(epoch: int, train_loss: float, history: Sequence[Record]) -> bool:
    """Whether the losses of an epoch (from 1) tell right lines from wrong ones."""
    if epoch <= BLIND_EPOCHS:
        return False
    for record in reversed(history):
        if isinstance(record, CheckRecord) and record.loss is not None:
            return train_loss >= BY_HEART * record.loss
    return epoch <= EPOCHS


class HeardLines:
    """What lines cost the last times they were heard: nats per symbol, and times the typical line.

    A line that is spliced away for some epochs was heard last by a younger network, to which
    everything was hard; so each loss is measured by the median of its epoch.

    Example:
        >>> heard = HeardLines()
        >>> even = {f"line {number}": 0.1 + number / 1000 for number in range(30)}
        >>> heard.add(even | {"wrong": 4.0, "masked": 0.1})
        >>> heard.add(even | {"wrong": 4.0, "masked": 4.0})
        >>> heard.suspects()
        [{'line': 'wrong', 'loss': 4.0}]
    """

    def __init__(self) -> None:
        self._last: dict[str, list[tuple[float, float]]] = {}

    def add(self, losses: Mapping[str, float]) -> None:
        """Take in the nats per symbol of an epoch, of the lines that it heard."""
        typical = median(losses.values()) if losses else 0.0
        if typical <= 0:  # with a star, losses may be negative
            return
        for line, loss in losses.items():
            before = self._last.get(line, [])
            self._last[line] = [*before, (loss, loss / typical)][-_HEARINGS:]

    def suspects(self) -> list[dict[str, Any]]:
        """Lines that stand out each time, the worst first, at most 100: `line` and least `loss`."""
        nats: dict[str, float] = {}
        logarithms: dict[str, float] = {}
        for line, hearings in self._last.items():
            if len(hearings) < _FEWEST_HEARINGS:
                continue
            nats[line] = min(loss for loss, _ in hearings)
            factor = min(factor for _, factor in hearings)
            # Some lines are always harder than others, by factors: logarithms have no long tail.
            logarithms[line] = math.log(max(factor, _FLOOR))
        if len(nats) < _FEWEST:
            return []
        limit = _far_value(list(logarithms.values()))
        standing_out = [
            (loss, line)
            for line, loss in nats.items()
            if loss > _AGREED and logarithms[line] > limit
        ]
        standing_out.sort(reverse=True)
        return [{"line": line, "loss": round(loss, 3)} for loss, line in standing_out[:_MOST]]

    def state_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return {line: list(hearings) for line, hearings in self._last.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become what `state_dict` gave; older checkpoints, of losses alone, are left out."""
        self._last = {
            line: [(loss, factor) for loss, factor in hearings]
            for line, hearings in state.items()
            if not any(isinstance(hearing, float) for hearing in hearings)
        }


def _far_value(values: Sequence[float]) -> float:
    """What lies three robust deviations above the median."""
    middle = median(values)
    spread = _TO_DEVIATION * median(abs(value - middle) for value in values)
    return middle + _FAR * spread
