"""VoiceBank-DEMAND with its log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.corpora import voicebank
from ctcasr.data import read_manifest


def test_voicebank_is_read_with_its_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("noisy", "clean"):
        (tmp_path / f"{kind}_testset_wav").mkdir()
        for name in ("p232_001", "p257_002"):
            soundfile.write(tmp_path / f"{kind}_testset_wav" / f"{name}.wav", np.zeros(480), 48000)
    (tmp_path / "noisy_testset_wav/._p232_001.wav").write_bytes(b"notes of macOS")
    (tmp_path / "testset_txt").mkdir()
    (tmp_path / "testset_txt" / "p232_001.txt").write_text(
        "Please call Stella.\n", encoding="utf-8"
    )
    (tmp_path / "log_testset.txt").write_text("p232_001 bus 17.5\n", encoding="utf-8")
    assert voicebank.main([str(tmp_path), "--out", str(tmp_path / "t.jsonl")]) == 0
    first, second = read_manifest(tmp_path / "t.jsonl").utterances
    assert (first.text, first.speaker, first.extra["snr_db"], first.extra["noise"]) == (
        "Please call Stella.",
        "p232",
        17.5,
        "bus",
    )
    assert "left out: 1" not in capsys.readouterr().out
    assert second.text is None and Path(second.extra["target_filepath"]).is_file()
