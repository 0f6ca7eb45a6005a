"""What a run's records say, also those of an older version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctcasr.card.training import training


def run_of(folder: Path, *lines: dict[str, object]) -> Path:
    folder.mkdir()
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_the_end_and_the_best_check(tmp_path: Path) -> None:
    run = run_of(
        tmp_path / "run",
        {"kind": "start", "step": 0, "device": "cpu", "threads": 2},
        {"kind": "event", "step": 0, "what": "resumed", "message": "from 0"},
        {"kind": "check", "step": 3, "epoch": 1, "dev_loss": 9.5, "best": True, "wer": 0.5},
        {"kind": "check", "step": 6, "epoch": 2, "dev_loss": 9.9, "best": False, "wer": 0.4},
        {"kind": "event", "step": 6, "what": "finished", "message": "2 epochs"},
    )
    facts = training(run, {})
    assert facts is not None
    assert facts["best_check"] == {"step": 3, "epoch": 1, "dev_loss": 9.5, "wer": 0.5}
    assert (facts["stopped"], facts["resumed"]) == ("finished: 2 epochs", 1)
    assert (facts["device"], facts["threads"], facts["steps"]) == ("cpu", 2, 6)
    assert facts["steps_check"]["agrees"] is None and facts["manifest"] is None


def test_the_manifest_is_named_with_its_hash(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("{}\n")
    run = run_of(tmp_path / "run", {"kind": "start", "step": 0})
    (run / "settings.toml").write_text(f'train = "{tmp_path / "train.jsonl"}"\n')
    facts = training(run, {})
    assert facts is not None and facts["stopped"] == "not finished"
    assert facts["manifest"]["name"] == "train.jsonl" and len(facts["manifest"]["sha256"]) == 64


def test_settings_that_are_no_toml_are_told_with_their_file(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", {"kind": "start", "step": 0})
    (run / "settings.toml").write_text("batch_size = \n")
    with pytest.raises(ValueError, match=r"settings.toml: expected settings as TOML"):
        training(run, {})


def test_a_limit_of_batches_that_is_none_is_not_told(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", {"kind": "start", "step": 0})
    (run / "settings.toml").write_text("batch_size = 0\nbatch_seconds = 60.0\n")
    facts = training(run, {})
    assert facts is not None and facts["settings"] == {"batch_seconds": 60.0}
