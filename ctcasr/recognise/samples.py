"""A few utterances of a check as a person wants to see them: texts, blanks, spikes."""

from __future__ import annotations

from itertools import groupby
from typing import TypedDict

from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.ctc import greedy, penalised
from ctcasr.decoding.decoder import check_width
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer


class Sample(TypedDict):
    """One utterance of a check, as plain data."""

    id: str
    reference: str
    hypothesis: str
    blank: list[float]  # posterior of each frame
    spikes: list[tuple[int, str, float]]  # frame, symbol, posterior


def greedy_texts(logits: Seq, tokenizer: Tokenizer, blank_penalty: float = 0.0) -> list[str]:
    """The texts that logits [B, T, symbols] spell, with so many nats taken off the blank.

    Raises ValueError where there is not one score for each symbol.
    """
    check_width(logits.data.shape[2], tokenizer)
    scores = penalised(logits.data, tokenizer.blank, blank_penalty)
    decoded = greedy(scores, logits.lengths, tokenizer.blank)
    return [tokenizer.decode(row.tokens) for row in decoded]


def sample(
    utterance: Utterance, reference: str, hypothesis: str, logits: Tensor, tokenizer: Tokenizer
) -> Sample:
    """What logits [T, symbols] of an utterance show; posteriors have two digits."""
    posteriors = logits.float().softmax(1)
    blank = posteriors[:, tokenizer.blank].tolist()
    return {
        "id": utterance.id,
        "reference": reference,
        "hypothesis": hypothesis,
        "blank": [round(posterior, 2) for posterior in blank],
        "spikes": spikes_of(posteriors, tokenizer),
    }


def spikes_of(posteriors: Tensor, tokenizer: Tokenizer) -> list[tuple[int, str, float]]:
    """(Frame, symbol, posterior) of the summit of each run of one symbol in [T, symbols]."""
    maxima = posteriors.max(1)
    best: list[float] = maxima.values.tolist()
    labels: list[int] = maxima.indices.tolist()
    spikes = []
    for label, frames in groupby(range(len(labels)), key=labels.__getitem__):
        if label != tokenizer.blank:
            summit = max(frames, key=best.__getitem__)
            spikes.append((summit, tokenizer.symbol(label), round(best[summit], 2)))
    return spikes
