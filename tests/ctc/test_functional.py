"""The drop-in: torch's signatures, values, classes and manners."""

from __future__ import annotations

import inspect
import warnings

import pytest
import torch
import torch.nn.functional as torch_functional
from torch import nn
from torch.nn.modules.loss import _Loss

from ctcasr.ctc import InputError, functional
from ctcasr.ctc import ctc_loss as batch_first_loss

TARGETS = torch.tensor([[1, 2, 2, 5], [3, 1, 0, 0], [4, 0, 0, 0]])
TIMES, LENGTHS = torch.tensor([12, 9, 5]), torch.tensor([4, 2, 1])


def scores() -> torch.Tensor:
    return torch.randn(12, 3, 6, generator=torch.Generator().manual_seed(0))


def test_signatures_are_torchs():
    for ours, theirs in (
        (functional.ctc_loss, torch_functional.ctc_loss),
        (functional.CTCLoss.__init__, nn.CTCLoss.__init__),
        (functional.CTCLoss.forward, nn.CTCLoss.forward),
    ):
        given, wanted = (inspect.signature(f).parameters.values() for f in (ours, theirs))
        assert [(p.name, p.default, p.kind) for p in given] == [
            (p.name, p.default, p.kind) for p in wanted
        ]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("blank", [0, 5])
def test_values_and_gradients_are_torchs_for_log_probabilities(reduction, blank):
    targets = torch.where(blank == TARGETS, 2, TARGETS)
    results = []
    for function in (functional.ctc_loss, torch_functional.ctc_loss):
        leaf = scores().requires_grad_()
        loss = function(leaf.log_softmax(2), targets, TIMES, LENGTHS, blank, reduction, True)
        loss.sum().backward()
        results.append((loss.detach(), leaf.grad))
    torch.testing.assert_close(*results, atol=2e-5, rtol=1e-5)


def test_is_torchs_class_and_takes_its_keywords():
    class Scaled(functional.CTCLoss):
        def forward(self, log_probs, targets, input_lengths, target_lengths):
            return 2 * super().forward(
                log_probs=log_probs,
                targets=targets,
                input_lengths=input_lengths,
                target_lengths=target_lengths,
            )

    module = Scaled(0, "sum", True)
    assert isinstance(module, nn.CTCLoss) and isinstance(module, _Loss)
    want = 2 * nn.CTCLoss(0, "sum", True)(scores().log_softmax(2), TARGETS, TIMES, LENGTHS)
    loss = module(scores().log_softmax(2), TARGETS, TIMES, LENGTHS)
    torch.testing.assert_close(loss, want)


def test_one_utterance_without_a_batch():
    log_probs = scores()[:, 0].log_softmax(1)
    arguments = (TARGETS[0], torch.tensor(12), torch.tensor(4))
    for reduction in ("mean", "none"):
        ours = functional.CTCLoss(reduction=reduction)(log_probs, *arguments)
        torch.testing.assert_close(ours, nn.CTCLoss(reduction=reduction)(log_probs, *arguments))


def test_the_node_of_the_losses_can_be_called_as_espnet_does():
    leaf = scores().requires_grad_()
    nll = functional.ctc_loss(leaf.log_softmax(2), TARGETS, TIMES, LENGTHS, reduction="none")
    grad = nll.grad_fn(torch.ones_like(nll))
    assert grad.shape == (12, 3, 6)
    assert grad.sum([0, 2]).isfinite().all()


@pytest.mark.parametrize("kind", [ValueError, RuntimeError])
def test_errors_are_of_both_kinds_and_explain_a_negative_blank(kind):
    with pytest.raises(kind, match="the last class is blank=5"):
        functional.CTCLoss(blank=-1)(scores().log_softmax(2), TARGETS, TIMES, LENGTHS)


def test_scores_that_are_not_normalised_are_said_once():
    functional._warn_once.cache_clear()
    with pytest.warns(UserWarning, match="normalize=False") as record:
        for _ in range(2):
            loss = functional.ctc_loss(scores(), TARGETS, TIMES, LENGTHS)
    assert len(record) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        normalised = functional.ctc_loss(scores().log_softmax(2), TARGETS, TIMES, LENGTHS)
        functional._warn_once.cache_clear()
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            functional.ctc_loss(scores().log_softmax(2).to(dtype), TARGETS, TIMES, LENGTHS)
    torch.testing.assert_close(loss, normalised)
    as_given = batch_first_loss(scores().transpose(0, 1), TARGETS, TIMES, LENGTHS, normalize=False)
    torch.testing.assert_close(
        as_given, torch_functional.ctc_loss(scores(), TARGETS, TIMES, LENGTHS)
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.filterwarnings("ignore")
def test_is_exported_with_a_batch_of_any_size(reduction):
    class Training(nn.Module):
        def forward(self, x, targets, times, lengths):
            log_probs = x.log_softmax(2)
            return functional.ctc_loss(log_probs, targets, times, lengths, reduction=reduction)

    batch = torch.export.Dim("batch", min=2, max=64)
    shapes = {"x": {1: batch}, "targets": {0: batch}, "times": {0: batch}, "lengths": {0: batch}}
    example = (scores(), TARGETS, TIMES, LENGTHS)
    exported = torch.export.export(Training(), example, dynamic_shapes=shapes).module()
    other = (torch.randn(12, 5, 6), torch.ones(5, 4, dtype=torch.int64) * 3,
             torch.full((5,), 7), torch.full((5,), 2))  # fmt: skip
    for arguments in (example, other):
        torch.testing.assert_close(exported(*arguments), Training()(*arguments))


def test_wrong_lengths_name_the_row():
    with pytest.raises(InputError, match="row 0 has length 99"):
        functional.ctc_loss(scores().log_softmax(2), TARGETS, [99, 9, 5], LENGTHS)
