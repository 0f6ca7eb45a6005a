"""The streaming benchmark, end to end on a small untrained network."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.data import write_manifest
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.specs import NetSpec
from ctcasr.text import Alphabet


def test_it_tells_time_latency_and_whether_the_whole_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "tools" / "bench"))
    main = importlib.import_module("stream").main
    spec = NetSpec(
        FrontSpec(8000, bands=20, n_fft=256, norm="none"),
        (),
        layers=1,
        hidden=8,
        bidirectional=False,
        lookahead=2,
    )
    path = checkpoint.save(
        tmp_path / "best.pt",
        Recogniser.payload(build(spec, 5), spec_to(spec), Alphabet("ab c"), {}),
    )
    soundfile.write(tmp_path / "a.wav", (0.1 * torch.randn(8000)).numpy(), 8000)
    manifest = tmp_path / "m.jsonl"
    write_manifest(manifest, [Utterance(tmp_path / "a.wav", text="a b")])
    main([str(path), str(manifest), "--chunk-s", "0.05"])
    told = capsys.readouterr().out
    assert "1 recordings" in told and "latency 36 ms" in told and "1 of 1 texts" in told
    with pytest.raises(ValueError, match="at least one sample"):
        main([str(path), str(manifest), "--chunk-s", "0"])
