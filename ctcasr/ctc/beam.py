"""Prefix beam search: the n best texts by the summed probability of all their paths, with or without a scorer."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ctcasr.ctc.batch import Lengths, check_lengths
from ctcasr.ctc.decode import Decoded, greedy


class Scorer(Protocol):
    """What is added to a prefix as it grows: a deterministic automaton over symbols (a language model, a lexicon, hotwords)."""

    def start(self) -> Hashable:
        """State of the empty prefix."""
        ...

    def step(self, state: Any, token: int) -> tuple[Hashable, float]:
        """State after one more symbol, and the nats it earns; -inf forbids the prefix and all that would follow."""
        ...

    def end(self, state: Any) -> float:
        """Nats for ending here; -inf forbids it."""
        ...


@dataclass(frozen=True)
class BeamSearch:
    """Hannun et al.'s prefix beam search (arXiv:1408.2873), in which every path of a prefix counts; deterministic.

    The search sums over the prefixes that survive; what it returns is weighed anew with all paths, together with the greedy
    text, so scores are exact and the first hypothesis is never less probable than the greedy one. ValueError for bad options.
    """

    blank: int = 0
    beam: int = 16  # prefixes that survive a frame
    nbest: int = 1  # hypotheses returned, at most `beam`
    floor: float = (
        -10.0
    )  # log-probability that a symbol needs in a frame to lengthen a prefix; -inf: any
    skip_blank: float = (
        2.0  # probability of the blank from which on a frame counts as blank alone; above 1: none
    )
    scorer: Scorer | None = None
    _memory: list[_Automaton] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.beam < 1 or not 1 <= self.nbest <= self.beam:
            raise ValueError(
                f"expected beam >= 1 and nbest within 1..beam; got beam {self.beam}, nbest {self.nbest}"
            )
        if math.isnan(self.floor) or self.floor > 0 or not self.skip_blank > 0:
            raise ValueError(
                f"expected floor <= 0 (nats) and skip_blank > 0; got {self.floor}, {self.skip_blank}"
            )

    def __call__(self, logits: Tensor, lengths: Lengths) -> list[list[Decoded]]:
        """At most `nbest` hypotheses, best first, of each row of logits [B, T, C]; empty where the scorer forbids everything.

        ValueError names a row with NaN. `score` is the log of the summed probability, `bonus` what the scorer added.
        """
        logits = logits.detach()
        paths = greedy(logits, lengths, self.blank)
        batch, frames = logits.shape[:2]
        times = check_lengths(lengths, "lengths", batch, frames, "frames of the logits")
        wide = logits if logits.dtype == torch.float64 else logits.float()
        rows = wide.log_softmax(2).cpu().double().numpy()
        for row, time in enumerate(times):
            if np.isnan(rows[row, :time]).any():
                raise ValueError(
                    f"logits: row {row} holds NaN (or only -inf in a frame); nothing can be decoded from it"
                )
        return [
            self._row(rows[row, :time], path.tokens)
            for row, (time, path) in enumerate(zip(times, paths, strict=True))
        ]

    def _row(self, lp: np.ndarray[Any, Any], best_path: tuple[int, ...]) -> list[Decoded]:
        automaton = self._automaton(lp.shape[1])
        found = [
            tokens
            for _, tokens in sorted(self._search(lp, automaton), key=lambda one: -one[0])[
                : self.nbest
            ]
        ]
        # The greedy text competes too; silence is the last resort where a scorer forbids all else.
        weighed = [self._weigh(lp, tokens) for tokens in dict.fromkeys([*found, best_path])]
        weighed = [one for one in weighed if one.total > -math.inf] or [
            one for one in [self._weigh(lp, ())] if one.total > -math.inf
        ]
        return sorted(weighed, key=lambda one: -one.total)[: self.nbest]

    def _search(
        self, lp: np.ndarray[Any, Any], automaton: _Automaton
    ) -> list[tuple[float, tuple[int, ...]]]:
        """(nats with everything, tokens) of the prefixes that are alive after the last frame."""
        from ctcasr.ctc import _cpu_beam as kernel

        frames, classes = lp.shape
        nodes = np.full((6, frames * self.beam + 1), -1, np.int32)
        weight = np.zeros(nodes.shape[1])
        active, pb, pn = (
            np.zeros(self.beam, np.int32),
            np.full(self.beam, -np.inf),
            np.full(self.beam, -np.inf),
        )
        nodes[4, 0] = nodes[5, 0] = 0
        pb[0] = 0.0
        skip = math.log(self.skip_blank) if self.skip_blank <= 1 else math.inf
        missing = np.zeros(self.beam * classes, np.int64)
        at, made, alive, lacks = 0, 1, 1, 0
        while at < frames and alive:
            at, made, alive, lacks = kernel.search(
                lp,
                at,
                self.blank,
                self.floor,
                skip,
                nodes,
                weight,
                made,
                active,
                pb,
                pn,
                alive,
                automaton.keys,
                automaton.to,
                automaton.gain,
                self.scorer is not None,
                missing,
            )
            automaton.learn(missing[:lacks])
        parent, symbol = nodes[0].tolist(), nodes[1].tolist()
        out = []
        for place, node in enumerate(active[:alive].tolist()):
            rank = float(np.logaddexp(pb[place], pn[place]) + weight[node]) + automaton.end(
                int(nodes[5, node])
            )
            tokens = []
            while parent[node] >= 0:
                tokens.append(symbol[node])
                node = parent[node]
            out.append((rank, tuple(reversed(tokens))))
        return out

    def _weigh(self, lp: np.ndarray[Any, Any], tokens: tuple[int, ...]) -> Decoded:
        """The hypothesis with its exact score, and what the scorer says of it."""
        if self.scorer is None:
            return spelled(lp, tokens, self.blank)
        bonus, state = 0.0, self.scorer.start()
        for token in tokens:
            state, gain = self.scorer.step(state, token)
            bonus += gain
            if gain == -math.inf:
                break
        else:
            bonus += self.scorer.end(state)
        return spelled(lp, tokens, self.blank)._replace(bonus=bonus)

    def _automaton(self, classes: int) -> _Automaton:
        """The scorer's transitions so far; begun anew for other logits, or when they fill too much memory."""
        if not self._memory or self._memory[0].classes != classes or self._memory[0].full:
            self._memory[:] = [_Automaton(self.scorer, classes)]
        return self._memory[0]


