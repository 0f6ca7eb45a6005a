"""Prefix beam search: the n best texts by the summed probability of all their paths."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctcasr.ctc.batch import Lengths, check_lengths
from ctcasr.ctc.decode import Decoded, greedy

LogProbs: TypeAlias = NDArray[np.float64]
Tokens: TypeAlias = tuple[int, ...]


class Scorer(Protocol):
    """What is added to a prefix as it grows: a deterministic automaton over symbols.

    A language model, a lexicon, hotwords.
    """

    def start(self) -> Hashable:
        """State of the empty prefix."""
        ...

    def step(self, state: Any, token: int) -> tuple[Hashable, float]:
        """State after one more symbol, and the nats it earns.

        -inf forbids the prefix and all that would follow.
        """
        ...

    def end(self, state: Any) -> float:
        """Nats for ending here; -inf forbids it."""
        ...


@dataclass(frozen=True)
class BeamSearch:
    """Hannun et al.'s prefix beam search (arXiv:1408.2873), in which every path of a prefix counts.

    Deterministic. The search sums over the prefixes that survive; what it returns is weighed anew
    with all paths, together with the greedy text, so scores are exact and the first hypothesis is
    never less probable than the greedy one.

    Raises:
        ValueError: options out of range.

    Example:
        >>> logits = torch.tensor([[[0.4, 0.35, 0.25], [0.4, 0.35, 0.25]]]).log()
        >>> best = BeamSearch()(logits, [2])[0][0]
        >>> best.tokens, round(best.score, 4)      # the best path is two blanks, -1.8326
        ((1,), -0.9101)
    """

    blank: int = 0
    beam: int = 16  # prefixes that survive a frame
    nbest: int = 1  # hypotheses returned, at most `beam`
    floor: float = -10.0  # nats that a symbol needs in a frame to lengthen a prefix; -inf: any
    # Probability of the blank from which on a frame counts as blank alone; above 1: none.
    skip_blank: float = 2.0
    scorer: Scorer | None = None
    # What tokens spell: of those that spell the same, only the best are returned.
    spelling: Callable[[Tokens], Hashable] | None = None
    _memory: list[_Automaton] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.beam < 1 or not 1 <= self.nbest <= self.beam:
            raise ValueError(
                f"expected beam >= 1 and nbest within 1..beam; got beam {self.beam}, "
                f"nbest {self.nbest}"
            )
        if math.isnan(self.floor) or self.floor > 0 or not self.skip_blank > 0:
            raise ValueError(
                f"expected floor <= 0 (nats) and skip_blank > 0; got {self.floor}, "
                f"{self.skip_blank}"
            )

    def __call__(self, logits: Tensor, lengths: Lengths) -> list[list[Decoded]]:
        """At most `nbest` hypotheses, best first, of each row of logits [B, T, C].

        None where the scorer forbids everything. `score` is the log of the summed probability,
        `bonus` what the scorer added.

        Raises:
            ValueError: wrong shape or lengths; names a row with NaN. Also for a scorer that
                gives NaN or infinity.
        """
        logits = logits.detach()
        best_paths = greedy(logits, lengths, self.blank)
        rows, frames, _ = logits.shape
        frame_counts = check_lengths(lengths, "lengths", rows, frames, "frames of the logits")
        precise = logits if logits.dtype == torch.float64 else logits.float()
        log_probs: LogProbs = precise.log_softmax(2).cpu().double().numpy()
        for row, count in enumerate(frame_counts):
            if np.isnan(log_probs[row, :count]).any():
                raise ValueError(
                    f"logits: row {row} holds NaN (or only -inf in a frame); nothing can be "
                    f"decoded from it"
                )
        hypotheses = []
        for row, count in enumerate(frame_counts):
            hypotheses.append(self._row(log_probs[row, :count], best_paths[row].tokens))
        return hypotheses

    def _row(self, log_probs: LogProbs, best_path: Tokens) -> list[Decoded]:
        automaton = self._automaton(log_probs.shape[1])
        survivors = self._search(log_probs, automaton)
        survivors.sort(key=lambda survivor: -survivor[0])
        # The greedy text competes too; silence is the last resort where a scorer forbids all else.
        ranked = [tokens for _, tokens in survivors]
        hypotheses = self._weighed(log_probs, ranked, self.nbest)
        hypotheses += self._weighed(log_probs, [best_path], 1)
        if not hypotheses:
            hypotheses = self._weighed(log_probs, [()], 1)
        hypotheses.sort(key=lambda hypothesis: -hypothesis.total)
        return self._distinct(hypotheses)[: self.nbest]

    def _weighed(
        self, log_probs: LogProbs, ranked: Iterable[Tokens], spellings: int
    ) -> list[Decoded]:
        """Hypotheses with their exact scores, in order, until there are so many spellings."""
        hypotheses = []
        seen: set[Hashable] = set()
        for tokens in ranked:
            hypothesis = self._weigh(log_probs, tokens)
            if hypothesis.total > -math.inf:
                hypotheses.append(hypothesis)
            seen.add(self._spelling(tokens))
            if len(seen) == spellings:
                break
        return hypotheses

    def _distinct(self, hypotheses: list[Decoded]) -> list[Decoded]:
        """The first hypothesis of each spelling."""
        first: dict[Hashable, Decoded] = {}
        for hypothesis in hypotheses:
            first.setdefault(self._spelling(hypothesis.tokens), hypothesis)
        return list(first.values())

    def _spelling(self, tokens: Tokens) -> Hashable:
        return tokens if self.spelling is None else self.spelling(tokens)

    def _search(self, log_probs: LogProbs, automaton: _Automaton) -> list[tuple[float, Tokens]]:
        """(nats with everything, tokens) of the prefixes that are alive after the last frame."""
        from ctcasr.ctc import _cpu_beam as kernel

        frames, classes = log_probs.shape
        nodes = np.full((6, frames * self.beam + 1), kernel.NO_NODE, np.int32)
        weights = np.zeros(nodes.shape[1])
        active = np.zeros(self.beam, np.int32)
        in_blank = np.full(self.beam, -np.inf)
        in_symbol = np.full(self.beam, -np.inf)
        # The empty prefix is the root; nothing has been read and all paths are in it.
        nodes[kernel.PLACE, 0] = 0
        nodes[kernel.STATE, 0] = 0
        in_blank[0] = 0.0
        skip_blank = math.log(self.skip_blank) if self.skip_blank <= 1 else math.inf
        missing = np.zeros(self.beam * classes, np.int64)
        frame = 0
        made = 1
        alive = 1
        while frame < frames and alive:
            frame, made, alive, lacks = kernel.search(
                log_probs,
                frame,
                self.blank,
                self.floor,
                skip_blank,
                nodes,
                weights,
                made,
                active,
                in_blank,
                in_symbol,
                alive,
                automaton.keys,
                automaton.next_states,
                automaton.gains,
                self.scorer is not None,
                missing,
            )
            automaton.learn(missing[:lacks])
        survivors = []
        totals = np.logaddexp(in_blank[:alive], in_symbol[:alive]) + weights[active[:alive]]
        for node, total in zip(active[:alive].tolist(), totals.tolist(), strict=True):
            ending = automaton.end(int(nodes[kernel.STATE, node]))
            prefix = _prefix(nodes[kernel.PARENT], nodes[kernel.SYMBOL], node)
            survivors.append((total + ending, prefix))
        return survivors

    def _weigh(self, log_probs: LogProbs, tokens: Tokens) -> Decoded:
        """The hypothesis with its exact score, and what the scorer says of it."""
        hypothesis = spelled(log_probs, tokens, self.blank)
        if self.scorer is None:
            return hypothesis
        bonus = 0.0
        state = self.scorer.start()
        for token in tokens:
            state, gain = self.scorer.step(state, token)
            bonus += gain
            if gain == -math.inf:
                return hypothesis._replace(bonus=bonus)
        return hypothesis._replace(bonus=bonus + self.scorer.end(state))

    def _automaton(self, classes: int) -> _Automaton:
        """The scorer's transitions so far; begun anew for other logits, or for too many."""
        if not self._memory or self._memory[0].classes != classes or self._memory[0].full:
            self._memory[:] = [_Automaton(self.scorer, classes)]
        return self._memory[0]


