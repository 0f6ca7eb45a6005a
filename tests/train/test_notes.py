"""What a checkpoint says about its run is written by the library, whichever recipe trained."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.train import TrainConfig, option, run_notes
from ctcasr.train.notes import content_hash


@dataclass(frozen=True)
class Settings(TrainConfig):
    """Settings."""

    train: str = option("", "manifests")
    valid: str = option("", "manifest")


def test_settings_manifests_version_and_recordings_are_in_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name}), encoding="utf-8")
    (tmp_path / "a.wav").write_bytes(b"sound")
    train = f"{tmp_path / 'one.jsonl'},{tmp_path / 'two.jsonl'}"
    settings = Settings(train=train, valid=str(tmp_path / "gone.jsonl"), epochs=7)
    notes = run_notes("mine", settings, [Utterance(tmp_path / "a.wav")], fold="3")
    assert notes["recipe"] == "mine" and notes["fold"] == "3" and notes["version"]
    assert tomllib.loads(notes["settings"])["epochs"] == 7
    assert [name for name, _ in notes["manifests"].pop("train")] == ["one.jsonl", "two.jsonl"]
    assert notes["manifests"] == {}
    assert len(notes["heard"]["files"]) == 1 and notes["heard"]["enhanced"] == 0


def test_a_hash_changes_with_the_content(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("one")
    before = content_hash(path)
    path.touch()
    assert content_hash(path) == before
    path.write_text("two")
    assert content_hash(path) != before
