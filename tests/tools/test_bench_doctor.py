"""The benchmark of doctoring: both trainings run to their ends, and the difference is told."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.data import write_manifest

BENCH = Path(__file__).resolve().parents[2] / "tools" / "bench"


@pytest.mark.parametrize("norm", ["utterance", "corpus"])
def test_a_training_with_the_doctor_and_one_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], norm: str
) -> None:
    draw = np.random.default_rng(0)
    lines = []
    for index in range(6):
        path = tmp_path / f"{index}.wav"
        soundfile.write(path, 0.1 * draw.standard_normal(16000), 16000)
        lines.append({"audio_filepath": str(path), "text": "a b", "duration": 1.0})
    write_manifest(tmp_path / "m.jsonl", lines)
    monkeypatch.syspath_prepend(str(BENCH))
    net = f"default conv=[] layers=1 hidden=32 front.bands=8 front.norm={norm}"
    arguments = ["doctor.py", str(tmp_path / "m.jsonl"), "--net", net, "--epochs", "1"]
    monkeypatch.setattr(sys, "argv", arguments)
    importlib.import_module("doctor").main()
    assert "doctoring costs" in capsys.readouterr().out
