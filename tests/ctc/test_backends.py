"""Which code runs: by name, by device, and torch's where there is no kernel."""

from __future__ import annotations

import pytest
import torch

from ctcasr.ctc import InputError, backends, native, reference
from ctcasr.ctc.batch import prepare


def test_names_lead_to_their_backends():
    cpu = torch.device("cpu")
    assert backends.select("torch", cpu) is native.forward_backward
    assert backends.select("reference", cpu) is reference.forward_backward
    with pytest.raises(InputError, match="backend must be one of"):
        backends.select("fast", cpu)
    with pytest.raises(InputError, match="backend='cuda' needs logits on cuda"):
        backends.select("cuda", cpu)


def test_what_cannot_be_imported_is_said_once_and_replaced(monkeypatch):
    def missing(name: str) -> None:
        raise ImportError("no numba here", name="numba")

    backends._warn_once.cache_clear()
    monkeypatch.setattr(backends, "_kernel", missing)
    monkeypatch.setattr(backends, "_missing", set())
    logits = torch.randn(1, 4, 3)
    ctc_batch = prepare(logits, torch.tensor([1]), [4], [1])
    with pytest.warns(RuntimeWarning, match="no numba here") as record:
        for _ in range(2):
            output = backends.select("auto", logits.device)(logits, ctc_batch, True)
    assert len(record) == 1
    assert torch.equal(output.nll, native.forward_backward(logits, ctc_batch, True).nll)


def test_a_fault_of_our_own_is_not_hidden(monkeypatch):
    def broken(name: str) -> None:
        raise ImportError("a typo", name="ctcasr.ctc.cpu")

    monkeypatch.setattr(backends, "_kernel", broken)
    logits = torch.randn(1, 4, 3)
    with pytest.raises(ImportError, match="a typo"):
        backends.select("auto", logits.device)(
            logits, prepare(logits, torch.tensor([1]), [4], [1]), True
        )
