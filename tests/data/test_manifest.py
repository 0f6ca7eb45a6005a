"""Manifests: what is written is read again; broken lines are named or skipped, never lost."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.batch import Utterance
from ctcasr.data import (
    AudioError,
    ManifestError,
    read_audio,
    read_manifest,
    write_manifest,
)

GOOD = '{"audio_filepath": "a.wav", "duration": 1.5, "text": "hello"}'


@given(
    st.lists(
        st.fixed_dictionaries(
            {"audio_filepath": st.sampled_from(["a.wav", "b/c.flac", "\u00fc n\u00ef.wav"])},
            optional={
                "duration": st.floats(0, 1e5),
                "text": st.text(),
                "offset": st.floats(0, 1e5),
                "speaker": st.text(min_size=1),
                "label": st.text(),
                "fold": st.integers(0, 9),
                "note": st.lists(st.integers()),
            },
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, object]]
) -> None:
    folder = tmp_path_factory.mktemp("m")
    write_manifest(
        folder / "m.jsonl",
        [{**line, "audio_filepath": folder / str(line["audio_filepath"])} for line in lines],
    )
    assert [json.loads(raw) for raw in (folder / "m.jsonl").read_bytes().splitlines()] == lines
    first = read_manifest(folder / "m.jsonl").utterances
    write_manifest(folder / "m.jsonl", first)
    assert read_manifest(folder / "m.jsonl").utterances == first


def test_paths_are_relative_to_the_manifest_wherever_it_moves(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "m.jsonl").write_text(
        '{"audio_filepath": "x/1.wav", "video_filepath": "v/1.mp4", '
        '"target_filepath": "../t/1.wav"}\n'
    )
    one = read_manifest(tmp_path / "a" / "m.jsonl").utterances[0]
    assert (
        one.audio_filepath == tmp_path / "a/x/1.wav"
        and one.video_filepath == tmp_path / "a/v/1.mp4"
    )
    write_manifest(tmp_path / "b" / "c" / "m.jsonl", [one])
    line = json.loads((tmp_path / "b" / "c" / "m.jsonl").read_text())
    assert line == {
        "audio_filepath": "../../a/x/1.wav",
        "video_filepath": "../../a/v/1.mp4",
        "target_filepath": "../../t/1.wav",
    }


def test_absolute_paths_stay(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps({"audio_filepath": str(tmp_path / "a.wav")}))
    assert read_manifest(tmp_path / "m.jsonl").utterances[0].audio_filepath == tmp_path / "a.wav"


def test_blank_lines_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_bytes(
        b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n\r\n  \n" + GOOD.encode()
    )
    manifest = read_manifest(tmp_path / "m.jsonl")
    assert [u.where for u in manifest] == ["m.jsonl:1", "m.jsonl:4"]
    assert len(manifest) == 2 and manifest.seconds == 3.0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"audio_filepath": "a.wav"', "JSON"),
        ("audio_filepath,text", "JSON"),
        ("[1, 2]", "JSON object"),
        ("7", "JSON object"),
        ("{}", "audio_filepath"),
        ('{"audio_filepath": 3}', "audio_filepath"),
        ('{"audio_filepath": "a.wav", "duration": "long"}', "duration"),
        ('{"audio_filepath": "a.wav", "duration": NaN}', "duration"),
        ('{"audio_filepath": "a.wav", "duration": -1}', "duration"),
        ('{"audio_filepath": "a.wav", "offset": -0.5}', "offset"),
        ('{"audio_filepath": "a.wav", "text": 7}', "text"),
        ('{"audio_filepath": "a.wav", "text": "\udcff"}', "UTF-8"),
    ],
)
def test_broken_lines_are_named_or_skipped(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes("\n".join([GOOD, line, GOOD]).encode("utf-8", "surrogateescape"))
    with pytest.raises(ManifestError, match=rf"m\.jsonl:2: .*{reason}"):
        read_manifest(path)
    manifest = read_manifest(path, strict=False)
    assert len(manifest) == 2
    assert [skip.where for skip in manifest.skipped] == [
        "m.jsonl:2"
    ] and reason in manifest.skipped[0].reason


def test_no_manifest_and_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    for name, reason in {
        "missing.jsonl": "no file",
        "": "a folder",
        "empty.jsonl": "empty",
    }.items():
        for strict in (True, False):
            with pytest.raises(ManifestError, match=reason):
                read_manifest(tmp_path / name, strict=strict)


def test_a_failed_write_leaves_the_old_manifest_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.jsonl"
    write_manifest(path, [Utterance(tmp_path / "a.wav")])
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_manifest(path, [Utterance(tmp_path / "b.wav")])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "count"), [("grid_s1/train", 680), ("fsdd/train", 1800), ("av_samples/all", 8)]
)
def test_recordings(data_root: Path, name: str, count: int) -> None:
    manifest = read_manifest(data_root / f"{name}.jsonl")
    assert len(manifest) == count and not manifest.skipped
    assert all(u.audio_filepath.is_file() for u in manifest)


def test_odd_lines_are_read_or_named(tmp_path: Path) -> None:
    draw = random.Random(0)
    values = [None, 0, -1, 1e400, "x", "", [], {}, True, "a.wav", float("nan"), "\0", 10**400]
    keys = ["audio_filepath", "duration", "text", "offset", "speaker", "label", "fold", "id"]
    path = tmp_path / "m.jsonl"
    outcomes = set()
    for _ in range(1500):
        line = {key: draw.choice(values) for key in draw.sample(keys, draw.randint(0, 5))}
        if draw.random() < 0.7:
            line["audio_filepath"] = draw.choice(["a.wav", "b/c.wav", "\0", "x\n"])
        content = bytearray(json.dumps(line).encode())
        if draw.random() < 0.2:
            content[draw.randrange(len(content))] = draw.randrange(256)
        path.write_bytes(content)
        try:
            (utterance,) = read_manifest(path).utterances
        except ManifestError as error:
            assert "m.jsonl" in str(error) and len(str(error)) < 1000
            outcomes.add("named")
        else:
            with pytest.raises(AudioError):  # there is no such file
                read_audio(utterance, 16000)
            outcomes.add("read")
    assert outcomes == {"named", "read"}


def test_a_table_is_told_from_a_broken_line(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("path,text\na.wav,x\n")
    with pytest.raises(ManifestError, match=r"t\.csv:1: .*`ctcasr prepare csv`"):
        read_manifest(table)


def test_a_name_that_is_no_unicode_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    old = os.fsdecode("büro.wav".encode("latin-1"))
    with pytest.raises(ValueError, match=r"m\.jsonl: expected lines in Unicode; .*rename the file"):
        write_manifest(path, [Utterance(tmp_path / old)])
    assert not path.exists()
