"""Texts from a file: of a manifest whatever its name, or of a text file; never JSON as a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.data import ManifestError, read_lines

LINES = '{"audio_filepath": "a.wav", "text": "lay blue"}\n{"audio_filepath": "b.wav"}\n'


@pytest.mark.parametrize("name", ["m.jsonl", "m.JSONL", "nemo_manifest.json", "manifest"])
@pytest.mark.parametrize("before", ["", "\ufeff", "\n  "])
def test_the_name_of_a_manifest_does_not_matter(tmp_path: Path, name: str, before: str) -> None:
    path = tmp_path / name
    path.write_text(before + LINES, encoding="utf-8")
    assert read_lines(path) == ["lay blue", ""]


def test_a_text_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\ufefflay blue\n\nset {red}\n", encoding="utf-8")
    assert read_lines(path) == ["lay blue", "", "set {red}"]


def test_a_broken_first_line_makes_no_text_of_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(f"[1]\n{LINES}", encoding="utf-8")
    with pytest.raises(ManifestError, match=r"m\.jsonl:1"):
        read_lines(tmp_path / "m.jsonl")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.txt: expected .* found nothing there"):
        read_lines(tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes("Märchen".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.txt: expected texts in UTF-8"):
        read_lines(tmp_path / "latin.txt")