def _prefix(parents: NDArray[np.int32], symbols: NDArray[np.int32], node: int) -> Tokens:
    """The symbols from the root of a trie to a node."""
    tokens = []
    while parents[node] >= 0:
        tokens.append(int(symbols[node]))
        node = int(parents[node])
    return tuple(reversed(tokens))


def spelled(log_probs: LogProbs, tokens: Sequence[int], blank: int = 0) -> Decoded:
    """Tokens as a hypothesis about log-probabilities float64 [T, C].

    The score is exact, the sum over all paths; the frames are those of the best path. Score -inf
    and frames (-1, -1) where no path spells them.

    Example:
        >>> log_probs = np.log(np.full((3, 2), 0.5))
        >>> hypothesis = spelled(log_probs, [1])
        >>> round(math.exp(hypothesis.score), 4)
        0.75
        >>> spelled(log_probs, [1, 1, 1]).score
        -inf
    """
    from ctcasr.ctc import _cpu_spell as kernel

    spans = np.zeros((len(tokens), 2), np.int64)
    labels = np.array(tokens, np.int64)
    score = float(kernel.spell(np.ascontiguousarray(log_probs), labels, blank, spans))
    frames = tuple((first, end) for first, end in spans.tolist())
    return Decoded(tuple(tokens), frames, score)


