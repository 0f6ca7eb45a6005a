"""What all corpora share: durations from headers, what is left out, nothing overwritten."""

from __future__ import annotations

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
