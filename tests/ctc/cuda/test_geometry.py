"""The CUDA kernels on the host: their source in C++, lanes and warps in loops, against float64."""

from __future__ import annotations

import ctypes
import math
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ctcasr.ctc.cuda.geometry as plan_module
from ctcasr.ctc import reference
from ctcasr.ctc.batch import CtcBatch, CtcOutput, prepare
from ctcasr.ctc.cuda import launch as launch_module
from ctcasr.ctc.cuda import nvrtc
from ctcasr.ctc.cuda.backend import inputs_of
from ctcasr.ctc.cuda.geometry import Args, KernelGeometry, Launch, run

KERNELS = Path(plan_module.__file__).parent
Twin = Callable[..., CtcOutput]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no host C++ compiler for the twin of the CUDA kernels")
    out = tmp_path_factory.mktemp("twin") / "twin.so"
    fused = ["-mfma"] if platform.machine() in ("x86_64", "AMD64") else []
    subprocess.run(
        [
            compiler,
            "-std=c++17",
            "-O2",
            *fused,
            "-ffp-contract=off",
            "-shared",
            "-fPIC",
            f"-I{KERNELS}",
            str(Path(__file__).with_name("cuda_twin.cpp")),
            "-o",
            str(out),
        ],
        check=True,
    )
    return ctypes.CDLL(str(out))


@pytest.fixture(scope="session")
def twin(library: ctypes.CDLL) -> Twin:
    def launcher(reverse: bool) -> Launch:
        def launch(name: str, x: int, y: int, threads: int, shared: int, args: Args) -> None:
            library.launch(name.encode(), x, y, threads, shared, ctypes.byref(args), int(reverse))

        return launch

    def forward_backward(
        logits: Tensor,
        ctc_batch: CtcBatch,
        need_grad: bool = True,
        reverse: bool = False,
        longest: int | None = None,
        exact: bool = False,
    ) -> CtcOutput:
        longest = max(ctc_batch.target_lengths, default=0) if longest is None else longest
        inputs = inputs_of(ctc_batch)
        return CtcOutput(
            *run(
                launcher(reverse),
                logits,
                inputs.targets,
                inputs.lengths,
                KernelGeometry(*logits.shape, longest, need_grad, exact),
                ctc_batch.blank,
                inputs.prior,
                ctc_batch.normalize,
            )
        )

    return forward_backward


