"""Spoken digits: the parts by the data set's own rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.data import read_manifest

Run = Callable[..., int]


def _sound(path: Path, seconds: float = 0.1, rate_hz: int = 8000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * rate_hz), np.int16), rate_hz)
    return path


def test_fsdd(run: Run, tmp_path: Path) -> None:
    for index in (0, 4, 5, 12):
        _sound(tmp_path / f"recordings/7_jackson_{index}.wav")
    assert (
        run(
            "fsdd",
            tmp_path / "recordings",
            "--out",
            tmp_path / "a.jsonl",
            "--test",
            tmp_path / "b.jsonl",
        )
        == 0
    )
    train, test = read_manifest(tmp_path / "a.jsonl"), read_manifest(tmp_path / "b.jsonl")
    assert [u.id for u in train] == ["7_jackson_5", "7_jackson_12"] and [u.id for u in test] == [
        "7_jackson_0",
        "7_jackson_4",
    ]
    assert (train.utterances[0].text, train.utterances[0].label, train.utterances[0].speaker) == (
        "SEVEN",
        "7",
        "jackson",
    )


def test_both_parts_in_one_file_are_refused_before_either_is_written(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _sound(tmp_path / "recordings/7_jackson_0.wav")
    out = tmp_path / "a.jsonl"
    assert run("fsdd", tmp_path / "recordings", "--out", out, "--test", out) == 1
    assert "both manifests would be this one" in capsys.readouterr().err
    assert not out.exists()


def test_recordings_come_out_as_their_own_manifests_say(
    run: Run, data_root: Path, tmp_path: Path
) -> None:
    assert run("grid", data_root / "grid_s1", "--out", tmp_path / "grid.jsonl") == 0
    assert (
        run(
            "fsdd",
            data_root / "fsdd/recordings",
            "--out",
            tmp_path / "a.jsonl",
            "--test",
            tmp_path / "b.jsonl",
        )
        == 0
    )
    for mine, theirs in [
        (["grid"], ["grid_s1/train", "grid_s1/valid"]),
        (["a"], ["fsdd/train"]),
        (["b"], ["fsdd/test"]),
    ]:
        made = {u.id: u for name in mine for u in read_manifest(tmp_path / f"{name}.jsonl")}
        given = {u.id: u for name in theirs for u in read_manifest(data_root / f"{name}.jsonl")}
        assert made.keys() == given.keys()
        for name, one in made.items():
            assert (one.text, one.label) == (given[name].text, given[name].label)
            assert one.duration == pytest.approx(given[name].duration, abs=1e-3)


@pytest.mark.parametrize(("index", "told"), [(7, "the test part"), (0, "the training part")])
def test_a_part_without_recordings_is_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], index: int, told: str
) -> None:
    _sound(tmp_path / f"recordings/7_jackson_{index}.wav")
    parts = ["--out", tmp_path / "a.jsonl", "--test", tmp_path / "b.jsonl"]
    assert run("fsdd", tmp_path / "recordings", *parts) == 1
    assert f"{told}; found none" in capsys.readouterr().err