def spelled(log_probs: np.ndarray[Any, Any], tokens: Sequence[int], blank: int = 0) -> Decoded:
    """Tokens as a hypothesis about log-probabilities float64 [T, C]: the exact sum over their paths, the frames of the best path.

    Score -inf and frames (-1, -1) where no path spells them.
    """
    from ctcasr.ctc import _cpu_beam as kernel

    spans = np.zeros((len(tokens), 2), np.int64)
    score = float(
        kernel.spell(np.ascontiguousarray(log_probs), np.array(tokens, np.int64), blank, spans)
    )
    return Decoded(tuple(tokens), tuple((first, end) for first, end in spans.tolist()), score)


class _Automaton:
    """A scorer with numbers for states, and its transitions in a hash table that grows as they are asked for."""

    MOST = 4_000_000

    def __init__(self, scorer: Scorer | None, classes: int) -> None:
        self.scorer, self.classes = scorer, classes
        self.states: list[Hashable] = [scorer.start()] if scorer else [None]
        self.number = {self.states[0]: 0}
        self.used = 0
        self.keys, self.to, self.gain = (
            np.full(1024, -1, np.int64),
            np.zeros(1024, np.int32),
            np.zeros(1024),
        )

    @property
    def full(self) -> bool:
        return self.used > self.MOST

    def end(self, state: int) -> float:
        return self.scorer.end(self.states[state]) if self.scorer else 0.0

    def learn(self, keys: np.ndarray[Any, Any]) -> None:
        """Ask the scorer for transitions, state * classes + symbol."""
        from ctcasr.ctc import _cpu_beam as kernel

        if self.scorer is None or keys.size == 0:
            return
        keys = np.unique(keys)
        to, gain = np.zeros(keys.size, np.int32), np.zeros(keys.size)
        for place, key in enumerate(keys.tolist()):
            state, gain[place] = self.scorer.step(
                self.states[key // self.classes], key % self.classes
            )
            to[place] = self.number.setdefault(state, len(self.states))
            if to[place] == len(self.states):
                self.states.append(state)
        self.used += keys.size
        while 2 * self.used > self.keys.size:
            old = self.keys >= 0
            kept = self.keys[old], self.to[old], self.gain[old]
            size = 2 * self.keys.size
            self.keys, self.to, self.gain = (
                np.full(size, -1, np.int64),
                np.zeros(size, np.int32),
                np.zeros(size),
            )
            kernel.fill(self.keys, self.to, self.gain, *kept)
        kernel.fill(self.keys, self.to, self.gain, keys, to, gain)
