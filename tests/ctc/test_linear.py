"""The loss of a linear layer's outputs is the loss of its logits, in all that can be asked."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ctcasr.ctc import InputError, ctc_loss, ctc_loss_linear, posterior_sums
from ctcasr.ctc.observers import observed

CLASSES = 300
FRAMES = [60, 40, 9, 55, 0]  # the third is too short for its labels
LABELS = [12, 12, 12, 3, 0]


def operands(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden [5, 60, 16], weight [300, 16], bias [300], which want gradients."""
    generator = torch.Generator().manual_seed(1)
    shapes = ((5, 60, 16), (CLASSES, 16), (CLASSES,))
    return tuple(
        torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for shape in shapes
    )  # type: ignore[return-value]


def targets() -> Tensor:
    labels = torch.randint(1, CLASSES, (5, 12), generator=torch.Generator().manual_seed(2))
    labels[:, 3] = labels[:, 2]
    return labels


def both(
    dtype: torch.dtype, outer: Tensor | float, **options: Any
) -> tuple[list[Tensor], list[Tensor]]:
    """Loss and gradients by way of the logits, and without them."""
    results = []
    for lean in (False, True):
        hidden, weight, bias = operands(dtype)
        call = (targets(), FRAMES, LABELS)
        if lean:
            loss = ctc_loss_linear(hidden, weight, bias, *call, **options)
        else:
            loss = ctc_loss(F.linear(hidden, weight, bias), *call, **options)
        (loss * outer).sum().backward()
        assert hidden.grad is not None and weight.grad is not None and bias.grad is not None
        results.append([loss.detach(), hidden.grad, weight.grad, bias.grad])
    return results[0], results[1]


PRIOR = torch.randn(CLASSES, generator=torch.Generator().manual_seed(3)).log_softmax(0)
UNEVEN = torch.tensor([1.0, -2.0, 3.0, 0.5, 7.0], dtype=torch.float64)


@pytest.mark.parametrize("blank", [0, 17])
@pytest.mark.parametrize("prior", [None, PRIOR], ids=["plain", "prior"])
@pytest.mark.parametrize(
    ("reduction", "outer"),
    [("mean", 3.0), ("sum", 1.0), ("none", 1.0), ("none", UNEVEN)],
    ids=["mean", "sum", "none", "uneven"],
)
def test_equals_the_loss_of_the_logits(
    reduction: str, outer: Tensor | float, prior: Tensor | None, blank: int
) -> None:
    labels = targets()
    if blank in labels:
        pytest.fail("the targets hold the blank")
    options = {
        "reduction": reduction,
        "prior": prior,
        "prior_weight": 0.7,
        "zero_infinity": True,
        "blank": blank,
    }
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        plain, lean = both(dtype, outer, **options)
        for wanted, got in zip(plain, lean, strict=True):
            largest = float(wanted.abs().max())
            torch.testing.assert_close(
                got.double(), wanted.double(), rtol=0, atol=tolerance * largest
            )


@pytest.mark.parametrize("classes", [2, 3])
def test_equals_enumeration_of_all_paths(classes: int) -> None:
    frames = 5
    eye = torch.eye(classes, dtype=torch.float64)
    generator = torch.Generator().manual_seed(classes)
    scores = torch.randn(1, frames, classes, generator=generator, dtype=torch.float64)
    bias = torch.randn(classes, generator=generator, dtype=torch.float64)
    log_probs = (scores + bias).log_softmax(2)[0]
    for count in range(4):
        for target in itertools.product(range(1, classes), repeat=count):
            total = 0.0
            for path in itertools.product(range(classes), repeat=frames):
                spelled = tuple(label for label, _ in itertools.groupby(path) if label)
                if spelled == target:
                    total += math.exp(float(log_probs[range(frames), list(path)].sum()))
            wanted = -math.log(total) if total else math.inf
            labels = torch.tensor([target], dtype=torch.int64)
            got = ctc_loss_linear(scores, eye, bias, labels, [frames], [count], reduction="sum")
            assert float(got) == pytest.approx(wanted, rel=1e-12)


def test_gradcheck() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(3, 7, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(6, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[1, 1, 2], [3, 4, 5], [2, 0, 0]])

    def losses(*leaves: Tensor) -> Tensor:
        return ctc_loss_linear(*leaves, labels, [7, 5, 6], [3, 3, 1], reduction="none")

    assert torch.autograd.gradcheck(losses, (hidden, weight, bias))
    with pytest.raises(RuntimeError, match="no derivatives of its gradients"):
        torch.autograd.grad(losses(hidden, weight, bias).sum(), hidden, create_graph=True)


def test_the_report_is_that_of_the_logits() -> None:
    hidden, weight, bias = operands(torch.float32)
    call = (targets(), FRAMES, LABELS)
    _, plain = ctc_loss(F.linear(hidden, weight, bias), *call, prior=PRIOR, return_report=True)
    _, lean = ctc_loss_linear(hidden, weight, bias, *call, prior=PRIOR, return_report=True)
    assert lean.slack == plain.slack and lean.infeasible == (2,)
    assert lean.nll.dtype == plain.nll.dtype
    for name, wanted in plain.summary().items():
        assert lean.summary()[name] == pytest.approx(wanted, rel=1e-4, abs=1e-4), name
    assert lean.blank_argmax.tolist() == plain.blank_argmax.tolist()


