"""What all corpora share: durations from headers, what is left out, nothing overwritten."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.batch import Skip, Utterance
from ctcasr.corpora import _prepare


def test_durations_are_the_files_and_what_ends_too_early_is_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    lines = [
        Utterance(tmp_path / "a.wav", where="whole"),
        Utterance(tmp_path / "a.wav", duration=0.5, offset=0.25, where="part"),
        Utterance(tmp_path / "a.wav", duration=0.9, offset=0.25, where="too long"),
        Utterance(tmp_path / "a.wav", offset=1.0, where="behind the end"),
        Utterance(tmp_path / "b.wav", where="not there"),
    ]
    usable, skipped = _prepare.measure(lines)
    assert [(line.where, line.duration) for line in usable] == [("whole", 1.0), ("part", 0.5)]
    assert [skip.where for skip in skipped] == ["too long", "behind the end", "not there"]
    assert "expected sound up to 1.15 s" in skipped[0].reason


def test_lines_have_places_and_other_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("\ufeffone\n\n  \ntwo\n", encoding="utf-8")
    assert _prepare.lines_of(tmp_path / "t") == [("t:1", "one"), ("t:4", "two")]
    (tmp_path / "t").write_bytes("Gerät".encode("latin-1"))
    with pytest.raises(ValueError, match="expected UTF-8"):
        _prepare.lines_of(tmp_path / "t")


def test_ten_of_many_are_named() -> None:
    text = _prepare.list_first([Skip(f"line {n}", "no file") for n in range(12)])
    assert text.count("\n") == 11 and text.endswith("... and 2 more")
    assert _prepare.list_first([]) == ""


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    _prepare.refuse_existing([tmp_path / "new"])
    (tmp_path / "old").write_text("")
    with pytest.raises(ValueError, match=r"old: there already"):
        _prepare.refuse_existing([tmp_path / "new", tmp_path / "old"])


def test_only_a_manifest_of_before_is_written_over(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"audio_filepath": "a.wav"}\n')
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    _prepare.refuse_overwriting([manifest, empty, tmp_path / "new/m.jsonl"], [])
    foreign = {"a.wav": b"RIFF\x00\xff", "t.txt": b"\nwords", "l.json": b"[1]", "n": b"[" * 9999}
    for name, content in foreign.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}: expected a new file, or a manifest"):
            _prepare.refuse_overwriting([tmp_path / name], [])
    with pytest.raises(ValueError, match="than the one that is read"):
        _prepare.refuse_overwriting([manifest], [tmp_path / "new/../m.jsonl"])
    with pytest.raises(ValueError, match="expected two files"):
        _prepare.refuse_overwriting([manifest, manifest], [])
    with pytest.raises(ValueError, match="expected a file to write; this is a folder"):
        _prepare.refuse_overwriting([tmp_path], [])


def test_a_folder_cannot_be_made_of_a_file_or_below_one(tmp_path: Path) -> None:
    _prepare.expect_folder(tmp_path)
    _prepare.expect_folder(tmp_path / "new/deeper")
    _prepare.expect_folder(Path("new"))
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "file/below", "link"):
        with pytest.raises(ValueError, match=r"expected a folder to write to \(--out\)"):
            _prepare.expect_folder(tmp_path / name)
    with pytest.raises(ValueError, match="expected a folder to write to"):
        _prepare.refuse_overwriting([tmp_path / "file/m.jsonl"], [])


def test_numbers_of_flags_are_within_their_bounds() -> None:
    assert _prepare.within(int, 0, 5)("5") == 5
    assert _prepare.within(float, -1.0, 1.0)("-0.5") == -0.5
    for word in ("nan", "inf", "-inf", "1.01", "x", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a number from -1 to 1; got"):
            _prepare.within(float, -1.0, 1.0)(word)
    for word in ("-1", "6", "1.5", "nan", "9" * 5000):
        with pytest.raises(argparse.ArgumentTypeError, match="a whole number from 0 to 5; got"):
            _prepare.within(int, 0, 5)(word)


def test_all_files_that_a_line_names() -> None:
    extra = {"target_filepath": "t.wav", "interferer_filepath": None, "note": "n"}
    line = Utterance(Path("a.wav"), video_filepath=Path("v.mp4"), extra=extra)
    assert _prepare.files_of(line) == [Path("a.wav"), Path("v.mp4"), Path("t.wav")]


def test_a_path_that_no_system_takes_is_left_out(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    lines = [Utterance(tmp_path / ("x" * 400), where="long"), Utterance(tmp_path / "a.wav")]
    usable, skipped = _prepare.measure(lines)
    assert len(usable) == 1
    assert [skip.where for skip in skipped] == ["long"]


def test_a_text_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    path.write_bytes("café".encode("latin-1"))
    with pytest.raises(ValueError, match=r"p.txt: expected UTF-8"):
        _prepare.text_of(path)


def test_a_file_that_no_manifest_can_name_is_left_out(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    old = tmp_path / os.fsdecode("büro.wav".encode("latin-1"))
    old.write_bytes((tmp_path / "a.wav").read_bytes())
    target = {"target_filepath": str(old)}
    lines = [
        Utterance(old, where="old"),
        Utterance(tmp_path / "a.wav", extra=target, where="names it"),
        Utterance(tmp_path / "a.wav"),
    ]
    usable, skipped = _prepare.measure(lines)
    assert len(usable) == 1
    assert [skip.where for skip in skipped] == ["old", "names it"]
    assert "is no Unicode" in skipped[0].reason and "rename it" in skipped[0].reason


@pytest.mark.parametrize("word", ["x", "0", "1", "nan", "-0.5"])
def test_a_share_that_is_none_is_told_in_words(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = _prepare.corpus_parser("x", None, "folder")
    with pytest.raises(SystemExit):
        parser.parse_args(["in", "--out", "m.jsonl", f"--valid-share={word}"])
    assert f"expected more than 0 and less than 1; got {word}" in capsys.readouterr().err
