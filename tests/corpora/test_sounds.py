"""Collections of sounds as they really are."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.data import read_audio, read_manifest
from tests.fixtures.sound_files import report, sound

Run = Callable[..., int]


def test_a_tree_with_everything_that_real_collections_contain(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "sounds"
    sound(root / "dog bark" / "1-100-A.wav", 1)
    sound(root / "dog bark" / "2-200-B.wav", 2, channels=2, rate_hz=44100)
    sound(root / "dog bark" / "flac.wav", 3, form="FLAC")
    sound(root / "dog bark" / "long.wav", 4, seconds=1.0)
    shutil.copy(root / "dog bark" / "1-100-A.wav", root / "dog bark" / "again.wav")
    sound(root / "straße $1" / "odd.wav", 5, rate_hz=11000)
    sound(root / "straße $1" / "mine.wav", 6)
    shutil.copy(root / "straße $1" / "mine.wav", root / "zz" / "yours.wav") if (
        root / "zz"
    ).mkdir() is None else None
    sound(root / "zz" / "z.wav", 7)
    (root / "zz" / "empty.wav").write_bytes(b"")
    (root / "zz" / "notes.txt").write_text("hello")
    (root / "zz" / "cut.wav").write_bytes((root / "zz" / "z.wav").read_bytes()[:2000])
    (root / "zz" / "video.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(50))
    soundfile.write(root / "zz" / "silent.wav", np.zeros(1000), 16000)
    (root / "readme.md").write_text("a file beside the classes")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    out = tmp_path / "out" / "sounds.jsonl"
    assert run("sounds", root, "--out", out, "--clip-s", "0.5") == 0

    told = report(tmp_path / "out" / "sounds.report.tsv")
    assert told == {
        "channels": ["2-200-B.wav"],
        "left out: double": ["again.wav", "yours.wav"],
        "wrong extension": ["flac.wav"],
        "cut": ["long.wav"],
        "odd rate": ["odd.wav"],
        "left out: unreadable": ["cut.wav", "video.mp4"],
        "left out: empty": ["empty.wav"],
        "left out: no audio": ["notes.txt"],
        "silent": ["silent.wav"],
        "left out: two labels": ["mine.wav"],
    }
    lines = read_manifest(out).utterances
    assert [(u.audio_filepath.name, u.label, u.fold) for u in lines] == [
        ("1-100-A.wav", "dog bark", 1),
        ("2-200-B.wav", "dog bark", 2),
        ("flac.wav", "dog bark", None),
        ("long.wav", "dog bark", None),
        ("odd.wav", "straße $1", None),
        ("silent.wav", "zz", None),
        ("z.wav", "zz", None),
    ]
    assert (
        lines[0].extra["source"] == "100"
        and all(len(read_audio(u, 16000)) > 0 for u in lines)
        and lines[3].duration == 0.5
    )
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert "7 clips of 3 classes" in capsys.readouterr().out

    written = out.read_bytes()
    assert run("sounds", root, "--out", out) == 1 and out.read_bytes() == written
    assert "nothing is overwritten" in capsys.readouterr().err


def test_esc50_and_its_ten_classes(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "ESC-50"
    rows = [
        ("1-1-A-0.wav", 1, "dog", True, 1),
        ("2-2-A-1.wav", 2, "rooster", True, 2),
        ("3-3-B-2.wav", 3, "pig", False, 3),
    ]
    for index, (name, *_) in enumerate(rows):
        sound(root / "audio" / name, index, rate_hz=44100)
    (root / "meta").mkdir()
    (root / "meta" / "esc50.csv").write_text(
        "filename,fold,target,category,esc10,src_file,take\n"
        + "".join(
            f"{name},{fold},0,{label},{ten},{source},A\n" for name, fold, label, ten, source in rows
        )
    )
    assert run("sounds", root, "--out", tmp_path / "all.jsonl") == 0
    assert run("sounds", root, "--out", tmp_path / "ten.jsonl", "--esc10") == 0
    assert [
        (u.label, u.fold, u.extra["source"]) for u in read_manifest(tmp_path / "all.jsonl")
    ] == [("dog", 1, "1"), ("rooster", 2, "2"), ("pig", 3, "3")]
    assert [u.label for u in read_manifest(tmp_path / "ten.jsonl")] == ["dog", "rooster"]


def test_urbansound8k(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "UrbanSound8K"
    sound(root / "audio/fold1/101-3-0-0.wav", 1)
    sound(root / "audio/fold10/102-2-0-0.wav", 2, rate_hz=48000, channels=2)
    (root / "metadata").mkdir()
    (root / "metadata/UrbanSound8K.csv").write_text(
        "slice_file_name,fsID,start,end,salience,fold,classID,class\n101-3-0-0.wav,101,0,1,1,1,3,dog_bark\n"
        "102-2-0-0.wav,102,0,1,1,10,2,children_playing\n103-2-0-0.wav,103,0,1,1,2,2,children_playing\n"
    )
    assert run("sounds", root, "--out", tmp_path / "u.jsonl") == 0
    assert [(u.label, u.fold) for u in read_manifest(tmp_path / "u.jsonl")] == [
        ("dog_bark", 1),
        ("children_playing", 10),
    ]
    assert report(tmp_path / "u.report.tsv")["left out: missing"] == ["103-2-0-0.wav"]
    (root / "metadata/UrbanSound8K.csv").write_text("slice_file_name,fold\n")
    assert (
        run("sounds", root, "--out", tmp_path / "v.jsonl") == 1
        and "fsID, class are missing" in capsys.readouterr().err
    )


def test_a_folder_without_sounds_and_a_missing_one_are_one_clear_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert (
        run("sounds", tmp_path / "empty", "--out", tmp_path / "a.jsonl") == 1
        and "no clip that can be used" in capsys.readouterr().err
    )
    assert (
        run("sounds", tmp_path / "gone", "--out", tmp_path / "b.jsonl") == 1
        and "there is none" in capsys.readouterr().err
    )


FOREIGN = [
    ("mp4", "aac", "tone.wav"),
    ("adts", "aac", "tone.aac"),
    ("matroska", "aac", "tone.wav"),
    ("asf", "wmav2", "tone.mp3"),
    ("wav", "ac3", "tone.wav"),
]


NATIVE = [
    ("mp3", "libmp3lame", "tone.wav"),
    ("ogg", "libopus", "tone.wav"),
    ("flac", "flac", "tone.mp3"),
]


def encoded(
    path: Path, container: str, codec: str, rate_hz: int = 48000, seconds: float = 0.5
) -> Path:
    """A tone of 440 Hz, stereo, in any container and codec that PyAV can write."""
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate_hz)
        stream.layout, stream.bit_rate = "stereo", 128_000
        tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate_hz)) / rate_hz).astype(
            np.float32
        )
        frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(
            stream.format, "stereo", rate_hz, frame_size=stream.codec_context.frame_size or None
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("container", "codec", "name"), [*FOREIGN, *NATIVE])
def test_other_containers_and_codecs_under_any_name(
    run: Run, tmp_path: Path, container: str, codec: str, name: str
) -> None:
    """What libsndfile cannot read is decoded to FLAC; it is the same tone as before."""
    path = encoded(tmp_path / "in" / "a" / name, container, codec)
    before = path.read_bytes()
    sound(tmp_path / "in" / "b" / "y.wav", 2)
    assert run("sounds", tmp_path / "in", "--out", tmp_path / "s.jsonl") == 0
    (found, _) = read_manifest(tmp_path / "s.jsonl").utterances
    told = report(tmp_path / "s.report.tsv")
    converted = (container, codec, name) in FOREIGN
    assert found.audio_filepath == (
        tmp_path / "s.mended" / "a" / f"{name}.flac" if converted else path
    )
    assert ("converted" in told) == converted and ("wrong extension" in told) == (
        name != "tone.aac" and container != "wav"
    )
    samples = read_audio(found, 48000).numpy()
    spectrum = np.abs(np.fft.rfft(samples[4800:19200]))
    assert 0.45 < len(samples) / 48000 < 0.65 and np.argmax(spectrum) == round(440 * 14400 / 48000)
    assert (
        0.2 < np.sqrt(2) * np.sqrt(np.mean(samples[4800:19200] ** 2)) < 0.4
        and path.read_bytes() == before
    )


def test_a_truncated_foreign_file_is_left_out_and_a_film_without_sound_too(
    run: Run, tmp_path: Path
) -> None:
    whole = encoded(tmp_path / "whole.m4a", "mp4", "aac")
    sound(tmp_path / "in" / "a" / "x.wav", 1)
    (tmp_path / "in" / "a" / "cut.m4a").write_bytes(whole.read_bytes()[:3000])
    assert run("sounds", tmp_path / "in", "--out", tmp_path / "s.jsonl") == 0
    assert (
        report(tmp_path / "s.report.tsv")["left out: unreadable"] == ["cut.m4a"]
        and not (tmp_path / "s.mended").exists()
    )


def test_without_pyav_the_report_says_what_would_read_the_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded(tmp_path / "in" / "a" / "x.m4a", "mp4", "aac")
    sound(tmp_path / "in" / "a" / "y.wav", 1)
    monkeypatch.setitem(sys.modules, "av", None)
    assert run("sounds", tmp_path / "in", "--out", tmp_path / "s.jsonl") == 0
    assert "MP4 wants PyAV: pip install 'ctcasr[video]'" in (tmp_path / "s.report.tsv").read_text(
        encoding="utf-8"
    )


def test_a_class_of_which_nothing_is_left_is_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound(tmp_path / "in" / "a" / "x.wav", 1)
    (tmp_path / "in" / "b").mkdir()
    (tmp_path / "in" / "c").mkdir()
    (tmp_path / "in" / "c" / "bad.wav").write_bytes(b"RIFF")
    assert run("sounds", tmp_path / "in", "--out", tmp_path / "s.jsonl") == 0
    assert (
        report(tmp_path / "s.report.tsv")["empty class"] == ["b", "c"]
        and "empty class" in capsys.readouterr().out
    )


def test_files_and_folders_of_one_name_are_all_converted(run: Run, tmp_path: Path) -> None:
    for number, place in enumerate(("a/take", "b/take")):
        encoded(tmp_path / "in" / place / "x.m4a", "mp4", "aac", seconds=0.5 + 0.1 * number)
    assert run("sounds", tmp_path / "in", "--out", tmp_path / "s.jsonl") == 0
    clips = read_manifest(tmp_path / "s.jsonl").utterances
    assert [clip.label for clip in clips] == ["a", "b"]
    assert clips[0].audio_filepath != clips[1].audio_filepath


def test_copies_of_a_run_before_are_in_the_way(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it was broken off, or its manifest deleted, nobody knows whether they are whole."""
    sound(tmp_path / "in" / "a" / "x.wav", 1)
    (tmp_path / "s.mended").mkdir()
    assert run("sounds", tmp_path / "in", "--out", tmp_path / "s.jsonl") == 1
    assert "s.mended: there already; nothing is overwritten" in capsys.readouterr().err


def test_a_link_to_nowhere_is_told(run: Run, tmp_path: Path) -> None:
    """As in a clone of which the recordings were not fetched."""
    sound(tmp_path / "in" / "a" / "x.wav", 1)
    (tmp_path / "in" / "a" / "y.wav").symlink_to("nowhere")
    assert run("sounds", tmp_path / "in", "--out", tmp_path / "s.jsonl") == 0
    assert report(tmp_path / "s.report.tsv")["left out: missing"] == ["y.wav"]
