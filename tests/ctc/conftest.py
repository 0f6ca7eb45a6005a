"""Every property is asked of every backend that this machine can run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ctcasr.ctc import ctc_loss

Run = Callable[..., tuple[Tensor, Tensor]]


def _cuda_missing() -> str:
    if not torch.cuda.is_available():
        return "needs a CUDA device"
    return "" if importlib.util.find_spec("ctcasr.ctc.cuda") else "the CUDA kernels are not there"


BACKENDS = [
    pytest.param("reference"),
    pytest.param("torch"),
    pytest.param(
        "cpu",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("ctcasr.ctc.cpu") is None
            or importlib.util.find_spec("numba") is None,
            reason="the CPU kernel needs numba",
        ),
    ),
    pytest.param(
        "cuda",
        marks=[pytest.mark.cuda, pytest.mark.skipif(bool(_cuda_missing()), reason=_cuda_missing())],
    ),
]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def device(backend: str) -> torch.device:
    return torch.device("cuda" if backend == "cuda" else "cpu")


@pytest.fixture
def run(backend: str, device: torch.device) -> Run:
    """Losses [B] and gradient [B, T, C] of the sum of the finite ones, both on the host."""

    def call(
        logits: Tensor,
        targets: Tensor,
        input_lengths: object,
        target_lengths: object,
        **options: object,
    ) -> tuple[Tensor, Tensor]:
        leaf = logits.detach().to(device).requires_grad_()
        nll = ctc_loss(
            leaf,
            targets,
            input_lengths,
            target_lengths,
            reduction="none",
            backend=backend,
            **options,
        )
        nll.masked_fill(nll.isinf(), 0.0).sum().backward()
        assert leaf.grad is not None
        return nll.detach().cpu(), leaf.grad.cpu()

    return call


@pytest.fixture
def exact(backend: str) -> bool:
    """Whether the backend computes in float64 throughout."""
    return backend in ("reference", "torch")


@pytest.fixture
def random_batch() -> Callable[..., tuple[Tensor, Tensor, list[int], list[int]]]:
    """Logits [B, T, C], targets [B, S] with many repeats, ragged lengths; every row has a path."""

    def make(
        batch: int,
        frames: int,
        classes: int,
        labels: int,
        *,
        blank: int = 0,
        scale: float = 1.0,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> tuple[Tensor, Tensor, list[int], list[int]]:
        rng = torch.Generator().manual_seed(seed)
        logits = (
            torch.randn(batch, frames, classes, generator=rng, dtype=torch.float64) * scale
        ).to(dtype)
        targets = torch.randint(0, classes - 1, (batch, max(labels, 1)), generator=rng)[:, :labels]
        targets = targets + (targets >= blank)
        times, lengths = [], []
        for row in range(batch):
            count = int(torch.randint(0, labels + 1, (), generator=rng)) if row else labels
            label = targets[row, :count]
            shortest = count + int((label[1:] == label[:-1]).sum())
            while shortest > frames:
                count -= 1
                label = targets[row, :count]
                shortest = count + int((label[1:] == label[:-1]).sum())
            lengths.append(count)
            times.append(
                int(torch.randint(shortest, frames + 1, (), generator=rng)) if row else frames
            )
        return logits, targets, times, lengths

    return make
