"""Planted errors: the truth says what was done, and nothing else was."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ctcasr.batch import Utterance
from ctcasr.data import read_manifest, write_manifest
from tools.study.mislabel import Shares, Sounds, main, plant

WORDS = "bin lay place set blue green red white".split()  # noqa: SIM905
LINES = [
    Utterance(Path(f"u{number}.wav"), 2.0, " ".join(WORDS[number % 5 : number % 5 + 3]))
    for number in range(200)
]


def test_swapped_lines_have_the_text_of_their_partner():
    planted, truths = plant(LINES, Shares(swap=0.3), seed=1)
    swapped = [truth for truth in truths if truth.kind == "swapped"]
    assert len(swapped) == pytest.approx(60, abs=15)
    for line, truth, before in zip(planted, truths, LINES, strict=True):
        assert truth.text == before.text
        if truth.kind == "swapped":
            assert line.text == LINES[truth.partner - 1].text != before.text
        else:
            assert line == before and truth.wrong == [""] * 3


def test_wrong_words_are_marked_and_the_rest_is_as_it_was():
    planted, truths = plant(LINES, Shares(substitute=0.2, delete=0.1, insert=0.1), seed=2)
    counts = {"substituted": 0, "inserted": 0, "missing": 0}
    for line, truth in zip(planted, truths, strict=True):
        words = line.text.split()
        assert len(words) == len(truth.wrong)
        kept = [word for word, wrong in zip(words, truth.wrong, strict=True) if not wrong]
        said = iter(truth.text.split())
        assert all(word in said for word in kept)
        assert (truth.kind == "words") == (any(truth.wrong) or bool(truth.missing))
        for reason in truth.wrong:
            counts[reason] = counts.get(reason, 0) + 1
        counts["missing"] += len(truth.missing)
    assert counts["substituted"] == pytest.approx(120, abs=35)
    assert counts["inserted"] == pytest.approx(60, abs=25)
    assert counts["missing"] == pytest.approx(60, abs=25)


def test_cut_recordings_are_shorter_and_keep_their_text():
    planted, truths = plant(LINES, Shares(cut=0.5), seed=3)
    for line, truth in zip(planted, truths, strict=True):
        assert line.text == truth.text
        assert (line.duration < 2.0) == (truth.kind == "cut")


def test_other_recordings_stand_under_the_texts():
    noise = Utterance(Path("noise.wav"), 60.0)
    german = Utterance(Path("german.wav"), 3.0)
    lines = [replace(line, speaker=f"s{number % 3}") for number, line in enumerate(LINES)]
    shares = Shares(silent=0.1, foreign=0.1, take=0.1)
    planted, truths = plant(lines, shares, 4, Sounds([noise], [german]))
    counts = Counter(truth.kind for truth in truths)
    assert counts == {"right": 140, "no-speech": 20, "foreign": 20, "take": 20}
    for line, truth, before in zip(planted, truths, lines, strict=True):
        assert (line.text, line.speaker) == (before.text, before.speaker)
        if truth.kind == "take":
            said_by = lines[int(line.audio_filepath.stem[1:])]
            assert said_by.text == before.text and said_by.speaker != before.speaker
        elif truth.kind == "no-speech":
            assert line.audio_filepath == noise.audio_filepath and line.duration == 2.0
            assert 0 <= line.offset <= 58.0 and truth.wrong == ["no-speech"] * 3
        elif truth.kind == "foreign":
            assert line.audio_filepath == german.audio_filepath and line.duration == 3.0


def test_letters_that_sound_alike_are_exchanged():
    lines = [Utterance(Path(f"a{number}.wav"), 1.0, "SAY S AND M") for number in range(100)]
    planted, truths = plant(lines, Shares(alike=0.3), 5)
    for line, truth in zip(planted, truths, strict=True):
        assert line.text.split()[1] == ("F" if truth.wrong[1] else "S")
        assert line.text.split()[3] == ("N" if truth.wrong[3] else "M")
        assert set(truth.wrong) <= {"", "alike"} and not truth.wrong[0]
    exchanged = sum(truth.wrong.count("alike") for truth in truths)
    assert exchanged == pytest.approx(60, abs=20)


def test_recordings_must_be_given():
    for shares in (Shares(silent=0.1), Shares(foreign=0.1)):
        with pytest.raises(ValueError, match="MANIFEST"):
            plant(LINES, shares, 0)


def test_the_same_seed_plants_the_same_and_the_files_say_so(tmp_path, capsys):
    write_manifest(tmp_path / "m.jsonl", LINES)
    out = tmp_path / "planted.jsonl"
    truth = tmp_path / "truth.jsonl"
    arguments = [str(tmp_path / "m.jsonl"), "--swap", "0.1", "--out", str(out)]
    main([*arguments, "--truth", str(truth)])
    first = out.read_bytes()
    main([*arguments, "--truth", str(truth)])
    assert out.read_bytes() == first and "swapped" in capsys.readouterr().out
    rows = [json.loads(row) for row in truth.read_text("utf-8").splitlines()]
    assert [row["line"] for row in rows] == list(range(1, 201))
    assert "swapped" not in out.read_text("utf-8")
    assert len(read_manifest(out)) == 200


def test_what_is_read_is_not_written_over(tmp_path):
    write_manifest(tmp_path / "m.jsonl", LINES)
    before = (tmp_path / "m.jsonl").read_bytes()
    same = str(tmp_path / "m.jsonl")
    for names in (("--out", same, "--truth", "t"), ("--out", "o", "--truth", same)):
        with pytest.raises(ValueError, match="expected another file to write"):
            main([same, *names])
    assert (tmp_path / "m.jsonl").read_bytes() == before
