"""How well texts fit one recording: CTC log-likelihoods, none of which a single symbol can ruin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ctcasr.audit.heard import Heard
from ctcasr.ctc import Star, ctc_loss, star_scores
from ctcasr.text import Tokenizer

FLOOR = 4.0  # nats below the mean of all symbols: no symbol is thought less likely than this
# Nats of a text that has more symbols than there are frames: below any that fits, whatever its
# symbols are worth.
NO_PATH = -1e6
_CHUNK = 1 << 23  # scores in one call of the loss


class Spelling:
    """Texts as symbols, each text looked up once; and what symbols and sound are worth.

    Of texts of different lengths the network likes the shorter ones, as it has learnt that any
    symbol is seldom. `bonus` nats for each symbol make up for it. One nat of models of words is
    worth `sound` of the network's, which is sure of what it mishears.
    """

    def __init__(self, tokenizer: Tokenizer, bonus: float = 0.0, sound: float = 1.0) -> None:
        self.tokenizer = tokenizer
        self.bonus = bonus
        self.sound = sound
        self._known: dict[str, list[int]] = {}

    def __call__(self, text: str) -> list[int]:
        """The symbols of a text."""
        symbols = self._known.get(text)
        if symbols is None:
            symbols = self.tokenizer.encode(text)
            self._known[text] = symbols
        return symbols


def log_likelihoods(heard: Heard, texts: Sequence[str], spelling: Spelling) -> NDArray[np.float64]:
    """Nats of each text, given what was heard, by the network and by models of words."""
    nats = by_network(heard, texts, spelling)
    if heard.sound is not None:
        nats = nats + spelling.sound * heard.sound.nats(texts)
    return nats


@torch.no_grad()
def by_network(heard: Heard, texts: Sequence[str], spelling: Spelling) -> NDArray[np.float64]:
    """Nats of each text by the network alone; NO_PATH where a text does not fit.

    A star beside the labels (`ctcasr.ctc.Star`) bounds what one symbol can cost: a network that was
    trained for a few minutes is sometimes sure and wrong.
    """
    blank = spelling.tokenizer.blank
    log_probs = heard.log_probs[None]
    scores = Star(label_cost=FLOOR).scores(log_probs, blank, star_scores(log_probs, blank))
    frames = scores.shape[1]
    rows_at_once = max(1, _CHUNK // scores[0].numel())
    found = []
    for start in range(0, len(texts), rows_at_once):
        symbols = [spelling(text) for text in texts[start : start + rows_at_once]]
        flat = [symbol for row in symbols for symbol in row]
        losses = ctc_loss(
            scores.expand(len(symbols), -1, -1),
            torch.tensor(flat, dtype=torch.int64),
            [frames] * len(symbols),
            [len(row) for row in symbols],
            blank=blank,
            reduction="none",
            normalize=False,
        )
        lengths = np.array([len(row) for row in symbols])
        nats = (-losses).double().numpy() + spelling.bonus * lengths
        found.append(np.where(np.isfinite(nats), nats, NO_PATH))
    if not found:
        return np.zeros(0)
    return np.concatenate(found)
