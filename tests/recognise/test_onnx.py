"""A recogniser from an ONNX file; that it computes what torch computes is in tests/export."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ctcasr import Recogniser
from ctcasr.recognise.onnx import OnnxRecogniser
from ctcasr.seq import Seq
from tests.recognise.helpers import RATE, noise, recogniser

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
from ctcasr.export import export_onnx_recogniser


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx_recogniser(recogniser(), tmp_path_factory.mktemp("onnx") / "r.onnx")


def test_load_gives_it_for_an_onnx_file(path: Path) -> None:
    assert isinstance(Recogniser.load(path), OnnxRecogniser)
    assert isinstance(Recogniser.load(str(path)), OnnxRecogniser)


def test_texts_words_and_times_are_those_of_torch(path: Path) -> None:
    sounds = [noise(RATE, 3), noise(5000, 4)]
    wanted = recogniser().transcribe(sounds, RATE)
    for ours, theirs in zip(OnnxRecogniser(path).transcribe(sounds, RATE), wanted, strict=True):
        assert (ours.text, ours.words, ours.tokens) == (theirs.text, theirs.words, theirs.tokens)


def test_what_it_cannot_take_is_told(path: Path) -> None:
    onnx = OnnxRecogniser(path)
    wave = noise(RATE)[None]
    with pytest.raises(ValueError, match="no gradients"):
        onnx.logits(Seq(wave.clone().requires_grad_(), (RATE,), onnx.rate_hz))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"at 8000 Hz; got .* at 16000 Hz"):
        onnx.logits(Seq.stack([wave[0]], 16000))
    with pytest.raises(AttributeError, match="no attribute 'network'"):
        onnx.network  # noqa: B018
    assert onnx.device == torch.device("cpu")
