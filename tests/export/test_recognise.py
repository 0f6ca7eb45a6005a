"""ONNX files of recognisers: onnxruntime writes what torch writes, whatever the network."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.checkpoint import CheckpointError
from ctcasr.cli import main
from ctcasr.export import export_onnx_recogniser, export_recogniser
from ctcasr.front import FrontSpec
from ctcasr.recognise import evaluate
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import PRESETS, spec_to
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet, Pieces, Tokenizer

pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")

RATE = 8000
FRONT = FrontSpec(RATE, bands=20, n_fft=256)
SMALL = NetSpec(FRONT, (ConvSpec(2, (5, 3), (2, 2)),), "lstm", layers=2, hidden=8)
SPECS = {
    **{
        f"{'bi' if both else ''}{rnn} {kind}": replace(
            SMALL, rnn=rnn, bidirectional=both, front=replace(FRONT, kind=kind)
        )
        for rnn in ("gru", "lstm", "rnn")
        for both in (False, True)
        for kind in ("mel", "spectrogram")
    },
    "even kernels": replace(
        SMALL, conv=(ConvSpec(3, (4, 3), (3, 2)), ConvSpec(2, (2, 4), (1, 1))), clip=2.0, fc=(9, 7)
    ),
    "no conv": replace(SMALL, conv=(), rnn_norm="none", fc=(9,), fc_norm=False),
    "corpus": replace(
        SMALL, front=replace(FRONT, norm="corpus", high_hz=3000.0), lookahead=3, bidirectional=False
    ),
    "whitened": replace(
        SMALL, front=replace(FRONT, norm="zca"), prior_weight=0.3, rnn_norm="input"
    ),
    "whitened by utterance": replace(
        SMALL, front=replace(FRONT, norm="utterance-zca", floor_db=65.0), rnn_norm="input"
    ),
    "lifted": replace(SMALL, front=replace(FRONT, norm="lifted", lift=0.3, floor_db=65.0)),
    "lifted by all bands": replace(SMALL, front=replace(FRONT, norm="lifted-mean")),
    "mean of the utterance": replace(SMALL, front=replace(FRONT, norm="utterance-mean")),
    "whole windows": replace(
        SMALL, front=replace(FRONT, centred=False, norm="none", power=1.0, log=False)
    ),
    "level-independent": replace(SMALL, front=replace(FRONT, floor_db=65.0)),
    "level-independent amplitude": replace(
        SMALL, front=replace(FRONT, floor_db=65.0, power=1.0, kind="spectrogram", norm="corpus")
    ),
    "decibels": replace(SMALL, front=replace(FRONT, range_db=60.0, window_s=0.032, hop_s=0.008)),
}
LENGTHS = (RATE, 300, 5000, 1, RATE // 2)


def noise(samples: int) -> Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(samples))


def made(spec: NetSpec, tokenizer: Tokenizer | None = None) -> Recogniser:
    """An untrained recogniser with statistics of its own, which writes much."""
    torch.manual_seed(2)
    tokenizer = tokenizer or Alphabet("abc ")
    model = build(spec, tokenizer.size)
    batch = Seq.stack(
        [noise(spec.front.rate_hz), noise(spec.front.rate_hz // 2)], spec.front.rate_hz
    )
    model.front.fit([batch])
    for _ in range(10):
        model(batch)
    with torch.no_grad():
        model.body.head.output.weight.mul_(3.0)
        if model.body.lookahead is not None:
            model.body.lookahead.conv.weight.normal_(0, 0.5)
        if model.prior is not None:
            model.prior.log.normal_()
    return Recogniser(model, tokenizer, spec_to(spec), {"heard": {"files": ["ab"]}})


@pytest.fixture(scope="module", params=SPECS)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recogniser, Recogniser]:
    """A recogniser, and itself from an ONNX file."""
    recogniser = made(SPECS[request.param])
    return recogniser, Recogniser.load(
        export_onnx_recogniser(recogniser, tmp_path_factory.mktemp("onnx") / "r.onnx")
    )


@torch.no_grad()
def test_log_posteriors_lengths_and_clock_are_those_of_torch_in_any_batch(
    pair: tuple[Recogniser, Recogniser],
) -> None:
    recogniser, other = pair
    for lengths in (LENGTHS, LENGTHS[::-1], LENGTHS[:1], (700, 700)):
        samples = Seq.stack([noise(n) for n in lengths], RATE)
        samples.data[~samples.mask] = 7.0  # what lies beyond is not looked at
        wanted, found = recogniser.logits(samples), other.logits(samples)
        assert found.lengths == wanted.lengths and found.rate == wanted.rate
        for row in range(len(lengths)):
            assert (
                not wanted.lengths[row]
                or float((found.row(row) - wanted.row(row).log_softmax(-1)).abs().max()) <= 1e-4
            )


def test_hypotheses_are_the_same(pair: tuple[Recogniser, Recogniser]) -> None:
    sounds = [noise(n) for n in LENGTHS]
    for reader in pair:
        reader.blank_penalty = 0.5
    wanted, found = (reader.transcribe(sounds, RATE) for reader in pair)
    assert [(h.text, h.words, h.tokens) for h in found] == [
        (h.text, h.words, h.tokens) for h in wanted
    ]
    assert [h.score for h in found] == pytest.approx([h.score for h in wanted], abs=0.05) and any(
        h.tokens for h in found
    )


def test_silence_and_a_loud_tone(pair: tuple[Recogniser, Recogniser]) -> None:
    for sound in (torch.zeros(RATE), torch.sin(torch.arange(RATE) * 0.7)):
        wanted, found = (
            reader.logits(Seq.stack([sound], RATE)).row(0).detach().log_softmax(-1)
            for reader in pair
        )
        assert bool(torch.isfinite(found).all()) and float((found - wanted).abs().mean()) < 0.05


@pytest.mark.parametrize("name", ["default", "lifted", "streaming", "report_v_gru_conv"])
def test_presets(name: str, tmp_path: Path) -> None:
    recogniser = made(PRESETS[name])
    other = Recogniser.load(export_onnx_recogniser(recogniser, tmp_path / "r.onnx"))
    samples = Seq.stack([noise(16000), noise(9000)], 16000)
    with torch.no_grad():
        wanted, found = recogniser.logits(samples), other.logits(samples)
    assert (
        max(float((found.row(i) - wanted.row(i).log_softmax(-1)).abs().max()) for i in range(2))
        <= 1e-4
    )


def test_tokenizer_spec_notes_and_times_travel_in_the_file_as_plain_data(tmp_path: Path) -> None:
    for tokenizer in (
        Alphabet("ab c", strict=True),
        Pieces.train(["ab cab ba", "cc ab"], 10, Alphabet("abc ")),
    ):
        recogniser = made(SMALL, tokenizer)
        other = Recogniser.load(export_onnx_recogniser(recogniser, tmp_path / "r.onnx"))
        assert (
            other.tokenizer == tokenizer
            and other.spec == json.loads(json.dumps(spec_to(SMALL)))
            and other.notes == recogniser.notes
        )
        assert (other.rate_hz, other.frame_s) == (RATE, recogniser.frame_s)


def test_what_an_onnx_file_cannot_do_is_told(tmp_path: Path) -> None:
    other = Recogniser.load(
        export_onnx_recogniser(
            made(replace(SMALL, front=replace(FRONT, centred=False))), tmp_path / "r.onnx"
        )
    )
    with pytest.raises(ValueError, match=r"expected a checkpoint \(\.pt\)"):
        other.stream()
    with pytest.raises(ValueError, match="no gradients"):
        other.logits(Seq(noise(RATE)[None].requires_grad_(), (RATE,), Fraction(RATE)))
    with pytest.raises(ValueError, match=r"at 8000 Hz; got .* at 16000 Hz"):
        other.logits(Seq.stack([noise(500)], 16000))


@pytest.mark.parametrize("centred", [True, False])
def test_what_is_shorter_than_a_window_is_heard_as_torch_hears_it(
    centred: bool, tmp_path: Path
) -> None:
    recogniser = made(replace(SMALL, front=replace(FRONT, centred=centred)))
    other = Recogniser.load(export_onnx_recogniser(recogniser, tmp_path / "r.onnx"))
    for count in (1, 255, 256):
        samples = Seq.stack([noise(count)], RATE)
        wanted, found = recogniser.logits(samples), other.logits(samples)
        assert found.lengths == wanted.lengths
        assert torch.allclose(found.row(0), wanted.row(0).log_softmax(-1), atol=1e-4)


def test_files_that_are_none_of_ours_are_told(tmp_path: Path) -> None:
    import onnx

    (tmp_path / "text.onnx").write_text("no model")
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    x, y = (onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "xy")
    onnx.save(
        onnx.helper.make_model(
            onnx.helper.make_graph([node], "g", [x], [y]),
            ir_version=9,
            opset_imports=[onnx.helper.make_opsetid("", 18)],
        ),
        tmp_path / "other.onnx",
    )
    for name, told in (
        ("none.onnx", "no such file"),
        ("text.onnx", "could not read it"),
        ("other.onnx", "metadata lack 'ctcasr'"),
    ):
        with pytest.raises(CheckpointError, match=told):
            Recogniser.load(tmp_path / name)


def test_a_missing_runtime_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"pip install 'ctcasr\[onnx\]', or load the checkpoint"):
        Recogniser.load(tmp_path / "r.onnx")


def test_export_writes_scores_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recogniser = made(SMALL)
    payload = Recogniser.payload(recogniser.model, recogniser.spec, recogniser.tokenizer, {})
    path = checkpoint.save(tmp_path / "best.pt", payload)
    lines = []
    for index, seconds in enumerate((1.0, 0.5)):
        soundfile.write(tmp_path / f"{index}.wav", noise(round(seconds * RATE)).numpy(), RATE)
        lines.append(json.dumps({"audio_filepath": f"{index}.wav", "text": "a b"}))
    lines.append(json.dumps({"audio_filepath": "gone.wav", "text": "a b"}))
    (tmp_path / "m.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert (
        main(
            [
                "export",
                str(path),
                "--to",
                "onnx",
                "--out",
                str(tmp_path / "out"),
                "--test",
                str(tmp_path / "m.jsonl"),
            ]
        )
        == 0
    )
    told = capsys.readouterr().out
    assert all(
        word in told
        for word in ("torch", "recogniser.onnx", "recogniser_int8.onnx", "left out", "2 clips")
    )
    rows = json.loads((tmp_path / "out" / "recogniser_onnx.json").read_text())["runtimes"]
    assert (
        rows[0]["wer"] == rows[1]["wer"]
        and rows[1]["difference"] <= 1e-4
        and all(row["rtf"] > 0 for row in rows)
    )
    assert rows[0]["bytes"] == path.stat().st_size
    file = str(tmp_path / "out" / "recogniser.onnx")
    assert main(["transcribe", str(path), str(tmp_path / "0.wav")]) == 0
    wanted = capsys.readouterr().out
    assert (
        main(["transcribe", file, str(tmp_path / "0.wav")]) == 0
        and capsys.readouterr().out == wanted
    )
    assert (
        main(["evaluate", file, str(tmp_path / "m.jsonl"), "--out", str(tmp_path / "scores")]) == 0
    )


def test_the_test_set_is_scored_as_evaluate_scores_it(tmp_path: Path) -> None:
    recogniser = made(SMALL)
    soundfile.write(tmp_path / "a.wav", noise(RATE).numpy(), RATE)
    sound = tmp_path / "a.wav"
    lines = [Utterance(sound, text="a b"), Utterance(sound, text="日本"), Utterance(sound)]
    exported = export_recogniser(recogniser, "onnx", tmp_path / "out", lines)
    scored = evaluate(recogniser, lines)
    assert exported.runtimes[0].wer == scored.tally.words.rate
    assert exported.skipped == scored.skipped and len(scored.skipped) == 2


def test_export_without_a_test_set_and_to_another_format(tmp_path: Path) -> None:
    recogniser = made(SMALL)
    found = export_recogniser(recogniser, "onnx", tmp_path)
    assert (
        [one.wer for one in found.runtimes] == [None] * 3
        and "give --test" in str(found)
        and found.runtimes[1].difference <= 1e-4
    )
    with pytest.raises(ValueError, match=r"expected onnx .* got 'litert'"):
        export_recogniser(recogniser, "litert", tmp_path)
