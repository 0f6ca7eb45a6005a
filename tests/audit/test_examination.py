"""From a manifest to an audit, by a checkpoint or by training."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from ctcasr import checkpoint
from ctcasr.audit import Training, audit_by_checkpoint, audit_by_training
from ctcasr.data import ManifestError
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from tests.recognise.helpers import ALPHABET, RATE, SMALL, network, noise


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rows = []
    for number in range(41):
        soundfile.write(tmp_path / f"u{number}.wav", noise(3200, seed=number).numpy(), RATE)
        text = "ab c" if number % 2 else "c ba"
        rows.append(f'{{"audio_filepath": "u{number}.wav", "duration": 0.4, "text": "{text}"}}')
    rows.append("no line")
    rows.append('{"audio_filepath": "none.wav", "text": "a"}')
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    path = tmp_path / "best.pt"
    payload = Recogniser.payload(network(), spec_to(SMALL), ALPHABET, {})
    checkpoint.save(path, payload)
    return path


def test_a_checkpoint_judges_all_that_can_be_heard(manifest, trained):
    audit = audit_by_checkpoint(manifest, trained)
    assert len(audit.lines) == 41 and audit.dynamics == {}
    assert sorted(skip.where for skip in audit.skipped) == ["m.jsonl:42", "m.jsonl:43"]


def test_without_one_it_is_trained(manifest):
    net = "default conv=[] layers=1 hidden=4 front.rate_hz=8000"
    audit = audit_by_training(manifest, Training(net=net, epochs=1, device="cpu"))
    assert len(audit.lines) == 41 and len(audit.skipped) == 2
    assert audit.plain_line(audit.lines[0])["training_losses"]


def test_nothing_to_judge_is_told_with_the_reason(tmp_path, trained):
    path = tmp_path / "m.jsonl"
    path.write_text('{"audio_filepath": "none.wav", "text": "a"}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"none can be judged.*none\.wav"):
        audit_by_checkpoint(path, trained)
    with pytest.raises(ManifestError):
        audit_by_checkpoint(tmp_path / "absent.jsonl", trained)
