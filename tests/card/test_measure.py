"""Timing and memory: as many runs as asked for, less where time is short, nothing left behind."""

from __future__ import annotations

import pytest
import torch

from ctcasr.card import find_subject
from ctcasr.card.measure import latency, memory


def test_runs_are_counted_and_time_is_limited() -> None:
    subject = find_subject("mask_tiny")
    clip = subject.clip(subject.rate_hz // 4)
    timing = latency(subject, clip, runs=4)
    assert timing.runs == 4 and timing.clip_s == 0.25
    assert 0 < timing.p50_s <= timing.p95_s
    assert timing.real_time_factor == pytest.approx(timing.p50_s / 0.25)
    assert latency(subject, clip, runs=50, longest_s=0.0).runs == 1


def test_memory_leaves_the_network_as_it_was() -> None:
    subject = find_subject("kws_cnn")
    before = {name: tensor.clone() for name, tensor in subject.model.state_dict().items()}
    sizes = memory(subject, subject.clip(16000), batch=2)
    assert sizes.training_batch == 2 and sizes.training_gpu_peak_bytes is None
    assert all(parameter.grad is None for parameter in subject.model.parameters())
    for name, tensor in subject.model.state_dict().items():
        assert torch.equal(tensor, before[name])
    if sizes.loaded_bytes is not None and sizes.training_peak_bytes is not None:
        assert sizes.training_peak_bytes >= 1e7
