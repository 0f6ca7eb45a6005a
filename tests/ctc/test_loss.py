"""The front door: reductions, gradients of graphs, dtypes, layouts, and the module form."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
import torch
import torch.nn.functional as F

from ctcasr.ctc import CTCLoss, backends, ctc_loss
from ctcasr.ctc.batch import prepare


def batch():
    rng = torch.Generator().manual_seed(0)
    targets = torch.tensor([[1, 2, 2, 5], [3, 1, 0, 0], [0, 0, 0, 0]])
    return torch.randn(3, 12, 6, generator=rng), targets, [12, 9, 5], [4, 2, 0]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("module", [False, True], ids=["function", "module"])
def test_reductions_are_those_of_torch(backend, device, reduction, module):
    logits, targets, times, lengths = batch()
    want = F.ctc_loss(
        logits.log_softmax(2).transpose(0, 1), targets, times, lengths, reduction=reduction
    )
    logits = logits.to(device)
    if module:
        ours = CTCLoss(reduction=reduction, backend=backend)(
            logits.transpose(0, 1), targets, times, lengths
        )
        again = CTCLoss(reduction=reduction, backend=backend, batch_first=True)(
            logits, targets, times, lengths
        )
        assert torch.equal(ours, again)
    else:
        ours = ctc_loss(logits, targets, times, lengths, reduction=reduction, backend=backend)
    torch.testing.assert_close(ours.cpu(), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_unbatched(reduction):
    """torch's no_batch_dim: (T, C), one target, plain lengths."""
    logits, target = torch.randn(40, 12), torch.randint(1, 12, (9,))
    want = F.ctc_loss(
        logits.log_softmax(1), target, torch.tensor(40), torch.tensor(9), reduction=reduction
    )
    loss = CTCLoss(reduction=reduction)
    torch.testing.assert_close(
        loss(logits, target, torch.tensor(40), torch.tensor(9)), want, rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(loss(logits, target, 40, (9,)), want, rtol=1e-5, atol=1e-5)


def test_module_takes_log_probabilities_as_torch_does(backend, device):
    logits, targets, times, lengths = batch()
    grads = []
    for module in (CTCLoss(backend=backend), torch.nn.CTCLoss()):
        leaf = logits.clone().to(device if isinstance(module, CTCLoss) else "cpu").requires_grad_()
        module(leaf.log_softmax(2).transpose(0, 1), targets, times, lengths).backward()
        grads.append(leaf.grad.cpu())
    torch.testing.assert_close(*grads, rtol=0, atol=1e-5)


def test_padded_and_concatenated_targets_and_all_kinds_of_lengths_agree(run):
    logits, targets, times, lengths = batch()
    flat = torch.cat([row[:n] for row, n in zip(targets, lengths, strict=True)])
    first = run(logits, targets, times, lengths)
    for labels in (targets, flat, flat.to(torch.int32), targets.to(torch.uint8)):
        for kind in (tuple, torch.tensor, lambda v: torch.tensor(v, dtype=torch.int32)):
            other = run(logits, labels, kind(times), kind(lengths))
            assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_gradient_is_exact_behind_anything(run):
    """pytorch#52241: torch's gradient is that of a log_softmax whatever came before."""
    logits, targets, times, lengths = batch()
    _, grad = run(logits, targets, times, lengths)
    _, shifted = run(logits + torch.randn(3, 12, 1), targets, times, lengths)
    torch.testing.assert_close(grad, shifted, rtol=0, atol=2e-6)
    leaf = logits.double().requires_grad_()
    (plain,) = torch.autograd.grad(
        ctc_loss(leaf, targets, times, lengths, reduction="sum", backend="reference"), leaf
    )
    torch.testing.assert_close(grad.double(), plain, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"normalize": False},
        {"prior": torch.tensor([-0.3, -2.0, -3.0, -2.5, -4.0, -1.7]), "prior_weight": 0.3},
    ],
    ids=["scores", "prior"],
)
def test_backends_agree_with_options(run, options):
    logits, targets, times, lengths = batch()
    nll, grad = run(logits, targets, times, lengths, **options)
    leaf = logits.double().requires_grad_()
    want = ctc_loss(leaf, targets, times, lengths, reduction="none", backend="reference", **options)
    want.sum().backward()
    torch.testing.assert_close(nll.double(), want.detach(), rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(grad.double(), leaf.grad, rtol=0, atol=2e-6)


def test_outer_gradient_scales_rows(backend, device):
    logits, targets, times, lengths = batch()
    leaf = logits.to(device).requires_grad_()
    nll = ctc_loss(leaf, targets, times, lengths, reduction="none", backend=backend)
    (once,) = torch.autograd.grad(nll.sum(), leaf, retain_graph=True)
    outer = torch.tensor([2.0, -0.5, 0.0], device=device)
    (scaled,) = torch.autograd.grad(nll, leaf, outer)
    torch.testing.assert_close(scaled, once * outer[:, None, None], rtol=1e-6, atol=1e-7)


def test_retained_graph_gives_the_same_gradient_again(backend, device):
    logits, targets, times, lengths = batch()
    leaf = logits.to(device).requires_grad_()
    loss = ctc_loss(leaf, targets, times, lengths, reduction="sum", backend=backend)
    loss.backward(retain_graph=True)
    first = leaf.grad.clone()
    loss.backward()
    torch.testing.assert_close(leaf.grad, 2 * first, rtol=1e-6, atol=1e-7)


def test_second_derivatives_need_the_reference(backend, device):
    logits, targets, times, lengths = batch()
    leaf = logits.to(device).requires_grad_()
    loss = ctc_loss(leaf, targets, times, lengths, backend=backend)
    (grad,) = torch.autograd.grad(loss, leaf, create_graph=True)
    if backend == "reference":
        (second,) = torch.autograd.grad(grad.square().sum(), leaf)
        assert float(second.abs().max()) > 0
    else:
        with pytest.raises(RuntimeError, match="backend='reference'"):
            torch.autograd.grad(grad.square().sum(), leaf)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_logits_give_a_float32_loss(backend, device, dtype):
    logits, targets, times, lengths = batch()
    half = logits.to(dtype).to(device).requires_grad_()
    loss = ctc_loss(half, targets, times, lengths, reduction="none", backend=backend)
    loss.sum().backward()
    leaf = half.detach().cpu().double().requires_grad_()
    want = ctc_loss(leaf, targets, times, lengths, reduction="none", backend="reference")
    want.sum().backward()
    assert loss.dtype == torch.float32 and half.grad.dtype == dtype
    torch.testing.assert_close(loss.detach().cpu().double(), want.detach(), rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(
        half.grad.cpu().double(), leaf.grad, rtol=0, atol=torch.finfo(dtype).eps
    )


def test_gradient_scaler_does_not_overflow_float16(backend, device):
    logits, targets, times, lengths = batch()
    half = logits.half().to(device).requires_grad_()
    (
        65536 * ctc_loss(half, targets, times, lengths, reduction="sum", backend=backend) / 65536
    ).backward()
    nll = ctc_loss(half, targets, times, lengths, reduction="none", backend=backend)
    (scaled,) = torch.autograd.grad(nll, half, torch.full_like(nll, 65536.0))
    assert not scaled.isnan().any() and (scaled[1, 9:] == 0).all()
    torch.testing.assert_close(scaled.isinf(), (half.grad.float() * 65536).half().isinf())


def test_float64_stays_float64(run):
    logits, targets, times, lengths = batch()
    nll, grad = run(logits.double(), targets, times, lengths)
    assert nll.dtype == grad.dtype == torch.float64


def test_no_gradient_where_none_is_wanted(backend, device):
    logits, targets, times, lengths = batch()
    assert not ctc_loss(logits.to(device), targets, times, lengths, backend=backend).requires_grad
    with torch.no_grad():
        leaf = logits.to(device).requires_grad_()
        assert not ctc_loss(leaf, targets, times, lengths, backend=backend).requires_grad


def test_report_changes_neither_loss_nor_gradient(backend, device):
    logits, targets, times, lengths = batch()
    results = []
    for wanted in (False, True):
        leaf = logits.to(device).requires_grad_()
        out = ctc_loss(leaf, targets, times, lengths, backend=backend, return_report=wanted)
        loss = out[0] if isinstance(out, tuple) else out
        loss.backward()
        results.append((loss.detach(), leaf.grad))
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_compiled_graph_is_whole_and_equal(reduction):
    logits, targets, times, lengths = batch()

    def scaled(x, *arguments):
        return ctc_loss(
            x * 2, *arguments, reduction=reduction, prior=torch.zeros(6), zero_infinity=True
        ).sum()

    found = []
    for function in (scaled, torch.compile(scaled, backend="aot_eager", fullgraph=True)):
        leaf = logits.clone().requires_grad_()
        loss = function(leaf, targets, torch.tensor(times), torch.tensor(lengths))
        loss.backward()
        found.append((loss.detach(), leaf.grad))
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-7)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_of_no_rows_is_zero_compiled_too(reduction):
    none = torch.zeros(0, dtype=torch.long)

    def loss(logits):
        targets = torch.zeros(0, 3, dtype=torch.long)
        return ctc_loss(logits, targets, none, none, reduction=reduction)

    for function in (loss, torch.compile(loss, backend="eager")):
        assert function(torch.zeros(0, 6, 4)) == 0


def test_wrong_arguments_are_named():
    logits, targets, times, lengths = batch()
    with pytest.raises(ValueError, match="reduction"):
        ctc_loss(logits, targets, times, lengths, reduction="average")
    with pytest.raises(ValueError, match="backend must be one of"):
        ctc_loss(logits, targets, times, lengths, backend="fast")
    with pytest.raises(ValueError, match="backend='cuda' needs logits on cuda"):
        ctc_loss(logits, targets, times, lengths, backend="cuda")


def test_a_device_without_kernel_falls_back_to_torch_and_says_so_once(monkeypatch):
    """The meta device has shapes and no numbers: it stands for any device that has no kernel."""
    backends._warn_once.cache_clear()
    logits, ctc_batch = (
        torch.zeros(1, 4, 3, device="meta"),
        prepare(torch.zeros(1, 4, 3), torch.tensor([[1]]), [4], [1]),
    )
    seen = []
    monkeypatch.setattr(
        backends.native, "forward_backward", lambda *arguments: seen.append(arguments)
    )
    with pytest.warns(RuntimeWarning, match="'meta'"):
        backends.select("auto", logits.device)(logits, ctc_batch, True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backends.select("auto", logits.device)(logits, ctc_batch, True)
    assert seen == [(logits, ctc_batch, True)] * 2


@pytest.mark.parametrize(
    "blocked", [["torchaudio", "soundfile", "jiwer", "sentencepiece", "rich"], ["numba"]]
)
def test_importable_alone(blocked):
    """`ctcasr.ctc` needs torch and numpy; without numba the torch backend takes over, said once."""
    code = f"""
import sys, warnings
for name in {blocked!r}: sys.modules[name] = None
import torch
import ctcasr.ctc as ctc
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for _ in range(2):
        loss = ctc.ctc_loss(torch.zeros(1, 4, 3), torch.tensor([[1]]), [4], [1], reduction="sum",
                            backend="auto" if "numba" in {blocked!r} else "torch")
assert abs(float(loss) - 2.0918640617) < 1e-5, loss
rooms = {{m.split(".")[1] for m in sys.modules if m.startswith("ctcasr.")}}
assert rooms == {{"ctc"}}, rooms
assert len(said) == int("numba" in {blocked!r}), [str(w.message) for w in said]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_a_kept_graph_is_not_changed_by_whoever_gets_its_gradient(factor: float) -> None:
    logits = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = factor * ctc_loss(logits, torch.tensor([1, 2, 3]), (6, 5), (2, 1), reduction="sum")
    loss.backward(retain_graph=True)
    assert logits.grad is not None
    first = logits.grad.clone()
    logits.grad.mul_(100.0)
    loss.backward(retain_graph=True)
    torch.testing.assert_close(logits.grad, 101 * first)
    logits.grad = None
    loss.backward()
    assert torch.equal(logits.grad, first)
