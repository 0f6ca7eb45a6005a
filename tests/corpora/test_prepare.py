"""The prepare tools: real layouts in, manifests that the library reads out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.data import read_audio, read_manifest

Run = Callable[..., int]


def _sound(path: Path, seconds: float = 0.1, rate_hz: int = 8000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * rate_hz), np.int16), rate_hz)
    return path


def test_librispeech(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chapter = tmp_path / "LibriSpeech/train-clean-100/103/1240"
    for index in range(3):
        _sound(chapter / f"103-1240-000{index}.flac", 0.1 * (index + 1))
    (chapter / "103-1240.trans.txt").write_text(
        "103-1240-0000 CHAPTER ONE\n103-1240-0001 IT'S TWO\n103-1240-0002 THREE\n103-1240-0003 NO SOUND\n"
    )
    assert run("librispeech", tmp_path / "LibriSpeech", "--out", tmp_path / "out/train.jsonl") == 0
    manifest = read_manifest(tmp_path / "out/train.jsonl")
    assert [(u.text, u.speaker, u.duration) for u in manifest] == [
        ("CHAPTER ONE", "103", 0.1),
        ("IT'S TWO", "103", 0.2),
        ("THREE", "103", 0.3),
    ]
    line = json.loads((tmp_path / "out/train.jsonl").read_text().splitlines()[0])
    assert line["audio_filepath"] == "../LibriSpeech/train-clean-100/103/1240/103-1240-0000.flac"
    out = capsys.readouterr().out
    assert (
        "3 utterances" in out
        and "left out: 1\n  103-1240.trans.txt:4: " in out
        and "every character" in out
    )


def _kaldi(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("wav_scp", "wav.scp")).write_text(content, encoding="utf-8")
    return folder


def test_kaldi_with_segments(run: Run, tmp_path: Path) -> None:
    _sound(tmp_path / "wav/r1.wav", 2.0)
    folder = _kaldi(
        tmp_path / "data",
        wav_scp="r1 wav/r1.wav\n",
        segments="u1 r1 0.5 1.25\nu2 r1 1.25 2.0\nu3 r1 1.9 2.5\n",
        text="u1 hello there\nu2\nu3 too late\n",
        utt2spk="u1 anna\nu2 anna\nu3 anna\n",
    )
    assert run("kaldi", folder, "--root", tmp_path, "--out", tmp_path / "m.jsonl") == 0
    first, second = read_manifest(tmp_path / "m.jsonl").utterances
    assert (first.text, first.speaker, first.offset, first.duration) == (
        "hello there",
        "anna",
        0.5,
        0.75,
    )
    assert (second.text, second.offset) == ("", 1.25)
    assert len(read_audio(first, 8000)) == 6000


def test_kaldi_without_segments(run: Run, tmp_path: Path) -> None:
    folder = _kaldi(
        tmp_path / "data", wav_scp=f"u1 {_sound(tmp_path / 'a b.wav')}\n", text="u1 hello\n"
    )
    assert run("kaldi", folder, "--out", tmp_path / "m.jsonl") == 0
    (one,) = read_manifest(tmp_path / "m.jsonl")
    assert (one.text, one.speaker, one.offset, one.duration) == ("hello", None, 0.0, 0.1)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"text": "u1 a\n"}, r"wav\.scp: expected a file"),
        ({"wav_scp": "u1 sph2pipe a.sph |\n", "text": "u1 a\n"}, r"wav\.scp:1: .*sph2pipe"),
        ({"wav_scp": "u1 a.wav\nu1 b.wav\n", "text": "u1 a\n"}, r"wav\.scp:2: .*'u1'"),
        ({"wav_scp": "u1 a.wav\n", "text": "u2 a\n"}, r"wav\.scp:1: .*'u1'"),
        (
            {"wav_scp": "r a.wav\n", "text": "u a\n", "segments": "u r 1\n"},
            r"segments:1: .*start and end",
        ),
        (
            {"wav_scp": "r a.wav\n", "text": "u a\n", "segments": "u r 2 1\n"},
            r"segments:1: .*start < end",
        ),
        ({"wav_scp": "r a.wav\n", "text": "u a\n", "segments": "u q 0 1\n"}, r"segments:1: .*'q'"),
        (
            {"wav_scp": "u a.wav\n", "text": "u a\n"},
            r"no utterance that can be used\n  wav\.scp:1: .*a\.wav",
        ),
    ],
)
def test_broken_kaldi_folders(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], reason: str
) -> None:
    assert run("kaldi", _kaldi(tmp_path / "data", **files), "--out", tmp_path / "m.jsonl") == 1
    assert re.search(f"^error: .*{reason}", capsys.readouterr().err)
    assert not (tmp_path / "m.jsonl").exists()


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


def test_csv_errors(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("path,words\na.wav,x\n")
    assert run("csv", tmp_path / "t.csv", "--out", tmp_path / "m.jsonl") == 1
    assert "expected columns text; got path, words" in capsys.readouterr().err
    (tmp_path / "t.csv").write_text("path,text\na.wav\n")
    assert run("csv", tmp_path / "t.csv", "--out", tmp_path / "m.jsonl") == 1
    assert "t.csv:2: expected a path and a text" in capsys.readouterr().err
    assert run("csv", tmp_path / "none.csv", "--out", tmp_path / "m.jsonl") == 1
    assert "none.csv" in capsys.readouterr().err


def test_grid(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "grid"
    for talker in ("s1", "s2"):
        _sound(root / f"audio/{talker}/bbaf2n.wav")
    _sound(root / "audio/s1/notes.wav")
    (root / "align/s1").mkdir(parents=True)
    (root / "align/s1/bbaf2n.align").write_text("0 100 sil\n")
    (root / "video/s1.mpg_6000").mkdir(parents=True)
    (root / "video/s1.mpg_6000/bbaf2n.mpg").write_bytes(b"-")
    assert run("grid", root, "--out", tmp_path / "m.jsonl") == 0
    first, second = read_manifest(tmp_path / "m.jsonl").utterances
    assert (first.text, first.speaker, second.speaker) == ("BIN BLUE AT F TWO NOW", "s1", "s2")
    assert (
        first.video_filepath is not None
        and first.video_filepath.is_file()
        and second.video_filepath is None
    )
    assert Path(first.extra["align_filepath"]).is_file() and not second.extra
    assert run("grid", root, "--talkers", "s2", "--out", tmp_path / "m.jsonl") == 0
    assert len(read_manifest(tmp_path / "m.jsonl")) == 1


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
