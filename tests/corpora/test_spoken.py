"""Synthetic speech: two manifests that are ready to train on, the same whenever they are made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ctcasr.data import read_manifest

Run = Callable[..., int]


def test_a_tiny_corpus_is_ready_to_train_on(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("espeakng_loader")
    flags = ["--train", 3, "--test", 2]
    assert run("spoken", "--out", tmp_path / "tiny", *flags) == 0
    assert "train.jsonl: 3 utterances" in capsys.readouterr().out
    train = read_manifest(tmp_path / "tiny" / "train.jsonl").utterances
    test = read_manifest(tmp_path / "tiny" / "test.jsonl").utterances
    assert (len(train), len(test)) == (3, 2)
    assert all(u.audio_filepath.is_file() and u.text for u in [*train, *test])
    assert not {u.speaker for u in train} & {u.speaker for u in test}
    assert run("spoken", "--out", tmp_path / "tiny", *flags) == 0
    assert run("spoken", "--out", tmp_path / "tiny", "--train", 4) == 1


def test_the_table_becomes_the_same_utterances(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    tiny = tmp_path / "tiny"
    assert run("spoken", "--out", tiny, "--train", 6, "--test", 1) == 0
    parts = ["--out", tmp_path / "train.jsonl", "--valid", tmp_path / "valid.jsonl"]
    assert run("csv", tiny / "recordings.csv", "--speaker-column", "speaker", *parts) == 0
    again = [u for part in ("train", "valid") for u in read_manifest(tmp_path / f"{part}.jsonl")]
    texts = {(utterance.text, utterance.speaker) for utterance in again}
    assert texts == {(u.text, u.speaker) for u in read_manifest(tiny / "train.jsonl")}


def test_fewer_than_one_utterance_is_a_wrong_call(run: Run, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        run("spoken", "--out", tmp_path / "tiny", "--train", 0)
    assert stop.value.code == 2


def test_a_file_in_the_place_of_the_folder_is_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny").write_text("mine")
    assert run("spoken", "--out", tmp_path / "tiny") == 1
    assert "expected a folder to write to (--out)" in capsys.readouterr().err
    assert (tmp_path / "tiny").read_text() == "mine"
