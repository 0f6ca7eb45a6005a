"""The CUDA backend on a device, against float64."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from ctcasr.ctc import ctc_loss, reference
from ctcasr.ctc.batch import CtcBatch, prepare
from ctcasr.ctc.cuda.backend import forward_backward
from ctcasr.ctc.op import ctc_forward_backward

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def draw(seed, batch, frames, classes, labels, scale=1.0, blank=0, **kwargs):
    g = torch.Generator().manual_seed(seed)
    logits = (scale * torch.randn(batch, frames, classes, generator=g)).cuda()
    lengths = torch.randint(0, labels + 1, (batch,), generator=g)
    times = torch.randint(0, frames + 1, (batch,), generator=g)
    lengths[0], times[0] = labels, frames
    targets = torch.randint(0, classes - 1, (batch, labels), generator=g)
    targets += (targets >= blank).long()
    return logits, prepare(logits, targets, times, lengths, blank, **kwargs)


def compare(logits, ctc_batch, tolerance=2e-6):
    ours = forward_backward(logits, ctc_batch, True)
    truth = reference.forward_backward(logits.double().cpu(), ctc_batch, True)
    torch.testing.assert_close(ours.nll.double().cpu(), truth.nll, rtol=3e-7, atol=1e-5)
    assert (ours.grad.double().cpu() - truth.grad).abs().max() <= tolerance
    assert (ours.health < 1e-4).all()


@pytest.mark.parametrize("scale", [0.0, 1.0, 10.0, 100.0])
@pytest.mark.parametrize(
    "batch, frames, classes, labels, blank",
    [
        (1, 1, 2, 1, 0),
        (3, 60, 5, 12, 4),
        (32, 400, 38, 60, 0),
        (8, 1000, 38, 200, 7),
        (4, 300, 5000, 100, 0),
    ],
)
def test_agrees_with_float64(batch, frames, classes, labels, blank, scale):
    logits, ctc_batch = draw(1, batch, frames, classes, labels, scale, blank)
    compare(logits, ctc_batch)


@pytest.mark.parametrize("labels", [0, 1, 15, 16, 127, 128, 255, 256, 257, 1023, 1024, 2047, 2048])
def test_every_width_of_the_lattice(labels):
    logits, ctc_batch = draw(labels, 2, labels + labels // 5 + 21, 11, labels)
    compare(logits, ctc_batch)


@pytest.mark.parametrize("normalize", [True, False])
def test_prior_and_raw_scores(normalize):
    log_prior = torch.randn(20).log_softmax(0)
    logits, ctc_batch = draw(
        2, 8, 200, 20, 40, normalize=normalize, prior=log_prior, prior_weight=0.6
    )
    compare(logits, ctc_batch)


def test_a_prior_on_the_device_stays_there():
    logits, on_host = draw(2, 8, 200, 20, 40, prior=torch.randn(20).log_softmax(0))
    there = dataclasses.replace(on_host, prior=on_host.prior.cuda())
    first = forward_backward(logits, on_host, True)
    torch.cuda.set_sync_debug_mode("error")
    try:
        second = forward_backward(logits, there, True)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_rows_that_do_not_fit_leave_their_neighbours_alone():
    logits, ctc_batch = draw(17, 4, 300, 38, 100)
    sound = forward_backward(logits, ctc_batch, True)
    logits[1] *= 40
    mixed = forward_backward(logits, ctc_batch, True)
    for row in (0, 2, 3):
        assert torch.equal(mixed.nll[row], sound.nll[row])
        assert torch.equal(mixed.grad[row], sound.grad[row])
    compare(logits, ctc_batch)


def test_many_frames():
    logits, ctc_batch = draw(3, 2, 20000, 12, 100)
    compare(logits, ctc_batch, 5e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_computed_in_float32(dtype):
    logits, ctc_batch = draw(4, 8, 300, 40, 60)
    low = forward_backward(logits.to(dtype), ctc_batch, True)
    full = forward_backward(logits.to(dtype).float(), ctc_batch, True)
    assert torch.equal(low.nll, full.nll) and torch.equal(low.grad, full.grad.to(dtype))


def test_same_bits_twice():
    logits, ctc_batch = draw(5, 64, 1000, 38, 200)
    first = forward_backward(logits, ctc_batch, True)
    for _ in range(100):
        again = forward_backward(logits, ctc_batch, True)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_nothing_waits_for_the_device():
    logits, ctc_batch = draw(6, 8, 200, 30, 40)
    forward_backward(logits, ctc_batch, True)
    logits, ctc_batch = draw(16, 8, 200, 30, 40)  # targets that are not on the device yet
    torch.cuda.set_sync_debug_mode("error")
    try:
        forward_backward(logits, ctc_batch, True)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_padding_of_nan_is_never_read():
    logits, ctc_batch = draw(7, 6, 100, 30, 20)
    before = forward_backward(logits, ctc_batch, True)
    for b, frames in enumerate(ctc_batch.input_lengths):
        logits[b, frames:] = math.nan
    after = forward_backward(logits, ctc_batch, True)
    assert torch.equal(before.nll, after.nll) and torch.equal(before.grad, after.grad)


def test_a_forbidden_label_on_the_device_spoils_its_own_row_only():
    logits, ctc_batch = draw(8, 4, 60, 9, 10)
    spoiled = ctc_batch.targets.cuda()
    spoiled[3] = 99
    good = forward_backward(logits, ctc_batch, True)
    rows = forward_backward(
        logits,
        CtcBatch(spoiled, ctc_batch.input_lengths, ctc_batch.target_lengths, 0, checked=False),
        True,
    )
    assert rows.nll[0].isnan() and (rows.grad[0] == 0).all()
    assert torch.equal(rows.nll[1:], good.nll[1:]) and torch.equal(rows.grad[1:], good.grad[1:])


def test_a_graph_replays_on_new_logits():
    logits, ctc_batch = draw(9, 8, 200, 30, 40)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        forward_backward(logits, ctc_batch, True)
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        rows = forward_backward(logits, ctc_batch, True)
    logits.copy_(torch.randn_like(logits))
    graph.replay()
    fresh = forward_backward(logits, ctc_batch, True)
    assert torch.equal(rows.nll, fresh.nll) and torch.equal(rows.grad, fresh.grad)


def test_compiled_step_equals_eager():
    logits, ctc_batch = draw(10, 4, 80, 20, 15)
    lengths = torch.tensor(ctc_batch.input_lengths), torch.tensor(ctc_batch.target_lengths)

    def step(x):
        return ctc_forward_backward(x * 2, ctc_batch.targets, *lengths, 0, None, True, True)[
            0
        ].sum()

    a, b = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    step(a).backward()
    torch.compile(step)(b).backward()
    torch.testing.assert_close(a.grad, b.grad)


def test_more_than_2_to_31_elements():
    free, _ = torch.cuda.mem_get_info()
    if free < 12 * 2**30:
        pytest.skip("needs 12 GiB of device memory")
    batch, frames, classes = 2, 11000, 100000
    logits = torch.zeros(batch, frames, classes, dtype=torch.bfloat16, device="cuda")
    targets = torch.tensor([[5, 99999]] * 2)
    rows = forward_backward(logits, prepare(logits, targets, [5, frames], [2, 2]), True)
    few = ctc_loss(
        torch.zeros(1, frames, 3, device="cuda"),
        torch.tensor([[1, 2]]),
        [frames],
        [2],
        normalize=False,
        reduction="none",
    )
    assert rows.nll[1].item() == pytest.approx(frames * math.log(classes) + few.item(), rel=1e-6)
    assert (rows.grad[0, 5:] == 0).all() and rows.grad[1, frames - 1, 99999] < 0
