"""Weights in 8 bits: smaller files, nearly the same posteriors, features untouched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ctcasr.recognise.recogniser import Recogniser
from ctcasr.seq import Seq
from tests.export.test_recognise import LENGTHS, RATE, SMALL, made, noise

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
from ctcasr.export import export_onnx_recogniser
from ctcasr.export.eight_bits import quantise


@pytest.mark.parametrize("rnn", ["gru", "lstm", "rnn"])
def test_eight_bits_are_smaller_and_nearly_the_same(rnn: str, tmp_path: Path) -> None:
    recogniser = made(replace(SMALL, rnn=rnn, hidden=128))
    plain = export_onnx_recogniser(recogniser, tmp_path / "r.onnx")
    small = quantise(plain, tmp_path / "s.onnx")
    weights = sum(p.numel() for p in recogniser.model.body.rnn.parameters())
    assert plain.stat().st_size - small.stat().st_size > 2.5 * weights
    samples = Seq.stack([noise(n) for n in LENGTHS], RATE)
    wanted, found = (Recogniser.load(path).logits(samples) for path in (plain, small))
    for row in range(len(LENGTHS)):
        assert float((found.row(row).exp() - wanted.row(row).exp()).abs().mean()) < 0.05
    assert Recogniser.load(small).tokenizer == recogniser.tokenizer


def test_what_comes_before_the_first_recurrent_layer_stays_as_it_is(tmp_path: Path) -> None:
    import onnx

    plain = export_onnx_recogniser(made(SMALL), tmp_path / "r.onnx")
    small = quantise(plain, tmp_path / "s.onnx")
    fronts = []
    for path in (plain, small):
        kinds = [node.op_type for node in onnx.load(path).graph.node]
        first = next(i for i, kind in enumerate(kinds) if "LSTM" in kind)
        fronts.append([kind for kind in kinds[:first] if kind in ("MatMul", "Conv", "Log")])
    assert fronts[0] == fronts[1] and "MatMul" in fronts[0]