def _check_gain(gain: float, place: str) -> None:
    """ValueError for what cannot be ranked: NaN would leave more survivors than there is room."""
    if math.isnan(gain) or gain == math.inf:
        raise ValueError(f"scorer: expected nats or -inf from {place}; got {gain}")


class _Automaton:
    """A scorer with numbers for states; its transitions in a hash table that grows as asked for."""

    MOST = 4_000_000  # transitions: 80 MB
    _FIRST_SIZE = 1024  # of the table, a power of two

    def __init__(self, scorer: Scorer | None, classes: int) -> None:
        self.scorer = scorer
        self.classes = classes
        self.states: list[Hashable] = [scorer.start() if scorer else None]
        self.numbers = {self.states[0]: 0}
        self.used = 0
        self._make_table(self._FIRST_SIZE)

    def _make_table(self, size: int) -> None:
        """An empty table: key (state * classes + symbol), the next state and the nats it earns."""
        self.keys = np.full(size, -1, np.int64)
        self.next_states = np.zeros(size, np.int32)
        self.gains = np.zeros(size)

    @property
    def full(self) -> bool:
        """Whether the transitions take too much memory."""
        return self.used > self.MOST

    def end(self, state: int) -> float:
        """Nats for ending in a state."""
        if self.scorer is None:
            return 0.0
        gain = self.scorer.end(self.states[state])
        _check_gain(gain, "end()")
        return gain

    def learn(self, keys: NDArray[np.int64]) -> None:
        """Ask the scorer for transitions, state * classes + symbol."""
        if self.scorer is None or keys.size == 0:
            return
        keys = np.unique(keys)
        next_states = np.zeros(keys.size, np.int32)
        gains = np.zeros(keys.size)
        for place, key in enumerate(keys.tolist()):
            state, token = divmod(key, self.classes)
            next_state, gains[place] = self.scorer.step(self.states[state], token)
            _check_gain(gains[place], f"step() by symbol {token}")
            next_states[place] = self.numbers.setdefault(next_state, len(self.states))
            if next_states[place] == len(self.states):
                self.states.append(next_state)
        self.used += keys.size
        while 2 * self.used > self.keys.size:
            self._double()
        self._put(keys, next_states, gains)

    def _double(self) -> None:
        taken = self.keys >= 0
        old = (self.keys[taken], self.next_states[taken], self.gains[taken])
        self._make_table(2 * self.keys.size)
        self._put(*old)

    def _put(
        self, keys: NDArray[np.int64], states: NDArray[np.int32], gains: NDArray[np.float64]
    ) -> None:
        from ctcasr.ctc import _cpu_beam as kernel

        kernel.fill(self.keys, self.next_states, self.gains, keys, states, gains)
