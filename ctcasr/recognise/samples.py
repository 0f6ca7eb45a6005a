"""What a check writes, and a few of its utterances as a person wants to see them: texts, where the blank is, where the symbols spike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.ctc import greedy, penalised
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer


def greedy_texts(logits: Seq, tokenizer: Tokenizer, blank_penalty: float = 0.0) -> list[str]:
    """The texts that logits [B, T, symbols] spell, with `blank_penalty` nats taken off the blank."""
    found = greedy(
        penalised(logits.data, tokenizer.blank, blank_penalty), logits.lengths, tokenizer.blank
    )
    return [tokenizer.decode(d.tokens) for d in found]


def sample(
    utterance: Utterance, said: str, written: str, logits: Tensor, tokenizer: Tokenizer
) -> dict[str, Any]:
    """Plain data about logits [T, C]: the blank posterior of each frame, and [frame, symbol, posterior] of each spike."""
    posteriors = logits.float().softmax(1)
    best, label = (part.tolist() for part in posteriors.max(1))
    spikes = []
    for symbol, frames in groupby(range(len(label)), key=label.__getitem__):
        if symbol != tokenizer.blank:
            top = max(frames, key=best.__getitem__)
            spikes.append([top, tokenizer.symbol(symbol), round(best[top], 2)])
    blank = [round(p, 2) for p in posteriors[:, tokenizer.blank].tolist()]
    return {
        "id": utterance.id,
        "reference": said,
        "hypothesis": written,
        "blank": blank,
        "spikes": spikes,
    }


def three_of(samples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Three of the samples, spread evenly, the same ones at every check; all where there are no more."""
    return (
        list(samples) if len(samples) <= 3 else [samples[len(samples) * k // 6] for k in (1, 3, 5)]
    )
