"""`ctcasr enhance`: as many files as there are sounds, beside a word on what was not one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from ctcasr import checkpoint
from ctcasr.cli import main
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import ENHANCERS, enhancer_to, read_enhancer


@pytest.fixture
def enhancer(tmp_path: Path) -> Path:
    spec = ENHANCERS["mask_tiny"]
    payload = Enhancer.payload(build_enhancer(spec), enhancer_to(spec), {})
    return checkpoint.save(tmp_path / "enhancer" / "best.pt", payload)


def test_a_folder_is_enhanced_and_counted(
    enhancer: Path, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in "ab":
        (tmp_path / f"{name}.wav").rename(source / f"{name}.wav")
    (source / "notes.txt").write_text("no sound")
    assert main(["enhance", str(enhancer), str(source), str(tmp_path / "out")]) == 0
    assert "2 files enhanced" in capsys.readouterr().out
    for name in "ab":
        before = soundfile.info(source / f"{name}.wav")
        after = soundfile.info(tmp_path / "out" / f"{name}.wav")
        assert (before.frames, before.samplerate) == (after.frames, after.samplerate)


def test_nothing_to_enhance_is_a_sentence(
    enhancer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enhance", str(enhancer), str(tmp_path / "none"), str(tmp_path / "o")]) == 1
    assert "none" in capsys.readouterr().err


def test_a_manifest_is_enhanced_under_its_names(
    enhancer: Path, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.dumps({"audio_filepath": f"{name}.wav"}) for name in "ab"]
    (tmp_path / "lines.jsonl").write_text("\n".join(lines) + "\n")
    manifest = str(tmp_path / "lines.jsonl")
    out = str(tmp_path / "out")
    assert main(["enhance", str(enhancer), manifest, out]) == 0
    assert {path.name for path in (tmp_path / "out").glob("*.wav")} == {"a.wav", "b.wav"}
    (tmp_path / "lines.jsonl").rename(tmp_path / "lines.json")  # as NeMo's are called
    manifest = str(tmp_path / "lines.json")
    assert main(["enhance", str(enhancer), manifest, out]) == 0
    assert main(["enhance", str(enhancer), manifest, out, "--show", "shuffled"]) == 1
    assert "only hears" in capsys.readouterr().err
    assert main(["enhance", str(enhancer), manifest, out, "--video", str(tmp_path)]) == 1
    assert "name their videos" in capsys.readouterr().err


def test_a_network_that_sees_tells_how_often_it_saw_nothing(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = read_enhancer("av_mask av_mask.mask.hidden=8")
    payload = Enhancer.payload(build_enhancer(spec), enhancer_to(spec), {})
    seeing = str(checkpoint.save(tmp_path / "seeing.pt", payload))
    lines = [
        json.dumps({"audio_filepath": "a.wav", "video_filepath": "gone.mp4"}),
        json.dumps({"audio_filepath": "b.wav"}),
    ]
    (tmp_path / "lines.jsonl").write_text("\n".join(lines) + "\n")
    flags = ["enhance", seeing, str(tmp_path / "lines.jsonl"), str(tmp_path / "out")]
    assert main(flags) == 0
    told = capsys.readouterr().out
    assert "2 of 2 without a video that could be read" in told and "gone.mp4" in told
    assert main([*flags, "--show", "zeroed"]) == 0
    assert "without a video" not in capsys.readouterr().out


def test_a_video_for_a_network_that_only_hears_is_refused(
    enhancer: Path, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["enhance", str(enhancer), str(tmp_path / "a.wav"), str(tmp_path / "out.wav")]
    assert main([*flags, "--video", str(tmp_path)]) == 1
    assert "--video" in capsys.readouterr().err and not (tmp_path / "out.wav").exists()
