"""Long recordings: cuts that cover them, where it is quiet."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.corpora import segment
from ctcasr.data import read_audio, read_manifest, write_manifest
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet

RATE = 8000


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


def test_segments_cover_the_recording_and_hold_its_words(model: Path, tmp_path: Path) -> None:
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
    assert segment.main([*asked, "--shortest", "1", "--longest", "6"]) == 0
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
    with pytest.raises(ValueError, match="expected a confidence, 0 to 1"):
        segment.main([*asked, "--least", "1.1"])
    with pytest.raises(ValueError, match="found no utterance that can be used"):
        segment.main([*asked, "--least", "1"])
    assert read_manifest(tmp_path / "cut.jsonl").utterances == cut  # nothing was lost


def test_a_recording_that_is_not_there_costs_the_others_nothing(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = 0.1 * np.random.default_rng(1).standard_normal(4 * RATE)
    soundfile.write(tmp_path / "long.wav", samples, RATE, subtype="FLOAT")
    lines = [
        {"audio_filepath": str(tmp_path / "none.wav"), "text": "lay red now"},
        {"audio_filepath": str(tmp_path / "long.wav"), "text": "lay red now"},
    ]
    write_manifest(tmp_path / "m.jsonl", lines)
    out = tmp_path / "cut.jsonl"
    assert segment.main([str(model), str(tmp_path / "m.jsonl"), "--out", str(out)]) == 0
    assert len(read_manifest(out)) > 0
    said = capsys.readouterr().out
    assert "recordings left out: 1" in said and "m.jsonl:1" in said


def test_the_manifest_that_is_read_is_not_written_over(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    write_manifest(path, [{"audio_filepath": "a.wav", "text": "lay red now"}])
    with pytest.raises(ValueError, match="expected another file to write"):
        segment.main([str(model), str(path), "--out", str(path)])


@pytest.mark.parametrize("name", ["w.pt", "talk.wav", "SOURCE"])
@pytest.mark.parametrize("source", ["talk.wav --transcript talk.txt", "long.jsonl"])
def test_no_file_of_the_call_or_its_lines_is_written_over(
    model: Path, tmp_path: Path, name: str, source: str
) -> None:
    name = name.replace("SOURCE", source.split()[-1])
    (tmp_path / "w.pt").write_bytes(model.read_bytes())
    soundfile.write(tmp_path / "talk.wav", np.full(RATE, 0.1), RATE)
    (tmp_path / "talk.txt").write_text("red")
    line = {"audio_filepath": str(tmp_path / "talk.wav"), "text": "red"}
    write_manifest(tmp_path / "long.jsonl", [line])
    before = (tmp_path / name).read_bytes()
    words = []
    for word in ["w.pt", *source.split(), "--out", name]:
        words.append(word if word.startswith("--") else str(tmp_path / word))
    with pytest.raises(ValueError, match=r"expected (another file to write|a new file)"):
        segment.main(words)
    assert (tmp_path / name).read_bytes() == before


def test_a_text_without_room_is_told(model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.full(RATE // 4, 0.1), RATE)
    write_manifest(
        tmp_path / "m.jsonl",
        [{"audio_filepath": str(tmp_path / "short.wav"), "text": "far too much " * 9}],
    )
    with pytest.raises(ValueError, match="is it the right transcript"):
        segment.main([str(model), str(tmp_path / "m.jsonl"), "--out", str(tmp_path / "cut.jsonl")])


def test_windows_of_a_long_recording_are_nearly_the_whole(model: Path) -> None:
    recogniser = Recogniser.load(model)
    samples = 0.1 * torch.randn(8 * RATE, generator=torch.Generator().manual_seed(2))
    whole = segment.long_log_probs(recogniser, samples)
    parts = segment.long_log_probs(recogniser, samples, window_s=1.0, beside_s=1.0)
    assert (
        whole.shape == parts.shape == (recogniser.model.frames(len(samples)), 38)
        and float((whole - parts).abs().max()) < 0.1
    )


def test_cuts_take_the_quietest_boundary() -> None:
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


def test_the_quietest_place_is_found() -> None:
    samples = torch.ones(4 * RATE)
    samples[2 * RATE : round(2.3 * RATE)] = 0.001
    pause = segment.quietest(samples, RATE, 1.5, 3.0)
    assert pause.level_db == pytest.approx(-60.0, abs=0.1) and 2.1 <= pause.middle_s <= 2.2
    assert segment.quietest(samples[:10], RATE, 0.0, 0.1) == segment.Pause(0.0, 0.05)


def test_a_recording_without_its_transcript_is_told(model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "talk.flac", np.full(RATE, 0.1), RATE)
    with pytest.raises(ValueError, match=r"talk\.flac: expected a manifest; .* by --transcript"):
        segment.main([str(model), str(tmp_path / "talk.flac"), "--out", str(tmp_path / "m.jsonl")])
