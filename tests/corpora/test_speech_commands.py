"""Speech Commands by its own lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ctcasr.data import read_manifest
from tests.fixtures.sound_files import sound

Run = Callable[..., int]


def speech_commands(root: Path) -> None:
    """Three speakers, twelve words, two takes; speaker b is valid and c is test."""
    seed = 0
    for word in (
        "down",
        "go",
        "left",
        "no",
        "off",
        "on",
        "right",
        "stop",
        "up",
        "yes",
        "bed",
        "cat",
    ):
        for speaker in "abc":
            for take in range(2):
                sound(root / word / f"{speaker}{speaker}_nohash_{take}.wav", seed := seed + 1, 0.1)
    sound(root / "_background_noise_" / "hum.wav", 999, 20.0)
    words = sorted(p.relative_to(root).as_posix() for p in root.glob("*/*_nohash_*.wav"))
    for name, speaker in (("validation_list.txt", "bb"), ("testing_list.txt", "cc")):
        (root / name).write_text("".join(w + "\n" for w in words if f"/{speaker}_" in w))


def test_speech_commands_by_its_own_lists(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "sc"
    speech_commands(root)
    (root / "yes/._aa_nohash_0.wav").write_bytes(b"notes of macOS")
    assert run("speech_commands", root, "--out", tmp_path / "v35", "--classes", "35") == 0
    assert run("speech_commands", root, "--out", tmp_path / "v12") == 0
    for part, speaker in (("train", "aa"), ("valid", "bb"), ("test", "cc")):
        whole, twelve = (
            read_manifest(tmp_path / v / f"{part}.jsonl").utterances for v in ("v35", "v12")
        )
        assert (
            len(whole) == 24
            and {u.speaker for u in whole} == {speaker}
            and len({u.label for u in whole}) == 12
        )
        counts = Counter(u.label for u in twelve)
        assert (
            len(counts) == 12 and counts["_unknown_"] == counts["_silence_"] == counts["yes"] == 2
        )
        assert {u.text for u in twelve if u.label == "_unknown_"} <= {"BED", "CAT"}
    hum = {
        part: [
            u.offset
            for u in read_manifest(tmp_path / "v12" / f"{part}.jsonl")
            if u.label == "_silence_"
        ]
        for part in ("train", "valid", "test")
    }
    assert max(hum["train"]) + 1 <= 16.0 <= min(hum["valid"]) and max(
        hum["valid"]
    ) + 1 <= 18.0 <= min(hum["test"])
    assert (
        run("speech_commands", root, "--out", tmp_path / "v12") == 1
        and "nothing is overwritten" in capsys.readouterr().err
    )


def test_speech_commands_without_lists_or_with_files_missing(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "sc"
    speech_commands(root)
    (root / "yes" / "bb_nohash_0.wav").unlink()
    assert (
        run("speech_commands", root, "--out", tmp_path / "a") == 1
        and "yes/bb_nohash_0.wav" in capsys.readouterr().err
    )
    (root / "testing_list.txt").unlink()
    assert (
        run("speech_commands", root, "--out", tmp_path / "b") == 1
        and "testing_list.txt" in capsys.readouterr().err
    )


def test_copies_of_a_run_before_are_in_the_way(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speech_commands(tmp_path / "sc")
    (tmp_path / "out/mended").mkdir(parents=True)
    assert run("speech_commands", tmp_path / "sc", "--out", tmp_path / "out") == 1
    assert "mended: there already" in capsys.readouterr().err
