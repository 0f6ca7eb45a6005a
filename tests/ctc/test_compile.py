"""Kernels compiled ahead: nothing is left to compile for a first call."""

from __future__ import annotations

import torch

from ctcasr.ctc import (
    BeamSearch,
    _cpu_align,
    _cpu_beam,
    _cpu_logspace,
    _cpu_rows,
    _cpu_spell,
    ctc_loss,
    forced_align,
)
from ctcasr.ctc.compile import compile_kernels


def test_what_was_compiled_ahead_serves_real_calls():
    assert set(compile_kernels()) == {
        "loss float32",
        "loss float64",
        "loss in log space",
        "beam search",
        "forced alignment",
    }
    kernels = (
        _cpu_rows.run_rows,
        _cpu_logspace.run_logspace,
        _cpu_beam.search,
        _cpu_spell.spell,
        _cpu_align.align_rows,
    )
    compiled = [len(kernel.signatures) for kernel in kernels]
    assert all(compiled)
    logits = torch.randn(3, 20, 7)
    ctc_loss(logits - torch.inf, torch.tensor([[1, 2]] * 3), [20, 19, 18], [2, 2, 1])
    forced_align(logits, torch.tensor([[1, 2]] * 3), [20, 19, 18], [2, 2, 1])
    BeamSearch(beam=4, nbest=2)(logits, [20, 19, 18])
    assert [len(kernel.signatures) for kernel in kernels] == compiled
