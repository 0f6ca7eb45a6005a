"""Running label priors: they follow what the network gives, on real frames, over processes."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor

from ctcasr.net import LabelPrior
from ctcasr.seq import Seq


def logits(lengths: tuple[int, ...], seed: int = 0) -> Seq:
    generator = torch.Generator().manual_seed(seed)
    return Seq(torch.randn(len(lengths), 9, 5, generator=generator), lengths, Fraction(100))


def test_it_comes_to_be_the_mean_posterior() -> None:
    prior = LabelPrior(5, weight=1.0, momentum=0.5)
    seen = logits((9, 4, 1))
    for _ in range(40):
        prior.observe(seen)
    real = seen.data[seen.mask].softmax(1).mean(0)
    torch.testing.assert_close(prior.log.exp(), real, atol=1e-6, rtol=0)
    assert float(prior.log.exp().sum()) == pytest.approx(1.0, abs=1e-6)


def test_one_batch_moves_it_by_the_momentum() -> None:
    prior = LabelPrior(5, weight=1.0, momentum=0.05)
    seen = logits((9, 9))
    prior.observe(seen)
    expected = 0.95 * 0.2 + 0.05 * seen.data.softmax(2).mean((0, 1))
    torch.testing.assert_close(prior.log.exp(), expected)


def test_padding_is_not_seen() -> None:
    prior = LabelPrior(5, weight=1.0)
    dirty = LabelPrior(5, weight=1.0)
    seen = logits((9, 4))
    prior.observe(seen)
    dirty.observe(seen.with_data(torch.where(seen.mask[..., None], seen.data, 1e4)))
    assert torch.equal(prior.log, dirty.log)


def test_what_is_decoded_has_its_share_taken_off() -> None:
    prior = LabelPrior(5, weight=0.3)
    seen = logits((9, 4))
    prior.observe(seen)
    torch.testing.assert_close(prior(seen).data, seen.data - 0.3 * prior.log)


def test_several_processes_share_a_batch() -> None:
    whole = LabelPrior(5, weight=1.0)
    part = LabelPrior(5, weight=1.0)
    seen = logits((9, 4))
    whole.observe(seen)
    other = seen.rows([1])
    others = other.data[other.mask].softmax(1).sum(0)

    def world_sum(own: Tensor) -> Tensor:
        return own + torch.cat((others, others.new_tensor([4.0])))

    part.world_sum = world_sum
    part.observe(seen.rows([0]))
    torch.testing.assert_close(part.log, whole.log)


def test_nothing_seen_changes_nothing() -> None:
    prior = LabelPrior(5, weight=1.0)
    prior.world_sum = lambda own: own
    before = prior.log.clone()
    prior.observe(Seq(torch.zeros(1, 3, 5), (0,), Fraction(100)))
    torch.testing.assert_close(prior.log, before)


def test_a_symbol_that_never_comes_keeps_a_finite_logarithm() -> None:
    prior = LabelPrior(2, weight=1.0, momentum=1.0)
    prior.observe(Seq(torch.tensor([[[0.0, -200.0]]]), (1,), Fraction(100)))
    assert bool(prior.log.isfinite().all()) and float(prior.log[1]) < -18
