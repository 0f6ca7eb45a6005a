"""Preparing the bigger corpora: folders of their true layout in, manifests that the library reads out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr.data import read_audio, read_manifest

Run = Callable[..., int]


def noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9000, 9000, count, dtype=np.int16)


def an4(root: Path, sphere: bool) -> dict[str, np.ndarray]:
    """AN4 as it is handed out, with three utterances for training and one for testing."""
    said = {
        "an4_clstk/fash/an251-fash-b": "<s> YES </s>",
        "an4_clstk/fash/cen1-fash-b": "<s> F A S H I O N </s>",
        "an4_clstk/mjdr/an11-mjdr-b": "<s> P I T T S B U R G H </s>",
        "an4test_clstk/menk/an431-menk-b": "OCTOBER TWENTY FOUR NINETEEN SEVENTY",
    }
    sounds = {name: noise(1600 + 100 * index, index) for index, name in enumerate(said)}
    for name, samples in sounds.items():
        path = root / "wav" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if sphere:
            soundfile.write(
                path.with_name(path.name + ".sph"),
                samples,
                16000,
                format="NIST",
                subtype="PCM_16",
                endian="BIG",
            )
        else:
            path.with_name(path.name + ".raw").write_bytes(samples.astype(">i2").tobytes())
    (root / "etc").mkdir()
    for part, folder in (("train", "an4_clstk"), ("test", "an4test_clstk")):
        names = [name for name in said if name.startswith(folder)]
        (root / f"etc/an4_{part}.fileids").write_text("".join(f"{name}\n" for name in names))
        (root / f"etc/an4_{part}.transcription").write_text(
            "".join(f"{said[name]} ({Path(name).name})\n" for name in names)
        )
    return sounds


@pytest.mark.parametrize("sphere", [True, False])
def test_an4(run: Run, tmp_path: Path, sphere: bool) -> None:
    sounds = an4(tmp_path / "an4", sphere)
    before = {path: path.read_bytes() for path in (tmp_path / "an4").rglob("*") if path.is_file()}
    assert run("an4", tmp_path / "an4", "--out", tmp_path / "train.jsonl") == 0
    assert run("an4", tmp_path / "an4", "--part", "test", "--out", tmp_path / "test.jsonl") == 0
    train, test = (
        read_manifest(tmp_path / f"{part}.jsonl").utterances for part in ("train", "test")
    )
    assert [(u.text, u.speaker) for u in train] == [
        ("YES", "fash"),
        ("F A S H I O N", "fash"),
        ("P I T T S B U R G H", "mjdr"),
    ]
    assert [(u.text, u.speaker) for u in test] == [("OCTOBER TWENTY FOUR NINETEEN SEVENTY", "menk")]
    for utterance, samples in zip([*train, *test], sounds.values(), strict=True):
        assert torch.equal(
            read_audio(utterance, 16000), torch.from_numpy(samples.astype(np.float32) / 32768)
        )
    assert {
        path: path.read_bytes() for path in (tmp_path / "an4").rglob("*") if path.is_file()
    } == before  # the originals stay


def test_an4_that_is_incomplete(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    an4(tmp_path / "an4", True)
    (tmp_path / "an4/wav/an4_clstk/fash/cen1-fash-b.sph").unlink()
    assert run("an4", tmp_path / "an4", "--out", tmp_path / "m.jsonl") == 0
    told = capsys.readouterr().out
    assert "2 utterances" in told and "left out: 1" in told and "cen1-fash-b.sph" in told
    (tmp_path / "an4/etc/an4_train.transcription").write_text("<s> YES </s> (an251-fash-b)\n")
    assert run("an4", tmp_path / "an4", "--out", tmp_path / "m.jsonl") == 1
    assert "an4_train.fileids:2: expected a text for cen1-fash-b" in capsys.readouterr().err
    (tmp_path / "an4/etc/an4_train.transcription").write_text("YES\n")
    assert (
        run("an4", tmp_path / "an4", "--out", tmp_path / "m.jsonl") == 1
        and "name in brackets" in capsys.readouterr().err
    )
    assert (
        run("an4", tmp_path, "--out", tmp_path / "m.jsonl") == 1
        and "with etc and wav in it" in capsys.readouterr().err
    )


SENTENCES = [
    ("anna", "Well, that's \"it\" \u2013 isn't it?"),
    ("anna", "A caf\u00e9 in K\u00f6ln."),
    ("ben", "It costs 5 % more."),
    ("ben", "\u0395\u03c5\u03c7\u03b1\u03c1\u03b9\u03c3\u03c4\u03ce!"),
    ("cara", "..."),
    ("cara", "No clip"),
    ("dora", "Plain words"),
]


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """Common Voice as it is handed out: a table, and clips in MP3."""
    root = tmp_path / "cv-corpus-20.0/en"
    (root / "clips").mkdir(parents=True)
    rows = ["client_id\tpath\tsentence_id\tsentence\tup_votes\tlocale"]
    for index, (who, sentence) in enumerate(SENTENCES):
        rows.append(f"{who * 16}\tcommon_voice_en_{index}.mp3\tx\t{sentence}\t2\ten")
        if sentence != "No clip":
            soundfile.write(
                root / f"clips/common_voice_en_{index}.mp3",
                noise(32000, index),
                32000,
                format="MP3",
            )
    for part in ("train", "validated"):
        (root / f"{part}.tsv").write_text(
            "\n".join(rows[: 3 if part == "train" else None]) + "\n", encoding="utf-8"
        )
    return root


def test_common_voice(
    run: Run, voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("commonvoice", voices, "--part", "validated", "--out", tmp_path / "m.jsonl") == 0
    lines = read_manifest(tmp_path / "m.jsonl").utterances
    assert [u.text for u in lines] == ["well thats it isnt it", "a cafe in koln", "plain words"]
    assert [u.speaker for u in lines] == [
        ("anna" * 16)[:16],
        ("anna" * 16)[:16],
        ("dora" * 16)[:16],
    ]
    assert all(
        abs(len(read_audio(u, 16000)) - 16000) < 1600 for u in lines
    )  # MP3 may add a frame at the ends
    told = capsys.readouterr().out
    assert (
        "punctuation taken out of 2 sentences" in told
        and "',' U+002C x1" in told
        and "'?' U+003F x1" in told
    )
    assert (
        "left out for characters outside the alphabet: 2 sentences" in told
        and "'%' U+0025 x1" in told
    )
    assert "left out without a letter or digit: 1" in told and "common_voice_en_5.mp3" in told
    assert run("commonvoice", voices, "--out", tmp_path / "train.jsonl") == 0
    assert len(read_manifest(tmp_path / "train.jsonl")) == 2


def test_common_voice_that_is_broken(
    run: Run, voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("commonvoice", voices, "--part", "dev", "--out", tmp_path / "m.jsonl") == 1
    assert (
        "dev.tsv: expected a table of Common Voice" in (told := capsys.readouterr().err)
        and "train, validated" in told
    )
    (voices / "dev.tsv").write_text("client_id\tpath\nx\ty\n")
    assert run("commonvoice", voices, "--part", "dev", "--out", tmp_path / "m.jsonl") == 1
    assert "dev.tsv:1: " in (told := capsys.readouterr().err) and "no sentence" in told
    (voices / "dev.tsv").write_text("client_id\tpath\tsentence\nx\ty\n")
    assert run("commonvoice", voices, "--part", "dev", "--out", tmp_path / "m.jsonl") == 1
    assert "dev.tsv:2: expected 3 columns; got 2" in capsys.readouterr().err


def test_several_parts_of_librispeech_are_one_corpus(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "LibriSpeech"
    for part, chapter in (
        ("train-clean-100", "103/1240"),
        ("train-clean-360", "100/121669"),
        ("train-other-500", "20/205"),
        ("dev-clean", "84/1"),
    ):
        name = "-".join(chapter.split("/"))
        (root / part / chapter).mkdir(parents=True)
        soundfile.write(root / part / chapter / f"{name}-0000.flac", noise(1600, 1), 16000)
        (root / part / chapter / f"{name}.trans.txt").write_text(
            f"{name}-0000 IT'S {part.upper()}\n"
        )
    for name in ("BOOKS.TXT", "CHAPTERS.TXT", "LICENSE.TXT", "README.TXT", "SPEAKERS.TXT"):
        (root / name).write_text("; not a transcript\n")
    train = [root / part for part in ("train-clean-100", "train-clean-360", "train-other-500")]
    assert run("librispeech", *train, "--out", tmp_path / "train.jsonl") == 0
    assert sorted(u.speaker or "" for u in read_manifest(tmp_path / "train.jsonl")) == [
        "100",
        "103",
        "20",
    ]
    assert run("librispeech", root, "--out", tmp_path / "all.jsonl") == 0
    assert len(read_manifest(tmp_path / "all.jsonl")) == 4
    assert (
        run(
            "librispeech",
            root / "dev-clean",
            tmp_path / "nothing",
            "--out",
            tmp_path / "none.jsonl",
        )
        == 1
    )
