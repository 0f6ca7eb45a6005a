"""Specs become networks: presets, and no trace of batch mates in any of them."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from ctcasr.front import CorpusNorm, FrontSpec
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.spec import PRESETS, read_spec
from ctcasr.seq import Seq
from ctcasr.specs import LIPS, ConvSpec, NetSpec

OTHERS = {
    "tiny": NetSpec(FrontSpec(8000, bands=20, n_fft=256), layers=1, hidden=8),
    "amplitude": NetSpec(
        FrontSpec(8000, kind="spectrogram", n_fft=256, power=1.0),
        rnn="rnn",
        layers=1,
        hidden=8,
        bidirectional=False,
    ),
    "whitened": NetSpec(
        FrontSpec(8000, bands=20, n_fft=256, norm="zca"),
        (ConvSpec(2, (4, 3), (3, 1)),),
        layers=2,
        hidden=8,
        clip=20.0,
    ),
    "corpus": NetSpec(
        FrontSpec(8000, bands=20, n_fft=256, norm="corpus", log=False),
        fc=(9, 7),
        layers=1,
        hidden=8,
        rnn_norm="none",
    ),
    "raw": NetSpec(
        FrontSpec(8000, bands=20, n_fft=256, norm="none"), rnn="lstm", layers=1, hidden=8
    ),
}
HEARS = {name: spec for name, spec in PRESETS.items() if spec.front.kind != LIPS}
SPECS = {**HEARS, **OTHERS}


def audio(spec: NetSpec, *seconds: float) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [
        0.1 * torch.randn(max(1, round(s * spec.front.rate_hz)), generator=draw) for s in seconds
    ]


def made(name: str) -> SpeechModel:
    """The network as if it had been trained a little, in evaluation."""
    torch.manual_seed(0)
    spec = SPECS[name]
    model = build(spec, 38)
    batch = Seq.stack(audio(spec, 0.5, 0.4), spec.front.rate_hz)
    model.front.fit([batch])
    for _ in range(3):
        model(batch)
    return model.eval()


@pytest.mark.parametrize("name", SPECS)
@torch.no_grad()
def test_an_utterance_gives_the_same_logits_alone_and_in_a_batch(name: str) -> None:
    model, spec = made(name), SPECS[name]
    rows = audio(spec, 0.31, 0.5, 0.1, 0.0)
    together = model(Seq.stack(rows, spec.front.rate_hz))
    more = Seq(
        nn.functional.pad(Seq.stack(rows, spec.front.rate_hz).data, (0, 4001), value=3.0),
        tuple(map(len, rows)),
        together.rate * 0 + spec.front.rate_hz,
    )
    padded = model(more)
    for index, row in enumerate(rows):
        alone = model(Seq.stack([row], spec.front.rate_hz))
        assert alone.lengths == (model.frames(len(row)),) == (together.lengths[index],)
        assert float((together.row(index) - alone.row(0)).abs().max()) <= 1e-5
        assert float((padded.row(index) - alone.row(0)).abs().max()) <= 1e-5


@pytest.mark.parametrize("change", ["", "front.centred=false", "hidden=20", "lookahead=3"])
def test_a_batch_of_nothing_gives_nothing_and_moves_nothing(change: str) -> None:
    model = build(read_spec(f"default layers=1 hidden=32 {change}"), 38)
    model.front.fit([Seq.stack([torch.ones(600)], 16000)])
    logits = model(Seq.stack([torch.zeros(0), torch.zeros(0)], 16000))
    assert logits.lengths == (0, 0)
    logits.zero_padding().data.sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is None or not bool(parameter.grad.any()), name


@pytest.mark.parametrize("name", SPECS)
def test_the_clock_of_the_logits(name: str) -> None:
    model, spec = made(name), SPECS[name]
    with torch.no_grad():
        out = model(Seq.stack(audio(spec, 0.3), spec.front.rate_hz))
    assert float(1 / out.rate) == pytest.approx(model.frame_s)
    assert out.data.shape == (1, model.frames(round(0.3 * spec.front.rate_hz)), 38)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("report_v_gru", 187_048),
        ("report_v_bigru", 352_040),
        ("report_v_lstm", 236_584),
        ("report_v_bilstm", 451_112),
        ("report_v_1024_gru", 285_864),
        ("report_v_1024_bigru", 549_160),
        ("report_v_1024_lstm", 368_168),
        ("report_v_1024_bilstm", 713_768),
    ],
)
def test_parameter_counts_of_the_published_networks(name: str, count: int) -> None:
    assert sum(p.numel() for p in build(PRESETS[name], 38).parameters()) == count


def test_every_published_network_is_there_with_and_without_conv() -> None:
    names = [name for name in PRESETS if name.startswith("report_v")]
    assert len(names) == 16
    for name in names:
        convs = len(build(PRESETS[name], 38).body.conv.layers)
        assert convs == (1 if name.endswith("_conv") else 0)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            NetSpec(FrontSpec(kind="mfcc")),
            "front.kind: expected 'mel' or 'spectrogram'; got 'mfcc'",
        ),
        (NetSpec(FrontSpec(norm="batch")), "front.norm: expected .*'lifted-mean'; got 'batch'"),
        (NetSpec(rnn="qrnn"), "kind of RNN; got 'qrnn'"),
        (NetSpec(rnn_norm="all"), "norm 'every', 'input' or 'none'; got 'all'"),
    ],
)
def test_unknown_words_raise(spec: NetSpec, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        build(spec, 38)


@pytest.mark.parametrize("norm", ["corpus", "pca", "zca", "utterance-zca", "lifted"])
def test_corpus_statistics_are_needed_and_travel_in_the_state(norm: str) -> None:
    spec = dataclasses.replace(
        OTHERS["tiny"], front=FrontSpec(8000, bands=20, n_fft=256, norm=norm)
    )
    model, twin = build(spec, 5), build(spec, 5)
    batch = Seq.stack(audio(spec, 0.5, 0.4), 8000)
    assert model.front.needs_statistics and isinstance(model.front.norm, CorpusNorm)
    with pytest.raises(RuntimeError, match="statistics are missing"):
        model(batch)
    model.front.fit([batch])
    twin.load_state_dict(model.state_dict())
    assert not twin.front.needs_statistics
    assert torch.equal(model.eval()(batch).data, twin.eval()(batch).data)


def test_logits_are_differentiable_down_to_the_samples() -> None:
    for name in ("default", "tiny", "whitened"):
        model, spec = made(name), SPECS[name]
        x = Seq.stack(audio(spec, 0.3), spec.front.rate_hz)
        x.data.requires_grad_()
        model(x).data.square().sum().backward()
        assert (
            x.data.grad is not None
            and bool(torch.isfinite(x.data.grad).all())
            and bool(x.data.grad.any())
        )


def test_the_gain_of_a_recording_changes_nothing() -> None:
    spec = dataclasses.replace(PRESETS["default"], layers=1, hidden=32)
    model = build(spec, 5).eval()
    samples = Seq.stack(audio(spec, 1.0), spec.front.rate_hz)
    loud = model(samples).data
    for gain_db in (-60.0, -20.0, 6.0):
        quieter = samples.with_data(samples.data * 10 ** (gain_db / 20))
        torch.testing.assert_close(model(quieter).data, loud, atol=1e-3, rtol=1e-3)
