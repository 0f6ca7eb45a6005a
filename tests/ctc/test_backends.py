"""Which code runs: by name, by device, and torch's where there is no kernel."""

from __future__ import annotations

import pytest
import torch

from ctcasr.ctc import InputError, backends, ctc_loss, native, reference
from ctcasr.ctc.batch import CtcBatch, CtcOutput, prepare
from ctcasr.ctc.errors import KernelError


def test_names_lead_to_their_backends():
    cpu = torch.device("cpu")
    assert backends.select("torch", cpu) is native.forward_backward
    assert backends.select("reference", cpu) is reference.forward_backward
    with pytest.raises(InputError, match="backend must be one of"):
        backends.select("fast", cpu)
    with pytest.raises(InputError, match="backend='cuda' needs logits on cuda"):
        backends.select("cuda", cpu)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has found nothing missing yet."""
    backends._warn_once.cache_clear()
    monkeypatch.setattr(backends, "_missing", set())


def fails_with(error: Exception) -> backends.ForwardBackward:
    def forward_backward(logits: torch.Tensor, ctc_batch: CtcBatch, need_grad: bool) -> CtcOutput:
        raise error

    return forward_backward


def test_what_cannot_be_imported_is_said_once_and_replaced(monkeypatch, fresh):
    def missing(name: str) -> None:
        raise ImportError("no numba here", name="numba")

    monkeypatch.setattr(backends, "_kernel", missing)
    logits = torch.randn(1, 4, 3)
    ctc_batch = prepare(logits, torch.tensor([1]), [4], [1])
    with pytest.warns(RuntimeWarning, match="no numba here") as record:
        for _ in range(2):
            output = backends.select("auto", logits.device)(logits, ctc_batch, True)
    assert len(record) == 1
    assert torch.equal(output.nll, native.forward_backward(logits, ctc_batch, True).nll)


def test_a_kernel_that_cannot_run_is_said_once_and_replaced(monkeypatch, fresh):
    tried = []

    def kernel(name: str) -> backends.ForwardBackward:
        tried.append(name)
        return fails_with(KernelError("CUDA driver could not load the CTC kernels"))

    monkeypatch.setattr(backends, "_kernel", kernel)
    logits = torch.randn(1, 4, 3, requires_grad=True)
    with pytest.warns(RuntimeWarning, match="could not load") as record:
        for _ in range(3):
            loss = ctc_loss(logits, torch.tensor([[1]]), [4], [1])
    assert len(record) == 1 and tried == ["cpu"]
    assert torch.equal(loss, ctc_loss(logits, torch.tensor([[1]]), [4], [1], backend="torch"))
    loss.backward()


@pytest.mark.parametrize(
    "error", [RuntimeError("out of memory"), ValueError("row 3"), torch.OutOfMemoryError("full")]
)
def test_what_another_batch_might_mend_is_not_replaced(error, monkeypatch, fresh):
    monkeypatch.setattr(backends, "_kernel", lambda name: fails_with(error))
    with pytest.raises(type(error), match=str(error)):
        ctc_loss(torch.randn(1, 4, 3), torch.tensor([[1]]), [4], [1])
    assert not backends._missing


def test_a_kernel_asked_for_by_name_is_not_replaced(monkeypatch, fresh):
    monkeypatch.setattr(backends, "_kernel", lambda name: fails_with(KernelError("no")))
    arguments = torch.randn(1, 4, 3), torch.tensor([[1]]), [4], [1]
    with pytest.raises(KernelError):
        ctc_loss(*arguments, backend="cpu")
    with backends.prefer("cpu"), pytest.raises(KernelError):
        ctc_loss(*arguments)
    with backends.prefer("torch"):
        ctc_loss(*arguments)


def test_a_preferred_backend_holds_within_and_for_its_device_only():
    cpu = torch.device("cpu")
    auto = backends.select("auto", cpu)
    with pytest.raises(KeyError), backends.prefer("torch"):
        assert backends.select("auto", cpu) is native.forward_backward
        assert backends.select("reference", cpu) is reference.forward_backward
        with backends.prefer("cuda"):
            assert backends.select("auto", cpu) is auto
        assert backends.select("auto", torch.device("cuda")) is native.forward_backward
        raise KeyError
    assert backends.select("auto", cpu) is auto


def test_a_fault_of_our_own_is_not_hidden(monkeypatch):
    def broken(name: str) -> None:
        raise ImportError("a typo", name="ctcasr.ctc.cpu")

    monkeypatch.setattr(backends, "_kernel", broken)
    logits = torch.randn(1, 4, 3)
    with pytest.raises(ImportError, match="a typo"):
        backends.select("auto", logits.device)(
            logits, prepare(logits, torch.tensor([1]), [4], [1]), True
        )
