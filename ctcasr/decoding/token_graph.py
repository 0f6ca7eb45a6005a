"""All sentences of a grammar as one graph of symbols, and the best path of CTC through it.

A beam would lose the whole sentences among their beginnings where a voice is heard badly; the best
path is exact.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcasr.text import InGrammar, Tokenizer

NO_LABEL = -1  # of the place before everything
MOST_PLACES = 50_000  # a graph of more would take minutes to make, and much memory to search


@dataclass(frozen=True)
class TokenGraph:
    """Places of sentences, and steps between them; place 0 is before everything."""

    labels: NDArray[np.int64]  # [places]: the symbol that leads to it
    sources: NDArray[np.int64]  # [steps]
    targets: NDArray[np.int64]  # [steps]
    ends: NDArray[np.bool_]  # [places]: may a sentence end here?
    blank: int

    @staticmethod
    def of(scorer: InGrammar, tokenizer: Tokenizer) -> TokenGraph | None:
        """The graph of what a scorer allows; None for more than MOST_PLACES.

        Example:
            >>> from ctcasr.text import Alphabet, grammar_of
            >>> alphabet = Alphabet("abc ")
            >>> graph = TokenGraph.of(InGrammar(grammar_of("ab ac", alphabet), alphabet), alphabet)
            >>> len(graph.labels), graph.ends.tolist()
            (6, [False, False, False, False, False, True])
        """
        labels = [NO_LABEL]
        states: list[Any] = [scorer.start()]
        number_of: dict[Hashable, int] = {scorer.start(): 0}
        sources: list[int] = []
        targets: list[int] = []
        place = 0
        while place < len(states):
            for token in range(tokenizer.size):
                if token == tokenizer.blank:
                    continue
                state, gain = scorer.step(states[place], token)
                if gain == -math.inf or state == states[place]:  # a space after a space
                    continue
                if state not in number_of:
                    number_of[state] = len(states)
                    states.append(state)
                    labels.append(token)
                sources.append(place)
                targets.append(number_of[state])
            place += 1
            if len(states) > MOST_PLACES:
                return None
        ends = [scorer.end(state) > -math.inf for state in states]
        return TokenGraph(
            np.array(labels),
            np.array(sources, dtype=np.int64),
            np.array(targets, dtype=np.int64),
            np.array(ends),
            tokenizer.blank,
        )

    def best(self, log_probs: NDArray[np.float64]) -> tuple[int, ...] | None:
        """The symbols of the best path through log-probabilities [T, C]; None where none fits."""
        from ctcasr.decoding.token_search import best_path  # numba takes a while to load

        path = np.zeros(len(log_probs), np.int64)
        steps = (self.sources, self.targets)
        if not best_path(log_probs, self.labels, *steps, self.ends, self.blank, path):
            return None
        tokens = []
        before = -1
        for state in path.tolist():
            if state % 2 == 1 and state != before:
                tokens.append(int(self.labels[state // 2]))
            before = state
        return tuple(tokens)
