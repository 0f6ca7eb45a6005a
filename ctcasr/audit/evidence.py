"""What is known of a line before its kinds are weighed against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctcasr.audit.correction import Line, Prices
from ctcasr.audit.edges import LineEdges
from ctcasr.audit.kinds import PROBABLY, WordVerdict
from ctcasr.audit.scorer import Spelling, log_likelihoods
from ctcasr.audit.slotarrays import Floats
from ctcasr.audit.slots import text_of
from ctcasr.audit.textnoise import OwnText

_SUREST = 1 - 1e-9  # posterior that a word may have
_FEWEST_CUT = 3  # characters that a cut recording lacks
_LEAST_KEPT = 0.3  # of the text: of less it cannot be said that it is the right one


@dataclass(frozen=True)
class Evidence:
    """What is known of a line before the shares of its kinds are fitted, in log weights."""

    words: tuple[WordVerdict, ...]
    own: OwnText
    log_right: float  # that no word is wrong, of all ways in which the text is the line's own
    part_nats: Floats  # with beginnings and ends of the text
    part_edges: Floats  # ln ratio of the recording's edge, if it was cut where a part is
    silent_nats: float  # with no text at all
    best_fit: float  # nats a symbol of the text that fits best, of all that were tried
    cut_text: str
    suggestion: str


def evidence_of(line: Line, prices: Prices, trust: float, spelling: Spelling) -> Evidence:
    """What is known of a line whose words have been judged."""
    text = line.heard.text
    parts = _parts(text, line.edges)
    believed = _believed_text(line)
    whole_texts = [text, text_of(line.context), "", believed]
    asked = [*whole_texts, *parts]
    nats = log_likelihoods(line.heard, asked, spelling)
    written, corrected, silent, _ = nats[: len(whole_texts)].tolist()
    part_nats = nats[len(whole_texts) :]
    part_edges = np.array(list(parts.values()))
    cut_text = text
    if parts:
        best_part = int(np.argmax(trust * part_nats + part_edges))
        cut_text = list(parts)[best_part]
    symbols = np.array([len(spelling(asked_text)) for asked_text in asked])
    fits = np.concatenate([nats / symbols.clip(1), line.texts.nats_per_symbol])
    return Evidence(
        words=tuple(line.words),
        own=prices.own_text(line, written, corrected),
        log_right=_log_all_right(line.words),
        part_nats=part_nats,
        part_edges=part_edges,
        silent_nats=silent,
        best_fit=float(fits.max()),
        cut_text=cut_text,
        suggestion=believed,
    )


def _believed_text(line: Line) -> str:
    """The text with what fits better wherever a word or a gap is probably wrong."""
    slots = line.written
    for place, word in enumerate(line.words):
        if word.wrong >= PROBABLY:
            slots[place] = word.suggestion
    return text_of(slots)


def _log_all_right(words: Sequence[WordVerdict]) -> float:
    """ln P(no word is wrong), of words that are wrong independently of each other."""
    total = 0.0
    for word in words:
        wrong = min(word.wrong, _SUREST)
        total += math.log1p(-wrong)
    return total


def _parts(text: str, edges: LineEdges) -> dict[str, float]:
    """Beginnings of a text, within words too, and its ends from each word on.

    Of each, what the edge says at which the recording was cut.
    """
    least = round(_LEAST_KEPT * len(text))
    most = len(text) - _FEWEST_CUT
    parts: dict[str, float] = {}
    for end in range(least, most + 1):
        parts[text[:end].strip()] = edges.ends_in_speech
    words = text.split()
    for start in range(1, len(words)):
        end_of_text = " ".join(words[start:])
        if len(end_of_text) >= least:
            parts.setdefault(end_of_text, edges.begins_in_speech)
    parts.pop("", None)
    return parts
