"""The language model and decoding tools, end to end on small made-up things."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.data import read_audio, read_manifest, write_manifest
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet, NGram

TOOLS = Path(__file__).resolve().parents[2] / "tools"
RATE = 8000


def segment_tool() -> Any:
    return importlib.import_module("ctcasr.corpora.segment")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """run("train_lm"): the module of tools/train_lm.py."""
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained recogniser: what it hears is nonsense, but the same nonsense every time."""
    torch.manual_seed(4)
    spec = NetSpec(
        FrontSpec(RATE, bands=20, n_fft=256), (ConvSpec(2, (3, 3), (2, 2)),), layers=1, hidden=8
    )
    net = build(spec, Alphabet.english38().size)
    net(Seq.stack([0.1 * torch.randn(RATE), 0.1 * torch.randn(RATE)], RATE))
    return checkpoint.save(
        tmp_path_factory.mktemp("lm") / "best.pt",
        Recogniser.payload(net, spec_to(spec), Alphabet.english38(), {}),
    )


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    lines = []
    for index, text in enumerate(["lay red now", "Lay blue", "set red", "set blue now", "lay red"]):
        soundfile.write(tmp_path / f"{index}.wav", 0.1 * draw.standard_normal(2 * RATE), RATE)
        lines.append(
            {"audio_filepath": str(tmp_path / f"{index}.wav"), "duration": 2.0, "text": text}
        )
    write_manifest(tmp_path / "m.jsonl", lines)
    return tmp_path / "m.jsonl"


def test_train_tune_and_bench(
    run: Callable[..., Any],
    manifest: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "more.txt").write_text("set green again\n\n")
    arpa = tmp_path / "lm.arpa"
    inputs = [str(manifest), str(tmp_path / "more.txt")]
    assert (
        run("train_lm").main([*inputs, "--order", "2", "--test", str(manifest), "--out", str(arpa)])
        == 0
    )
    told = capsys.readouterr().out
    assert NGram.read(arpa).words == {"lay", "red", "now", "blue", "set", "green", "again"}
    assert (
        "from 6 sentences" in told
        and "0.5000 1.0000 1.5000 (fallback" in told
        and "m.jsonl: perplexity" in told
    )

    tune = [
        "--lm",
        str(arpa),
        "--lexicon",
        "lm",
        "--weights",
        "0,1",
        "--bonuses",
        "0,2",
        "--beam",
        "8",
    ]
    assert run("tune_lm").main([str(model), str(manifest), *tune]) == 0
    assert "best: --lm-weight" in capsys.readouterr().out
    assert (
        run("bench.decode").main([str(model), str(manifest), "--lm", str(arpa), "--beam", "4"]) == 0
    )
    assert "lexicon + LM" in capsys.readouterr().out


def test_held_out_lines_are_not_learnt(run: Callable[..., Any], manifest: Path) -> None:
    texts_of = run("train_lm").texts_of
    train, held = texts_of(manifest, 0.4, 1)
    assert (
        len(train) == 3 and len(held) == 2 and sorted(train + held) == sorted(texts_of(manifest)[0])
    )


def test_segments_cover_the_recording_and_hold_its_words(
    run: Callable[..., Any], model: Path, tmp_path: Path
) -> None:
    samples = 0.1 * np.random.default_rng(1).standard_normal(20 * RATE)
    soundfile.write(tmp_path / "long.wav", samples, RATE, subtype="FLOAT")
    text = "lay red now set blue again bin white at a one soon"
    (tmp_path / "long.txt").write_text(text.upper())
    asked = [
        str(model),
        str(tmp_path / "long.wav"),
        "--transcript",
        str(tmp_path / "long.txt"),
        "--out",
        str(tmp_path / "cut.jsonl"),
    ]
    assert segment_tool().main([*asked, "--shortest", "1", "--longest", "6"]) == 0
    cut = read_manifest(tmp_path / "cut.jsonl").utterances
    assert " ".join(u.text or "" for u in cut) == text and cut[0].offset == 0.0
    for one, after in itertools.pairwise(cut):
        assert one.offset + (one.duration or 0.0) == pytest.approx(after.offset, abs=0.002)
    assert cut[-1].offset + (cut[-1].duration or 0.0) == pytest.approx(20.0, abs=0.002)
    for one in cut:
        assert (
            0 <= one.extra["worst_word"] <= one.extra["confidence"] <= 1
            and len(read_audio(one, RATE)) > 0
        )
    assert segment_tool().main([*asked, "--least", "1.1"]) == 0
    assert (tmp_path / "cut.jsonl").read_text() == ""


def test_a_text_without_room_is_told(run: Callable[..., Any], model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.full(RATE // 4, 0.1), RATE)
    write_manifest(
        tmp_path / "m.jsonl",
        [{"audio_filepath": str(tmp_path / "short.wav"), "text": "far too much " * 9}],
    )
    with pytest.raises(ValueError, match="is it the right transcript"):
        segment_tool().main(
            [str(model), str(tmp_path / "m.jsonl"), "--out", str(tmp_path / "cut.jsonl")]
        )


def test_windows_of_a_long_recording_are_nearly_the_whole(
    run: Callable[..., Any], model: Path
) -> None:
    recogniser = Recogniser.load(model)
    samples = 0.1 * torch.randn(8 * RATE, generator=torch.Generator().manual_seed(2))
    whole = segment_tool().long_log_probs(recogniser, samples)
    parts = segment_tool().long_log_probs(recogniser, samples, window_s=1.0, beside_s=1.0)
    assert (
        whole.shape == parts.shape == (recogniser.model.frames(len(samples)), 38)
        and float((whole - parts).abs().max()) < 0.1
    )


def test_cuts_take_the_quietest_boundary(run: Callable[..., Any]) -> None:
    segment = segment_tool()
    words = [
        segment.Spoken(str(n), start, start + 4, (0.0,))
        for n, start in enumerate([0, 6, 20, 26, 32, 38])
    ]
    levels = [-20.0, -60.0, -20.0, -70.0, -20.0]
    assert segment.cut_points(words, levels, 5, 29) == [(0, 2), (2, 6)]
    assert segment.cut_points(words, levels, 5, 100) == [(0, 6)]
    assert segment.cut_points(words, levels, 15, 35) == [(0, 4), (4, 6)]
    assert segment.cut_points(words, levels, 5, 3) == [
        (n, n + 1) for n in range(6)
    ]  # each word is longer than allowed
    assert segment.cut_points([], [], 1, 2) == []


def test_the_quietest_place_is_found(run: Callable[..., Any]) -> None:
    samples = torch.ones(4 * RATE)
    samples[2 * RATE : round(2.3 * RATE)] = 0.001
    level, at_s = segment_tool().quietest(samples, RATE, 1.5, 3.0)
    assert level == pytest.approx(-60.0, abs=0.1) and 2.1 <= at_s <= 2.2
    assert segment_tool().quietest(samples[:10], RATE, 0.0, 0.1) == (0.0, 0.05)
