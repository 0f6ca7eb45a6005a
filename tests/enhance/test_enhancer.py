"""Files in, enhanced files out, signed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.batch import Skip, Utterance
from ctcasr.cli import main
from ctcasr.enhance.enhancer import Enhancer, enhance_files
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import ENHANCERS, enhancer_to

SPEC = ENHANCERS["mask_tiny"]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return checkpoint.save(
        tmp_path / "model" / "best.pt",
        Enhancer.payload(build_enhancer(SPEC), enhancer_to(SPEC), {"listener": "abc"}),
    )


def sound(path: Path, rate_hz: int = 16000, count: int = 4001, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = 0.1 * np.random.default_rng(0).standard_normal((count, channels))
    soundfile.write(path, data, rate_hz)
    return path


def test_loaded_it_does_the_same(saved: Path) -> None:
    torch.manual_seed(0)
    fresh, loaded = Enhancer(build_enhancer(SPEC), enhancer_to(SPEC), {}), Enhancer.load(saved)
    x = 0.1 * torch.randn(3000)
    assert torch.equal(fresh.enhance(x, 16000), loaded.enhance(x, 16000))
    assert loaded.name["listener"] == "abc" and loaded.name["checkpoint"] == "best.pt"


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_rate_and_length_are_kept(saved: Path, tmp_path: Path, rate_hz: int) -> None:
    path = sound(tmp_path / "in.wav", rate_hz, 5003, channels=2)
    assert main(["enhance", str(saved), str(path), str(tmp_path / "out.wav")]) == 0
    found = soundfile.info(tmp_path / "out.wav")
    assert (found.samplerate, found.frames, found.channels) == (rate_hz, 5003, 1)


def test_a_folder_keeps_its_shape_and_is_signed(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    sound(source / "a.wav")
    sound(source / "deep" / "b.flac")
    (source / "bad.wav").write_bytes(b"nothing")
    assert main(["enhance", str(saved), str(source), str(out)]) == 1
    told = capsys.readouterr()
    assert "2 files enhanced, 1 could not be read" in told.out and "bad.wav" in told.err
    assert soundfile.info(out / "deep" / "b.flac").frames == 4001
    signed = json.loads((out / "enhanced_by.json").read_text())
    assert (
        signed["checkpoint"] == "best.pt"
        and len(signed["fingerprint"]) == 16
        and signed["network"] == "mask"
    )
    assert (out / "deep" / "enhanced_by.json").is_file()


def test_utterances_go_by_their_ids(saved: Path, tmp_path: Path) -> None:
    path = sound(tmp_path / "long.wav")
    lines = [Utterance(path), Utterance(path, 0.1, offset=0.05), Utterance(tmp_path / "gone.wav")]
    done = enhance_files(saved, lines, tmp_path / "out")
    assert [one.name for one in done if isinstance(one, Path)] == ["long.wav", "long@0.05.wav"]
    assert isinstance(done[2], Skip)
    assert soundfile.info(tmp_path / "out" / "long@0.05.wav").frames == 1600


def test_originals_are_never_replaced(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sound(tmp_path / "in" / "a.wav")
    before = path.read_bytes()
    assert main(["enhance", str(saved), str(path), str(path)]) == 1
    assert main(["enhance", str(saved), str(path.parent), str(path.parent)]) == 1
    assert path.read_bytes() == before and "never replace" in capsys.readouterr().err


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    other = checkpoint.save(tmp_path / "other.pt", {"kind": "recogniser"})
    with pytest.raises(checkpoint.CheckpointError, match="expected an enhancer"):
        Enhancer.load(other)
