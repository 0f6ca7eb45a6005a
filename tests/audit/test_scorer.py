"""Texts scored against one recording."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ctcasr.audit.scorer import NO_PATH, log_likelihoods
from ctcasr.ctc import Star, ctc_loss


def test_the_text_that_is_said_fits_best(heard_line, spelling):
    heard = heard_line("bin blue now", "bin blue now")
    texts = ["bin blue now", "bin blue", "bin red now", "", "lay green soon"]
    nats = log_likelihoods(heard, texts, spelling)
    assert int(np.argmax(nats)) == 0 and (nats <= 0).all()


def test_it_is_the_loss_with_a_star_beside_the_labels(heard_line, spelling):
    heard = heard_line("red", "red")
    labels = torch.tensor([spelling("red")])
    star = Star(label_cost=4.0)
    loss = ctc_loss(heard.log_probs[None], labels, [len(heard.log_probs)], [3], star=star)
    assert log_likelihoods(heard, ["red"], spelling)[0] == pytest.approx(-3 * loss.item(), rel=1e-5)


def test_no_symbol_can_ruin_a_text(heard_line, spelling):
    heard = heard_line("red", "red", sure=60.0)
    nats = log_likelihoods(heard, ["red", "rad"], spelling)
    assert nats[0] - nats[1] < 75  # and not 120, which is what the symbol would cost


def test_a_text_that_has_no_room_is_never_right(heard_line, spelling):
    heard = heard_line("red", "red")
    long = "please " * 5
    assert log_likelihoods(heard, [long.strip()], spelling)[0] == NO_PATH
    assert log_likelihoods(heard, [], spelling).shape == (0,)


def test_many_texts_are_scored_as_few_are(heard_line, spelling, monkeypatch):
    heard = heard_line("bin blue", "bin blue")
    texts = ["bin blue", "bin", "blue", "set white"]
    whole = log_likelihoods(heard, texts, spelling)
    monkeypatch.setattr("ctcasr.audit.scorer._CHUNK", 1)
    np.testing.assert_allclose(log_likelihoods(heard, texts, spelling), whole, rtol=1e-6)