def test_a_graph_that_is_kept_may_be_walked_again() -> None:
    hidden, weight, bias = operands()
    loss = ctc_loss_linear(hidden, weight, bias, targets(), FRAMES, LABELS, zero_infinity=True)
    (first,) = torch.autograd.grad(2 * loss, weight, retain_graph=True)
    (second,) = torch.autograd.grad(2 * loss, weight, retain_graph=True)
    (third,) = torch.autograd.grad(loss, weight)
    assert torch.equal(first, second) and torch.allclose(first, 2 * third)


def test_a_row_without_a_path_of_finite_score_has_no_gradient() -> None:
    """A bias of -inf forbids a class: the rows that need it are infinite, as with logits."""
    grads = []
    for lean in (False, True):
        hidden, weight, bias = operands()
        with torch.no_grad():
            bias[targets()[0, 0]] = -math.inf
        call = (targets(), FRAMES, LABELS)
        options: dict[str, Any] = {"reduction": "sum", "zero_infinity": True}
        if lean:
            loss = ctc_loss_linear(hidden, weight, bias, *call, **options)
        else:
            loss = ctc_loss(F.linear(hidden, weight, bias), *call, **options)
        loss.backward()
        assert hidden.grad is not None and weight.grad is not None
        grads.append((hidden.grad, weight.grad))
    assert not grads[1][0][0].any()
    for plain, lean_grad in zip(*grads, strict=True):
        torch.testing.assert_close(lean_grad, plain, rtol=1e-9, atol=1e-12)


def test_only_what_wants_a_gradient_gets_one() -> None:
    hidden, weight, bias = operands()
    frozen = weight.detach()
    ctc_loss_linear(hidden, frozen, None, targets(), FRAMES, LABELS, zero_infinity=True).backward()
    assert hidden.grad is not None and bias.grad is None
    with torch.no_grad():
        loss = ctc_loss_linear(hidden, weight, bias, targets(), FRAMES, LABELS)
    assert not loss.requires_grad


def test_autocast_multiplies_in_its_type() -> None:
    results = []
    for lean in (False, True):
        hidden, weight, bias = operands(torch.float32)
        call = (targets(), FRAMES, LABELS)
        with torch.autocast("cpu", torch.bfloat16):
            if lean:
                loss = ctc_loss_linear(hidden, weight, bias, *call, zero_infinity=True)
            else:
                loss = ctc_loss(F.linear(hidden, weight, bias), *call, zero_infinity=True)
        loss.backward()
        assert weight.grad is not None and weight.grad.dtype == torch.float32
        results.append((loss.detach().float(), weight.grad))
    assert float(results[1][0]) == pytest.approx(float(results[0][0]), rel=1e-2)
    difference = float((results[1][1] - results[0][1]).norm() / results[0][1].norm())
    assert difference < 0.02


def test_observers_see_the_logits() -> None:
    hidden, weight, bias = operands()
    seen = []
    with observed(lambda loss, call: seen.append(call.log_probs)):
        ctc_loss_linear(hidden, weight, bias, targets(), FRAMES, LABELS)
    assert torch.allclose(seen[0].transpose(0, 1), F.linear(hidden, weight, bias))


def test_no_rows() -> None:
    loss = ctc_loss_linear(
        torch.zeros(0, 3, 4), torch.zeros(9, 4), None, torch.zeros(0, 2).long(), [], []
    )
    assert float(loss) == 0.0


def test_what_does_not_fit_is_told() -> None:
    hidden, weight, bias = operands()
    with pytest.raises(InputError, match=r"weight must be \[C, 16\]"):
        ctc_loss_linear(hidden, weight[:, :3], bias, targets(), FRAMES, LABELS)
    with pytest.raises(InputError, match=r"bias must be \[300\]"):
        ctc_loss_linear(hidden, weight, bias[:7], targets(), FRAMES, LABELS)
    with pytest.raises(InputError, match="label 300"):
        ctc_loss_linear(hidden, weight, bias, torch.full((5, 12), 300), FRAMES, LABELS)
    with pytest.raises(RuntimeError, match="reverse mode only"):
        torch.func.grad(
            lambda leaf: ctc_loss_linear(leaf, weight, bias, targets(), FRAMES, LABELS)
        )(hidden)


def test_posterior_sums_count_real_frames() -> None:
    hidden, weight, bias = operands()
    sums = posterior_sums(hidden, weight, bias, tuple(FRAMES))
    posteriors = F.linear(hidden, weight, bias).softmax(2)
    wanted = sum(posteriors[row, :length].sum(0) for row, length in enumerate(FRAMES))
    torch.testing.assert_close(sums, wanted)


def test_several_outer_gradients_at_once_are_refused_by_name():
    hidden = torch.randn(2, 5, 3, requires_grad=True)
    layer = torch.nn.Linear(3, 4)
    targets = torch.tensor([[1, 2], [3, 3]])
    losses = ctc_loss_linear(
        hidden, layer.weight, layer.bias, targets, [5, 5], [2, 2], reduction="none"
    )
    with pytest.raises(RuntimeError, match="one by one"):
        torch.autograd.grad(losses, hidden, torch.eye(2), is_grads_batched=True)


@pytest.mark.parametrize("wrong", ["meta", "integer"])
def test_operands_that_do_not_belong_together_are_refused(wrong):
    weight = torch.randn(4, 3)
    weight = weight.to("meta") if wrong == "meta" else weight.long()
    with pytest.raises(InputError, match="weight must be a floating point tensor on cpu"):
        ctc_loss_linear(torch.randn(1, 5, 3), weight, None, torch.tensor([[1]]), [5], [1])
