"""A recogniser of given sentences: it writes one of them, or nothing.

What is said is none of them where the best of them explains the sound much worse than symbols that
may follow each other freely: the margin between the two, in nats for each symbol, is low.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctcasr.ctc import BeamSearch, Decoded, greedy
from ctcasr.recognise.decoder import check_width
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer
from ctcasr.text.grammar import InGrammar, grammar_of

BEAM = 128  # so many prefixes: as many letters or names may sound alike
# nats: voices that the network has not learnt from are heard as something else than they say
_FLOOR = -25.0
_NOTHING_HEARD = -math.inf


@dataclass(frozen=True)
class Commands:
    """The sentences that are understood, and the least margin of what counts as one of them.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> Commands("on\\noff").decoder(Alphabet.english38()).threshold
        -inf
    """

    grammar: str  # JSGF, or a sentence a line
    threshold: float = _NOTHING_HEARD  # nats a symbol

    def decoder(self, tokenizer: Tokenizer) -> CommandDecoder:
        """What decodes so; ValueError for a grammar that the tokenizer cannot write."""
        scorer = InGrammar(grammar_of(self.grammar, tokenizer), tokenizer)
        search = BeamSearch(tokenizer.blank, BEAM, floor=_FLOOR, scorer=scorer)
        return CommandDecoder(search, tokenizer, self.threshold)

    def to_state(self) -> dict[str, Any]:
        """Plain data from which `from_state` makes the same."""
        return {"grammar": self.grammar, "threshold": self.threshold}

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> Commands:
        """What `to_state` gave."""
        return Commands(state["grammar"], float(state["threshold"]))


@dataclass(frozen=True)
class CommandDecoder:
    """A decoder that finds the best sentence of a grammar, and rejects it below the threshold."""

    search: BeamSearch
    tokenizer: Tokenizer
    threshold: float

    def __call__(self, logits: Seq) -> list[list[Decoded]]:
        """Hypotheses of logits [B, T, symbols]; none of a row that is rejected."""
        check_width(logits.data.shape[2], self.tokenizer)
        accepted = []
        for hypotheses, margin in zip(*self._found(logits), strict=True):
            accepted.append(hypotheses if margin >= self.threshold else [])
        return accepted

    def margins(self, logits: Seq) -> list[float]:
        """Of each row of logits, how well the best sentence explains it, in nats a symbol."""
        return self._found(logits)[1]

    def _found(self, logits: Seq) -> tuple[list[list[Decoded]], list[float]]:
        """The hypotheses of each row, and the margin of its best."""
        rows = self.search(logits.data, logits.lengths)
        margins = []
        for hypotheses, free in zip(
            rows, greedy(logits.data, logits.lengths, self.tokenizer.blank), strict=True
        ):
            margin = _NOTHING_HEARD
            if hypotheses and hypotheses[0].tokens:
                best = hypotheses[0]
                margin = (best.score - free.score) / len(best.tokens)
            margins.append(margin)
        return rows, margins


def choose_threshold(
    wanted: Sequence[float], foreign: Sequence[float], false_acceptance: float
) -> float:
    """The lowest margin above which no more than this share of foreign ones lies.

    `wanted` are margins of sentences of the grammar: where all of them lie above all foreign ones,
    the threshold lies between, half-way.

    Raises:
        ValueError: for no margins, or a share outside 0..1.

    Example:
        >>> choose_threshold([-1.0, -2.0], [-4.0, -6.0], false_acceptance=0.0)
        -3.0
    """
    if not wanted or not foreign or not 0 <= false_acceptance <= 1:
        raise ValueError(
            f"expected margins of both kinds and a share within 0..1; got {len(wanted)}, "
            f"{len(foreign)} and {false_acceptance}"
        )
    ordered = sorted(foreign, reverse=True)
    allowed = math.floor(false_acceptance * len(ordered))
    if allowed == len(ordered):
        return _NOTHING_HEARD
    highest_refused = ordered[allowed]
    above = [margin for margin in wanted if margin > highest_refused]
    if not math.isfinite(highest_refused):
        return min(above, default=highest_refused)
    if not above:
        return float(np.nextafter(highest_refused, math.inf))
    return (highest_refused + min(above)) / 2


def accepted_share(margins: Sequence[float], threshold: float) -> float:
    """What share of margins a threshold accepts."""
    return sum(margin >= threshold for margin in margins) / len(margins)
