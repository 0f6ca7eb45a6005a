"""LiteRT files; that they compute what torch computes is in test_artefact, with the extra."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ctcasr.export.litert import _dequantised, _quantised, export_litert
from tests.export.conftest import network


def test_without_litert_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(ImportError, match=r"pip install 'ctcasr\[litert\]'"):
        export_litert(network(), torch.zeros(1, 1, 20, 30), [], tmp_path, "net")


def test_eight_bits_there_and_back_are_off_by_half_a_step() -> None:
    details = {"dtype": np.int8, "quantization": (0.02, 5)}
    values = np.linspace(-2.5, 2.3, 50, dtype=np.float32)
    steps = _quantised(values, details)
    assert steps.dtype == np.int8
    assert np.abs(_dequantised(steps, details) - values).max() <= 0.0101


def test_what_lies_beyond_the_range_is_its_end_and_floats_pass() -> None:
    details = {"dtype": np.int8, "quantization": (0.02, 5)}
    assert _quantised(np.array([-100.0, 100.0]), details).tolist() == [-128, 127]
    floats = np.array([0.5], np.float32)
    assert _quantised(floats, {"dtype": np.float32}) is floats
    assert _dequantised(floats, {"quantization": (0.0, 0)}) is floats
