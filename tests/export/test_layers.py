"""Layers as ONNX nodes; that whole networks compute what torch computes is in test_recognise."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ctcasr.front import FrontSpec, Mel, build_extract
from ctcasr.front.spectrogram import FLOOR
from ctcasr.seq import Framing, Seq

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
from ctcasr.export.graph import Graph, Value
from ctcasr.export.layers import count, features, mask_of, windowed_waves

RATE = 8000
EXTRACT = build_extract(FrontSpec(RATE, bands=20, n_fft=256))


def run(
    graph: Graph, path: Path, inputs: dict[str, Any], output: Value, kind: str, data: dict
) -> Any:  # type: ignore[type-arg]
    import onnxruntime

    rank = {"float": ["batch", "steps", 20], "int64": ["batch"]}[kind]
    graph.save(path, inputs, {"out": (kind, rank)}, {"out": output}, {})
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, data)[0]


def noise(samples: int) -> torch.Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(samples))


def test_the_transform_is_as_exact_as_torchs(tmp_path: Path) -> None:
    assert isinstance(EXTRACT, Mel)
    graph = Graph()
    samples = torch.stack([noise(RATE), noise(RATE + 1)[:-1]])
    inputs = {"samples": ("float", ["batch", "time"]), "lengths": ("int64", ["batch"])}
    level = features(EXTRACT, graph.input("samples"), graph.input("lengths")).data
    data = {"samples": samples.numpy(), "lengths": np.array([RATE, RATE])}
    own = run(graph, tmp_path / "f.onnx", inputs, level, "float", data)
    padded = torch.nn.functional.pad(samples.double(), (128, 128))
    window = torch.hann_window(EXTRACT.win, dtype=torch.float64)
    spectrum = torch.stft(
        padded, 256, EXTRACT.hop, EXTRACT.win, window, center=False, return_complex=True
    )
    power = spectrum.abs().square().transpose(1, 2)
    exact = (power @ EXTRACT.filters.double() + FLOOR).log()
    torchs = EXTRACT(Seq(samples, (RATE, RATE), Fraction(RATE))).data
    error, wanted = (float((one - exact).abs().max()) for one in (torch.from_numpy(own), torchs))
    assert error <= 2 * wanted + 1e-6


def test_waves_are_those_of_a_discrete_fourier_transform() -> None:
    piece = noise(EXTRACT.win).double().numpy()
    parts = piece @ windowed_waves(EXTRACT)
    margin = (EXTRACT.n_fft - EXTRACT.win) // 2
    windowed = np.zeros(EXTRACT.n_fft)
    windowed[margin : margin + EXTRACT.win] = piece * EXTRACT.window.double().numpy()
    exact = np.fft.rfft(windowed)
    assert np.allclose(parts, np.concatenate((exact.real, exact.imag)), atol=1e-9)


@pytest.mark.parametrize(
    "framing", [Framing(5, 2, 2, 2), Framing(256, 80), Framing(1, 3), Framing(3, 1, 1, 1)]
)
def test_frames_are_counted_as_framing_counts_them(framing: Framing, tmp_path: Path) -> None:
    lengths = np.array([0, 1, 2, 4, 5, 79, 255, 256, 257, 8000])
    graph = Graph()
    counted = count(framing, graph.input("lengths"))
    data = {"lengths": lengths}
    inputs = {"lengths": ("int64", ["batch"])}
    found = run(graph, tmp_path / "c.onnx", inputs, counted, "int64", data)
    assert found.tolist() == [framing.count(int(length)) for length in lengths]


def test_a_mask_is_true_on_real_elements(tmp_path: Path) -> None:
    graph = Graph()
    inputs = {"x": ("float", ["batch", "time"]), "lengths": ("int64", ["batch"])}
    as_counts = mask_of(graph.input("x"), graph.input("lengths")).integers()
    total = graph("ReduceSum", as_counts, [1], keepdims=0)
    data = {"x": np.zeros((3, 6), np.float32), "lengths": np.array([0, 4, 6])}
    assert run(graph, tmp_path / "m.onnx", inputs, total, "int64", data).tolist() == [0, 4, 6]
