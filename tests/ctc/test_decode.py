"""Greedy decoding against a loop that follows the definition."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcasr.ctc import greedy


def by_loop(logits, frames, blank):
    tokens, spans, at = [], [], 0
    best = logits[:frames].argmax(1).tolist()
    for label, group in itertools.groupby(best):
        length = len(list(group))
        if label != blank:
            tokens.append(label)
            spans.append((at, at + length))
        at += length
    return tuple(tokens), tuple(spans), float(logits[:frames].log_softmax(1).amax(1).sum())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(0, 20), st.integers(1, 5))
def test_equals_the_definition(seed, batch, frames, classes):
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, frames, classes, generator=rng)
    lengths = torch.randint(0, frames + 1, (batch,), generator=rng).tolist()
    blank = int(torch.randint(0, classes, (), generator=rng))
    for row, found in enumerate(greedy(logits, lengths, blank)):
        tokens, spans, score = by_loop(logits[row], lengths[row], blank)
        assert found.tokens == tokens and found.frames == spans
        assert found.score == pytest.approx(score, abs=1e-4)


def test_half_precision_and_empty_batch():
    logits = torch.tensor([[[0.0, 9], [0, 9], [9, 0], [0, 9]]]).half()
    assert greedy(logits, (4,))[0].tokens == (1, 1)
    assert greedy(logits[:0], ()) == []


def test_float64_keeps_its_precision_and_its_range():
    close = torch.tensor([[[0.0, 1.0, 1.0 + 1e-12]]], dtype=torch.float64)
    assert greedy(close, (1,))[0].tokens == (2,)
    large = greedy(torch.tensor([[[1e60, 2e60, 0.0]]], dtype=torch.float64), (1,))[0]
    assert (large.tokens, large.score) == ((1,), 0.0)


def test_errors_name_the_row():
    with pytest.raises(ValueError, match="row 1 has length 5"):
        greedy(torch.zeros(2, 4, 3), [4, 5])
    with pytest.raises(ValueError, match="blank"):
        greedy(torch.zeros(2, 4, 3), [4, 4], blank=3)
