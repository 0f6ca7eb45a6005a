"""Planted errors: the truth says what was done, and nothing else was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctcasr.batch import Utterance
from ctcasr.data import read_manifest, write_manifest
from tools.study.mislabel import Shares, main, plant

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
