"""Tables of paths and texts."""

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


def _table(folder: Path, text: str) -> Path:
    """A table of one recording, 1.wav, which lies beside it."""
    _sound(folder / "1.wav")
    table = folder / "t.csv"
    table.write_text(text, encoding="utf-8")
    return table


def test_csv_and_a_held_out_part(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["file,words,who"]
    for index in range(20):
        _sound(tmp_path / f"clips/{index}.wav")
        rows.append(f'clips/{index}.wav,"Hello, ""{index}"" caf\u00e9 %",s{index % 10}')
    (tmp_path / "t.csv").write_text("\n".join(rows), encoding="utf-8-sig")
    columns = ["--path-column", "file", "--text-column", "words", "--speaker-column", "who"]
    assert (
        run(
            "csv",
            tmp_path / "t.csv",
            *columns,
            "--out",
            tmp_path / "a.jsonl",
            "--valid",
            tmp_path / "b.jsonl",
        )
        == 0
    )
    train, valid = read_manifest(tmp_path / "a.jsonl"), read_manifest(tmp_path / "b.jsonl")
    assert (len(train), len(valid)) == (18, 2)
    assert not {u.speaker for u in train} & {u.speaker for u in valid}
    assert {u.text for u in [*train, *valid]} == {
        f'Hello, "{index}" caf\u00e9 %' for index in range(20)
    }
    assert "'%' U+0025 x20, as in t.csv:2" in capsys.readouterr().out


def test_tables_of_common_voice(run: Run, tmp_path: Path) -> None:
    _sound(tmp_path / "clips/1.wav")
    (tmp_path / "train.tsv").write_text(
        'client_id\tpath\tsentence\nanna\t1.wav\t"Quoted" he said\n', encoding="utf-8"
    )
    columns = [
        "--text-column",
        "sentence",
        "--speaker-column",
        "client_id",
        "--root",
        tmp_path / "clips",
    ]
    assert run("csv", tmp_path / "train.tsv", *columns, "--out", tmp_path / "m.jsonl") == 0
    (one,) = read_manifest(tmp_path / "m.jsonl")
    assert (one.text, one.speaker) == ('"Quoted" he said', "anna")


def test_a_column_called_speaker_is_that_of_the_speakers(run: Run, tmp_path: Path) -> None:
    _sound(tmp_path / "1.wav")
    (tmp_path / "t.csv").write_text("path,text,speaker\n1.wav,hello,anna\n")
    assert run("csv", tmp_path / "t.csv", "--out", tmp_path / "m.jsonl") == 0
    (one,) = read_manifest(tmp_path / "m.jsonl")
    assert one.speaker == "anna"


def test_csv_errors(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("path,words\na.wav,x\n")
    assert run("csv", tmp_path / "t.csv", "--out", tmp_path / "m.jsonl") == 1
    assert "expected columns text; got path, words" in capsys.readouterr().err
    (tmp_path / "t.csv").write_text("path,text\na.wav\n")
    assert run("csv", tmp_path / "t.csv", "--out", tmp_path / "m.jsonl") == 1
    assert "t.csv:2: expected a path and a text" in capsys.readouterr().err
    assert run("csv", tmp_path / "none.csv", "--out", tmp_path / "m.jsonl") == 1
    assert "none.csv" in capsys.readouterr().err


@pytest.mark.parametrize("delimiter", [";", "|", "\t"])
def test_another_delimiter_is_recognised_in_the_header(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], delimiter: str
) -> None:
    table = tmp_path / "t.csv"
    table.write_text(f"path{delimiter}text\na.wav{delimiter}x\n")
    assert run("csv", table, "--out", tmp_path / "m.jsonl") == 1
    assert f"--delimiter {delimiter!r}" in capsys.readouterr().err


def test_the_delimiter_that_is_advised_can_be_typed(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = _table(tmp_path, "path\ttext\n1.wav\tyes\n")
    out = tmp_path / "m.jsonl"
    assert run("csv", table, "--out", out) == 1
    assert r"--delimiter '\t'" in capsys.readouterr().err
    assert run("csv", table, "--out", out, "--delimiter", r"\t") == 0
    assert [utterance.text for utterance in read_manifest(out)] == ["yes"]


@pytest.mark.parametrize("outs", [["t.csv"], ["m.jsonl", "m.jsonl"], ["m.jsonl", "t.csv"]])
def test_a_manifest_is_written_over_nothing_of_the_same_call(
    run: Run, tmp_path: Path, outs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    rows = ["path,text"]
    for number in range(6):
        _sound(tmp_path / f"{number}.wav")
        rows.append(f"{number}.wav,text {number}")
    table.write_text("\n".join(rows), encoding="utf-8")
    before = table.read_bytes()
    flags = [str(tmp_path / name) for name in outs]
    words = ["--out", flags[0], *(["--valid", flags[1]] if len(flags) > 1 else [])]
    assert run("csv", table, *words) == 1
    assert "expected" in capsys.readouterr().err
    assert table.read_bytes() == before and not (tmp_path / "m.jsonl").exists()


def test_a_line_with_a_comma_too_many_is_no_other_speaker(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = _table(tmp_path, "path,text,speaker\n1.wav,yes, no,anna\n")
    assert run("csv", table, "--out", tmp_path / "m.jsonl") == 1
    assert "t.csv:2: expected 3 columns; got 4" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--out", "--valid"])
def test_a_recording_that_the_table_lists_is_not_written_over(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    table = _table(tmp_path, "path,text\n1.wav,yes\n1.wav,no\n")
    recording = tmp_path / "1.wav"
    before = recording.read_bytes()
    outs = {"--out": tmp_path / "m.jsonl", flag: recording}
    assert run("csv", table, *(word for pair in outs.items() for word in pair)) == 1
    assert "1.wav: expected a new file, or a manifest" in capsys.readouterr().err
    assert recording.read_bytes() == before and not (tmp_path / "m.jsonl").exists()


def test_a_manifest_of_before_is_written_anew(run: Run, tmp_path: Path) -> None:
    table = _table(tmp_path, "path,text\n1.wav,yes\n")
    for text in ("yes", "no"):
        table.write_text(f"path,text\n1.wav,{text}\n", encoding="utf-8")
        assert run("csv", table, "--out", tmp_path / "m.jsonl") == 0
        assert [line.text for line in read_manifest(tmp_path / "m.jsonl")] == [text]