@pytest.fixture(autouse=True)
def poisoned():
    """Every torch.empty holds NaN or huge integers: what is read before it is written shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def draw(
    seed: int,
    batch: int,
    frames: int,
    classes: int,
    labels: int,
    scale: float = 1.0,
    blank: int = 0,
    **kwargs,
) -> tuple[Tensor, CtcBatch]:
    g = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(batch, frames, classes, generator=g)
    lengths = torch.randint(0, labels + 1, (batch,), generator=g)
    times = torch.randint(0, frames + 1, (batch,), generator=g)
    if batch:
        lengths[0], times[0] = labels, frames
    targets = torch.randint(0, max(classes - 1, 1), (batch, labels), generator=g)
    targets += (targets >= blank).long()
    return logits, prepare(logits, targets, times, lengths, blank, **kwargs)


def compare(ours: CtcOutput, logits: Tensor, ctc_batch: CtcBatch, tolerance: float) -> None:
    truth = reference.forward_backward(logits.double(), ctc_batch, True)
    torch.testing.assert_close(ours.nll.double(), truth.nll, rtol=3e-7, atol=1e-5)
    assert ours.grad is not None and truth.grad is not None
    error = (
        (ours.grad.double() - truth.grad).abs().max() if ours.grad.numel() else torch.tensor(0.0)
    )
    assert error <= tolerance, f"gradient error {error:.1e}"
    assert (ours.health <= 1e-4).all()


def test_arguments_have_one_layout(library):
    assert library.args_size() == ctypes.sizeof(Args)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    batch=st.integers(0, 4),
    frames=st.integers(0, 90),
    classes=st.integers(1, 40),
    labels=st.integers(0, 40),
    scale=st.sampled_from([0.0, 1.0, 10.0, 100.0]),
    blank=st.integers(0, 39),
    normalize=st.booleans(),
    prior=st.booleans(),
)
def test_agrees_with_float64(
    twin, seed, batch, frames, classes, labels, scale, blank, normalize, prior
):
    given_prior = (
        torch.randn(classes, generator=torch.Generator().manual_seed(seed)).log_softmax(0)
        if prior
        else None
    )
    logits, ctc_batch = draw(
        seed,
        batch,
        frames,
        classes,
        labels if classes > 1 else 0,
        scale,
        blank % classes,
        normalize=normalize,
        prior=given_prior,
        prior_weight=0.7,
    )
    compare(twin(logits, ctc_batch), logits, ctc_batch, 2e-6)


@pytest.mark.parametrize("labels", [0, 1, 15, 16, 127, 128, 255, 256, 257, 1023, 1024, 2047])
def test_every_width_of_the_lattice(twin, labels):
    logits, ctc_batch = draw(labels, 1, labels + labels // 20 + 21, 60, labels)
    compare(twin(logits, ctc_batch), logits, ctc_batch, 2e-6)


@pytest.mark.parametrize("labels", [40, 130, 300, 1100])
def test_order_of_the_warps_does_not_matter(twin, labels):
    logits, ctc_batch = draw(labels, 2, labels + 150, 30, labels)
    one, two, again = (
        twin(logits, ctc_batch),
        twin(logits, ctc_batch, reverse=True),
        twin(logits, ctc_batch),
    )
    for ours in (two, again):
        assert all(torch.equal(a, b) for a, b in zip(one, ours, strict=True))


@pytest.mark.parametrize("labels", [0, 7, 63, 64, 127, 128, 255, 256, 600])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_both_roads_lead_to_the_same_loss_and_gradient(twin, labels, scale):
    frames = 3 * labels + 21
    logits, ctc_batch = draw(labels, 2, frames, 38, labels, scale)
    fast = twin(logits, ctc_batch)
    exact = twin(logits, ctc_batch, exact=True)
    torch.testing.assert_close(fast.nll, exact.nll, rtol=3e-7, atol=1e-5)
    assert (fast.grad - exact.grad).abs().max() <= 2e-6


@pytest.mark.parametrize("labels", [20, 100, 200, 400])
@pytest.mark.parametrize("classes", [38, 500])
def test_rows_that_do_not_fit_take_the_exact_road_alone(twin, labels, classes):
    logits, ctc_batch = draw(labels, 3, labels + 90, classes, labels)
    sound = twin(logits, ctc_batch)
    logits[1] *= 40  # below what a float can hold
    mixed = twin(logits, ctc_batch)
    exact = twin(logits, ctc_batch, exact=True)
    assert torch.equal(mixed.nll[1], exact.nll[1]) and torch.equal(mixed.grad[1], exact.grad[1])
    for row in (0, 2):
        assert torch.equal(mixed.nll[row], sound.nll[row])
        assert torch.equal(mixed.grad[row], sound.grad[row])
    compare(mixed, logits, ctc_batch, 2e-6)
    alone = twin(logits, ctc_batch, need_grad=False)
    torch.testing.assert_close(alone.nll, mixed.nll, rtol=3e-7, atol=1e-5)


def test_mass_that_a_tile_has_lost_is_noticed(twin):
    # Blanks first, then the labels all at once: early on every label lies far below its neighbours.
    frames, labels = 60, 28
    logits = torch.full((1, frames, 38), -80.0)
    targets = torch.arange(1, labels + 1)[None]
    logits[0, : frames - labels, 0] = 0.0
    for label in range(labels):
        logits[0, frames - labels + label, label + 1] = 0.0
    ctc_batch = prepare(logits, targets, [frames], [labels])
    compare(twin(logits, ctc_batch), logits, ctc_batch, 2e-6)


@pytest.mark.parametrize("frames", [*range(1, 18), 31, 32, 33, 64, 65])
def test_every_end_of_a_chunk(twin, frames):
    logits, ctc_batch = draw(frames, 2, frames, 6, min(frames, 3))
    compare(twin(logits, ctc_batch), logits, ctc_batch, 2e-6)


def test_more_classes_than_shared_memory_holds(twin):
    logits, ctc_batch = draw(12, 2, 20, 9001, 6)
    compare(twin(logits, ctc_batch), logits, ctc_batch, 2e-6)


def test_outputs_have_memory_of_their_own(twin):
    for rows in (0, 2):
        logits, ctc_batch = draw(13, rows, 9, 5, 2)
        ours = twin(logits, ctc_batch)
        places = {output.untyped_storage().data_ptr() for output in (ours.nll, ours.health)}
        assert rows == 0 or len(places) == 2


def test_neighbours_in_the_batch_do_not_matter(twin):
    logits, ctc_batch = draw(3, 3, 120, 12, 30)
    whole = twin(logits, ctc_batch)
    for b, (frames, labels) in enumerate(
        zip(ctc_batch.input_lengths, ctc_batch.target_lengths, strict=True)
    ):
        alone = prepare(logits[b : b + 1], ctc_batch.row(b)[None], [frames], [labels])
        rows = twin(logits[b : b + 1], alone, longest=max(ctc_batch.target_lengths))
        assert torch.equal(rows.nll[0], whole.nll[b]) and torch.equal(rows.grad[0], whole.grad[b])


def test_padding_of_nan_is_never_read(twin):
    logits, ctc_batch = draw(5, 4, 60, 9, 12)
    before = twin(logits, ctc_batch)
    for b, frames in enumerate(ctc_batch.input_lengths):
        logits[b, frames:] = math.nan
    after = twin(logits, ctc_batch)
    assert torch.equal(before.nll, after.nll) and torch.equal(before.grad, after.grad)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_computed_in_float32(twin, dtype):
    logits, ctc_batch = draw(6, 3, 80, 20, 15)
    low = logits.to(dtype)
    ours, full = twin(low, ctc_batch), twin(low.float(), ctc_batch)
    assert torch.equal(ours.nll, full.nll)
    assert ours.grad.dtype == dtype and torch.equal(ours.grad, full.grad.to(dtype))


def test_time_major_logits_need_no_copy(twin):
    logits, ctc_batch = draw(7, 3, 50, 8, 10)
    turned = logits.transpose(0, 1).contiguous().transpose(0, 1)
    assert all(
        torch.equal(a, b)
        for a, b in zip(twin(logits, ctc_batch), twin(turned, ctc_batch), strict=True)
    )


def test_loss_alone_is_the_same_loss(twin):
    logits, ctc_batch = draw(8, 4, 300, 20, 60)
    alone = twin(logits, ctc_batch, need_grad=False)
    assert alone.grad is None and torch.equal(alone.nll, twin(logits, ctc_batch).nll)
    assert (alone.health < 1e-4).all()


@pytest.mark.parametrize(
    "frames, classes, labels, nll",
    [(50, 20, [1, 1, 1, 2, 3], 126.0929795496), (20000, 5, [1, 2, 3, 4, 1], 32104.827535836)],
)
def test_closed_form_of_uniform_logits(twin, frames, classes, labels, nll):
    logits = torch.zeros(1, frames, classes)
    rows = twin(logits, prepare(logits, torch.tensor([labels]), [frames], [len(labels)]))
    assert rows.nll.item() == pytest.approx(nll, rel=1e-7)


def test_gradient_over_many_frames(twin):
    logits, ctc_batch = draw(9, 1, 5000, 12, 100)
    compare(twin(logits, ctc_batch), logits, ctc_batch, 2e-6)


def test_a_forbidden_label_spoils_its_own_row_only(twin):
    logits, ctc_batch = draw(10, 3, 40, 9, 6)
    good = twin(logits, ctc_batch)
    for label in (0, -1, 9, 2**40):
        spoiled = ctc_batch.targets.clone()
        spoiled[2] = label
        rows = twin(
            logits,
            CtcBatch(spoiled, ctc_batch.input_lengths, ctc_batch.target_lengths, 0, checked=False),
        )
        assert rows.nll[0].isnan() and (rows.grad[0] == 0).all()
        assert torch.equal(rows.nll[1:], good.nll[1:]) and torch.equal(rows.grad[1:], good.grad[1:])


def test_nan_and_impossible_rows(twin):
    logits = torch.randn(4, 12, 5)
    logits[0, 3, 2] = math.nan
    logits[1, :, 2] = -math.inf
    logits[2, :, 2] = -1e30
    ctc_batch = prepare(logits, torch.tensor([[1, 2], [1, 2], [2, 2], [1, 3]]), [12] * 4, [2] * 4)
    rows = twin(logits, ctc_batch)
    assert rows.nll[0].isnan() and rows.grad[0].isnan().all()
    assert (rows.nll[1:3] == math.inf).all() and (rows.grad[1:3] == 0).all()
    compare(
        twin(logits[3:], prepare(logits[3:], torch.tensor([[1, 3]]), [12], [2])),
        logits[3:],
        prepare(logits[3:], torch.tensor([[1, 3]]), [12], [2]),
        2e-6,
    )


@pytest.mark.parametrize("labels", [20, 200, 1100])
def test_launches_ask_the_driver_for_what_it_grants(twin, library, labels, monkeypatch):
    monkeypatch.setattr(launch_module, "driver", lambda: library)
    monkeypatch.setattr(nvrtc, "binary", lambda capability, defines: b"\x7fELF%d" % capability)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=7))
    logits, ctc_batch = draw(labels, 2, labels + 50, 40, labels)
    inputs = inputs_of(ctc_batch)
    launch = launch_module.Kernels(0).on_current_stream()
    rows = CtcOutput(
        *run(
            launch,
            logits,
            ctc_batch.targets,
            inputs.lengths,
            KernelGeometry(*logits.shape, labels, True),
            0,
            None,
            True,
        )
    )
    assert all(torch.equal(a, b) for a, b in zip(rows, twin(logits, ctc_batch), strict=True))
    with pytest.raises(RuntimeError, match="launch sweeps_many: error 1, refused by the twin"):
        launch("sweeps_many", 1, 1, 1024, 0, Args())
