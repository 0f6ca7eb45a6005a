"""Viterbi against all paths, and against torchaudio."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from ctcasr.ctc import InputError, Star, ctc_loss, forced_align
from tests.fixtures.peers import torchaudio_module


@pytest.mark.parametrize("target", [[], [1], [1, 1], [2, 1, 2], [1, 1, 2]])
def test_finds_the_best_of_all_paths(target):
    frames = 6
    logits = torch.randn(
        2, frames + 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(len(target))
    )
    flat = torch.tensor(target * 2, dtype=torch.int64)
    nll = ctc_loss(
        logits, flat, [frames, frames - 1], [len(target)] * 2, reduction="none", backend="reference"
    )
    for row, found in enumerate(
        forced_align(logits, flat, [frames, frames - 1], [len(target)] * 2)
    ):
        log_probs = logits[row].log_softmax(1)
        paths = [
            p
            for p in itertools.product(range(3), repeat=frames - row)
            if [k for k, _ in itertools.groupby(p) if k] == target
        ]
        scores = [float(log_probs[range(len(p)), list(p)].sum()) for p in paths]
        assert found.score == pytest.approx(max(scores), abs=1e-9)
        assert tuple(found.labels.tolist()) == paths[scores.index(max(scores))]
        assert found.posterior == pytest.approx(math.exp(max(scores) + float(nll[row])), rel=1e-5)


@pytest.mark.parametrize("blank", [0, 4])
def test_spans_describe_the_path(random_batch, blank):
    logits, targets, times, lengths = random_batch(6, 50, 9, 12, blank=blank)
    for row, found in enumerate(forced_align(logits, targets, times, lengths, blank=blank)):
        assert len(found.labels) == len(found.states) == times[row]
        assert [span.label for span in found.tokens] == targets[row, : lengths[row]].tolist()
        log_probs = logits[row].double().log_softmax(1)
        painted = torch.full((times[row],), blank)
        for span in found.tokens:
            assert span.start < span.end
            painted[span.start : span.end] = span.label
            assert span.score == pytest.approx(
                float(log_probs[span.start : span.end, span.label].mean()), abs=1e-9
            )
        assert torch.equal(painted, found.labels)
        steps = found.states.diff()
        assert ((steps >= 0) & (steps <= 2)).all()
        assert 0 < found.posterior <= 1
        assert found.score == pytest.approx(
            float(log_probs[range(times[row]), found.labels].sum()), abs=1e-9
        )


@pytest.mark.filterwarnings("ignore")
def test_agrees_with_torchaudio(random_batch):
    functional = torchaudio_module("torchaudio.functional")
    for seed in range(5):
        logits, targets, times, lengths = random_batch(4, 60, 12, 15, seed=seed)
        ours = forced_align(logits, targets, times, lengths)
        for row, found in enumerate(ours):
            if not lengths[row]:
                continue  # torchaudio refuses empty targets
            log_probs = logits[row : row + 1, : times[row]].log_softmax(2)
            path, scores = functional.forced_align(
                log_probs, targets[row : row + 1, : lengths[row]].int()
            )
            assert torch.equal(path[0].long(), found.labels)
            assert float(scores.sum()) == pytest.approx(found.score, abs=1e-3)
            spans = functional.merge_tokens(path[0], scores[0])
            assert [(s.token, s.start, s.end) for s in spans] == [
                (t.label, t.start, t.end) for t in found.tokens
            ]


def test_rows_without_a_path_come_back_empty():
    none, some, empty = forced_align(
        torch.randn(3, 3, 4), torch.tensor([1, 1, 1, 2]), [3, 3, 0], [3, 1, 0]
    )
    assert (
        none.tokens == ()
        and none.score == -torch.inf
        and none.posterior == 0
        and len(none.labels) == 0
    )
    assert len(some.tokens) == 1 and some.score > -torch.inf
    assert empty.tokens == () and empty.score == 0 and empty.posterior == 1


def test_empty_batch():
    assert forced_align(torch.randn(0, 3, 4), torch.zeros(0, 1, dtype=torch.int64), [], []) == []


def test_nan_is_named_by_row():
    logits = torch.zeros(2, 4, 3)
    logits[1, 2, 0] = torch.nan
    with pytest.raises(ValueError, match="row 1 holds NaN"):
        forced_align(logits, torch.tensor([[1], [1]]), [4, 4], [1, 1])
    assert len(forced_align(logits, torch.tensor([[1], [1]]), [4, 2], [1, 1])) == 2  # padding


def test_threads_strides_and_batch_mates_change_nothing(random_batch):
    logits, targets, times, lengths = random_batch(6, 50, 9, 12)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        together = forced_align(logits.transpose(0, 1).contiguous().transpose(0, 1), targets, times,
                                lengths)  # fmt: skip
    finally:
        torch.set_num_threads(threads)
    for row, alignment in enumerate(together):
        (alone,) = forced_align(
            logits[[row], : times[row]],
            targets[[row], : lengths[row]],
            [times[row]],
            [lengths[row]],
        )
        assert [t[:3] for t in alone.tokens] == [t[:3] for t in alignment.tokens]
        assert alone.score == pytest.approx(alignment.score, rel=1e-13)
        assert torch.equal(alone.states, alignment.states)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precisions(random_batch, dtype):
    logits, targets, times, lengths = random_batch(3, 30, 9, 8)
    rounded = logits.to(dtype)
    for first, second in zip(
        forced_align(rounded, targets, times, lengths),
        forced_align(rounded.double(), targets, times, lengths),
        strict=True,
    ):
        assert torch.equal(first.states, second.states)
        assert first.score == pytest.approx(second.score, abs=1e-9)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_logits_on_a_device_are_aligned_alike(random_batch):
    logits, targets, times, lengths = random_batch(5, 60, 40, 12)
    on_host = forced_align(logits, targets, times, lengths)
    on_device = forced_align(logits.cuda(), targets.cuda(), times, lengths)
    for first, second in zip(on_host, on_device, strict=True):
        assert torch.equal(first.labels, second.labels)
        assert torch.equal(first.states, second.states)
        assert [t[:3] for t in first.tokens] == [t[:3] for t in second.tokens]
        assert first.score == pytest.approx(second.score, abs=1e-6)


def spiky_logits(labels: list[int], classes: int = 9) -> torch.Tensor:
    """Logits [1, T, C] that say each label for two frames, with two blanks around it."""
    logits = torch.zeros(1, 4 * len(labels) + 2, classes)
    logits[:, :, 0] = 6.0
    for place, label in enumerate(labels):
        frames = slice(4 * place + 2, 4 * place + 4)
        logits[0, frames, 0] = 0.0
        logits[0, frames, label] = 6.0
    return logits


@pytest.mark.parametrize("written", [[3, 4, 5], [5, 6], [1, 2], [1, 2, 6]], ids=str)
def test_with_a_star_what_is_not_written_moves_no_label(written):
    said = [1, 2, 3, 4, 5, 6]
    logits = spiky_logits(said)
    frames = [logits.shape[1]]
    (whole,) = forced_align(logits, torch.tensor([said]), frames, [len(said)])
    star = Star(gap_cost=0.5)
    targets = torch.tensor([written])
    (partial,) = forced_align(logits, targets, frames, [len(written)], star=star)
    expected = [span[:3] for span in whole.tokens if span.label in written]
    assert [span[:3] for span in partial.tokens] == expected
    assert 0 < partial.posterior <= 1


def test_with_infinite_costs_it_is_the_plain_alignment(random_batch):
    logits, targets, times, lengths = random_batch(6, 50, 9, 12)
    plain = forced_align(logits, targets, times, lengths)
    for ours, theirs in zip(
        forced_align(logits, targets, times, lengths, star=Star()), plain, strict=True
    ):
        assert torch.equal(ours.states, theirs.states)
        assert ours.score == pytest.approx(theirs.score, abs=1e-4)


def test_whole_words_cannot_be_aligned_away():
    star = Star(word_cost=1.0, words=torch.tensor([[0]]))
    with pytest.raises(InputError, match="no whole words"):
        forced_align(torch.zeros(1, 3, 3), torch.tensor([[1]]), [3], [1], star=star)
