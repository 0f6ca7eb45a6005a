"""A recogniser of given sentences: it writes one of them, or nothing.

What is said is none of them where the network is not sure of the best of them: its log probability
among all that may be written, in nats for each symbol, is low.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ctcasr.ctc import BeamSearch, Decoded, spelled
from ctcasr.decoding.decoder import check_width
from ctcasr.decoding.hypothesis import finite_or_none
from ctcasr.decoding.token_graph import TokenGraph
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer
from ctcasr.text.grammar import InGrammar, grammar_of

BEAM = 128  # prefixes, where there are too many sentences for a graph
# nats: voices that the network has not learnt from are heard as something else than they say
_FLOOR = -25.0
_NOTHING_HEARD = -math.inf
_MARGIN = 1e-3  # nats a symbol above what is refused: in a batch a clip is heard a little otherwise
_MEASURE = "log probability"  # of thresholds; earlier ones compared a sentence with the best path


@dataclass(frozen=True)
class Commands:
    """The sentences that are understood, and the least certainty of what counts as one of them.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> Commands("on\\noff").decoder(Alphabet.english38()).threshold
        -inf
    """

    grammar: str  # JSGF, or a sentence a line
    threshold: float = _NOTHING_HEARD  # nats a symbol
    speeds: tuple[float, ...] = (1.0,)  # at which they are listened to; the surest counts

    def decoder(self, tokenizer: Tokenizer) -> CommandDecoder:
        """What decodes so; ValueError for a grammar that the tokenizer cannot write."""
        scorer = InGrammar(grammar_of(self.grammar, tokenizer), tokenizer)
        graph = TokenGraph.of(scorer, tokenizer)
        search = BeamSearch(tokenizer.blank, BEAM, floor=_FLOOR, scorer=scorer)
        return CommandDecoder(graph, search, tokenizer, self.threshold, self.speeds)

    def to_state(self) -> dict[str, Any]:
        """Plain data from which `from_state` makes the same."""
        return {
            "grammar": self.grammar,
            "threshold": finite_or_none(self.threshold),
            "measure": _MEASURE,
            "speeds": list(self.speeds),
        }

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> Commands:
        """What `to_state` gave; a threshold of another measure is left out, with a warning."""
        threshold = _NOTHING_HEARD
        if state["threshold"] is not None:
            threshold = float(state["threshold"])
        if state.get("measure") != _MEASURE and threshold > _NOTHING_HEARD:
            warnings.warn(
                "the recogniser learnt with an earlier version what it shall refuse, and refuses "
                "nothing now: teach it anew (recipes/commands.py)",
                stacklevel=2,
            )
            threshold = _NOTHING_HEARD
        speeds = tuple(float(speed) for speed in state.get("speeds", (1.0,)))
        return Commands(state["grammar"], threshold, speeds)


@dataclass(frozen=True)
class CommandDecoder:
    """A decoder that finds the best sentence of a grammar, and rejects it below the threshold.

    By the graph of all sentences, or by a beam where that would be too large.
    """

    graph: TokenGraph | None
    search: BeamSearch
    tokenizer: Tokenizer
    threshold: float
    speeds: tuple[float, ...] = (1.0,)

    def __call__(self, logits: Seq) -> list[list[Decoded]]:
        """Hypotheses of logits [B, T, symbols]; none of a row that is rejected."""
        accepted: list[list[Decoded]] = []
        for row, best in enumerate(self.best(logits)):
            certainty = _NOTHING_HEARD
            if best is not None:
                certainty = self.certainty(self.spelled(best.tokens, [logits.row(row)]))
            accepted.append(self.accepted(best, certainty))
        return accepted

    def accepted(self, best: Decoded | None, certainty: float) -> list[Decoded]:
        """The best sentence, or none where the network is not as sure of it as it must be."""
        return [best] if best is not None and certainty >= self.threshold else []

    def best(self, logits: Seq) -> list[Decoded | None]:
        """The best sentence of each row of logits [B, T, symbols]; None where none has room."""
        check_width(logits.data.shape[2], self.tokenizer)
        if self.graph is None:
            rows = self.search(logits.data, logits.lengths)
            return [hypotheses[0] if hypotheses else None for hypotheses in rows]
        sentences: list[Decoded | None] = []
        for row in range(len(logits)):
            log_probs = _log_probs(logits.row(row))
            tokens = self.graph.best(log_probs)
            blank = self.graph.blank
            sentences.append(None if tokens is None else spelled(log_probs, tokens, blank))
        return sentences

    def spelled(self, tokens: Sequence[int], heard: Sequence[Tensor]) -> list[Decoded]:
        """One sentence in several logits [T, symbols], each of one recording at another speed."""
        return [spelled(_log_probs(logits), tokens, self.tokenizer.blank) for logits in heard]

    @staticmethod
    def certainty(at_speeds: Sequence[Decoded]) -> float:
        """Log probability of a sentence among all that may be written, in nats a symbol.

        The median of all speeds.
        """
        length = len(at_speeds[0].tokens)
        if not length:
            return _NOTHING_HEARD
        return median(sentence.score for sentence in at_speeds) / length


def _log_probs(logits: Tensor) -> NDArray[np.float64]:
    """Log-probabilities float64 [T, symbols] of logits [T, symbols], on the host."""
    return logits.detach().float().log_softmax(1).cpu().double().contiguous().numpy()


def choose_threshold(
    wanted: Sequence[float], foreign: Sequence[float], false_acceptance: float
) -> float:
    """The certainty from which on as few as can be are missed and falsely accepted, in shares.

    `wanted` are certainties of sentences of the grammar. No more than this share of foreign ones
    lies above. It stands half-way between two of the certainties.

    Raises:
        ValueError: for no certainties, or a share outside 0..1.

    Example:
        >>> choose_threshold([-1.0, -2.0], [-4.0, -6.0], false_acceptance=0.0)
        -3.0
    """
    if not wanted or not foreign or not 0 <= false_acceptance <= 1:
        raise ValueError(
            f"expected certainties of both kinds and a share within 0..1; got {len(wanted)}, "
            f"{len(foreign)} and {false_acceptance}"
        )
    known = sorted({certain for certain in (*wanted, *foreign) if math.isfinite(certain)})
    best = known[-1] + _MARGIN if known else 0.0  # nothing is accepted
    fewest = accepted_share(foreign, best) - accepted_share(wanted, best)
    for below, above in pairwise(reversed([known[0] - _MARGIN, *known] if known else [])):
        threshold = (below + above) / 2
        falsely = accepted_share(foreign, threshold)
        mistakes = falsely - accepted_share(wanted, threshold)
        if falsely <= false_acceptance and mistakes < fewest:
            best, fewest = threshold, mistakes
    return best


def accepted_share(certainties: Sequence[float], threshold: float) -> float:
    """What share of certainties a threshold accepts."""
    return sum(certain >= threshold for certain in certainties) / len(certainties)
