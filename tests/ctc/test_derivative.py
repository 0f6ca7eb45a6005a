"""Derivatives of every mode are right or refused in a sentence: never silently zero."""

from __future__ import annotations

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor
from torch.autograd import functional as legacy

from ctcasr.ctc import InputError, ctc_loss

TARGETS = torch.tensor([[1, 2], [3, 3], [1, 0]])
TIMES, LENGTHS = [8, 7, 5], [2, 2, 1]
LOGITS = torch.randn(3, 8, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
REFUSAL = "backend='reference'"


def losses(logits: Tensor, backend: str = "auto") -> Tensor:
    return ctc_loss(logits, TARGETS, TIMES, LENGTHS, reduction="none", backend=backend)


def expected(logits: Tensor) -> Tensor:
    return losses(logits, "reference")


@pytest.fixture(params=["cpu", "torch"])
def kernel(request: pytest.FixtureRequest) -> str:
    return request.param


def test_weights_of_rows_are_learnt_through_the_gradient(kernel):
    """Meta-learning: a silent zero before, because the backward scaled under no_grad."""
    slopes = []
    for backend in (kernel, "reference"):
        leaf = LOGITS.clone().requires_grad_()
        weights = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
        loss = (weights * losses(leaf, backend)).sum()
        (grad,) = torch.autograd.grad(loss, leaf, create_graph=True)
        slopes += torch.autograd.grad(grad.square().sum(), weights)
    assert float(slopes[0].abs().min()) > 0
    torch.testing.assert_close(slopes[0], slopes[1])


def test_jvp_by_double_backward(kernel):
    direction = torch.randn_like(LOGITS)
    _, slope = legacy.jvp(lambda x: losses(x, kernel), LOGITS, direction)
    _, want = legacy.jvp(expected, LOGITS, direction)
    torch.testing.assert_close(slope, want)


def test_forward_mode_keeps_its_tangents(kernel):
    direction = torch.randn_like(LOGITS)
    tangents = []
    for backend in (kernel, "reference"):
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(LOGITS, direction)
            tangents.append(forward_ad.unpack_dual(losses(dual, backend)).tangent)
    torch.testing.assert_close(tangents[0], tangents[1])


@pytest.mark.parametrize("vectorize", ["reverse-mode", "forward-mode"])
def test_vectorised_jacobian(kernel, vectorize):
    jacobian = legacy.jacobian(
        lambda x: losses(x, kernel), LOGITS, vectorize=True, strategy=vectorize
    )
    torch.testing.assert_close(jacobian, legacy.jacobian(expected, LOGITS))


@pytest.mark.parametrize("transform", [torch.func.jacrev, torch.func.jacfwd])
def test_torch_func_jacobians(kernel, transform):
    jacobian = transform(lambda x: losses(x, kernel))(LOGITS)
    torch.testing.assert_close(jacobian, transform(expected)(LOGITS))


def test_torch_func_grad_and_vjp(kernel):
    def total(x: Tensor) -> Tensor:
        return losses(x, kernel).sum()

    want = torch.func.grad(lambda x: expected(x).sum())(LOGITS)
    torch.testing.assert_close(torch.func.grad(total)(LOGITS), want)
    _, pull = torch.func.vjp(lambda x: losses(x, kernel), LOGITS)
    torch.testing.assert_close(pull(torch.ones(3, dtype=torch.float64))[0], want)


def test_lengths_and_targets_may_be_arguments_of_a_transform():
    def loss(x: Tensor, targets: Tensor, times: Tensor, lengths: Tensor) -> Tensor:
        return ctc_loss(x, targets, times, lengths, reduction="sum")

    grad = torch.func.grad(loss)(LOGITS, TARGETS, torch.tensor(TIMES), torch.tensor(LENGTHS))
    torch.testing.assert_close(grad, torch.func.grad(lambda x: losses(x).sum())(LOGITS))


@pytest.mark.parametrize("dim", [0, 2])
def test_vmap_over_logits(kernel, dim):
    stacked = torch.stack([LOGITS, 2 * LOGITS, -LOGITS])
    want = torch.stack([losses(logits, kernel) for logits in stacked])
    mapped = torch.vmap(lambda x: losses(x, kernel), in_dims=dim)(stacked.movedim(0, dim))
    torch.testing.assert_close(mapped, want)
    slopes = torch.vmap(torch.func.grad(lambda x: losses(x, kernel).sum()))(stacked)
    one_by_one = [torch.func.grad(lambda x: expected(x).sum())(logits) for logits in stacked]
    torch.testing.assert_close(slopes, torch.stack(one_by_one))


def test_vmap_over_targets_or_lengths_is_refused_by_name():
    with pytest.raises(InputError, match="targets cannot differ"):
        torch.vmap(lambda t: ctc_loss(LOGITS, t, TIMES, LENGTHS))(torch.stack([TARGETS] * 2))
    with pytest.raises(InputError, match="input_lengths cannot differ"):
        torch.vmap(lambda t: ctc_loss(LOGITS, TARGETS, t, LENGTHS))(torch.tensor([TIMES] * 2))


@pytest.mark.parametrize(
    "second",
    [
        lambda f: torch.func.hessian(f)(LOGITS),
        lambda f: torch.func.jacfwd(torch.func.jacfwd(f))(LOGITS),
        lambda f: torch.func.jacrev(torch.func.jacfwd(f))(LOGITS),
        lambda f: torch.func.grad(lambda x: torch.func.grad(f)(x).square().sum())(LOGITS),
        lambda f: legacy.hessian(f, LOGITS),
        lambda f: legacy.hvp(f, LOGITS, LOGITS),
    ],
    ids=["hessian", "jacfwd-jacfwd", "jacrev-jacfwd", "grad-grad", "legacy-hessian", "hvp"],
)
def test_second_derivatives_by_the_logits_are_refused(kernel, second):
    with pytest.raises(RuntimeError, match=REFUSAL):
        second(lambda x: losses(x, kernel).sum())


def test_the_reference_has_a_hessian():
    hessian = torch.func.hessian(lambda x: expected(x).sum())(LOGITS)
    assert float(hessian.abs().max()) > 0.01


def test_gradcheck_in_all_modes():
    leaf = LOGITS[:, :, :3].clone().requires_grad_()
    targets = torch.tensor([[1, 2], [2, 2], [1, 0]])
    assert torch.autograd.gradcheck(
        lambda x: ctc_loss(x, targets, TIMES, LENGTHS, reduction="none"),
        leaf,
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
    )


def test_a_report_inside_a_transform_is_refused():
    with pytest.raises(RuntimeError, match="CtcReport cannot be made"):
        torch.func.grad(lambda x: ctc_loss(x, TARGETS, TIMES, LENGTHS, return_report=True)[0])(
            LOGITS
        )


@pytest.mark.filterwarnings("ignore")
def test_half_precision_in_forward_mode_and_under_vmap():
    half = LOGITS.bfloat16()
    slope = torch.func.jvp(losses, (half,), (half,))[1]
    want = torch.func.jvp(expected, (half.double(),), (half.double(),))[1]
    torch.testing.assert_close(slope.double(), want, rtol=0.05, atol=0.2)
