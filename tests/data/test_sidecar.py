"""Sidecars name the files that enhancers wrote, and no others; former ones speak for folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctcasr.batch import Utterance
from ctcasr.data.provenance import provenance_of
from ctcasr.data.sidecar import ENHANCED_BY, enhanced_by, merged, sign

A = {"checkpoint": "a.pt", "listener": "11"}
B = {"checkpoint": "b.pt", "listener": None}


def test_a_signed_file_marks_neither_its_neighbours_nor_folders_below(tmp_path: Path) -> None:
    sign(tmp_path, ["better.flac"], "a", A)
    assert enhanced_by(tmp_path / "better.flac") == A
    for other in ("noisy.flac", "corpus/better.flac", "corpus/audio/x.flac"):
        assert enhanced_by(tmp_path / other) is None, other


def test_each_file_keeps_who_wrote_it_last(tmp_path: Path) -> None:
    sign(tmp_path, ["1.wav"], "a", A)
    sign(tmp_path, ["2.wav"], "b", B)
    assert (enhanced_by(tmp_path / "1.wav"), enhanced_by(tmp_path / "2.wav")) == (A, B)
    sign(tmp_path, ["1.wav"], "b", B)
    assert enhanced_by(tmp_path / "1.wav") == B


@pytest.mark.parametrize("content", ['{"listener": "x"}', "{}", "[]", "{torn"])
def test_a_former_sidecar_marks_all_that_lies_below(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "out" / "a" / "b"
    folder.mkdir(parents=True)
    (tmp_path / "out" / ENHANCED_BY).write_text(content)
    (folder / "x.wav").write_bytes(b"1")
    provenance = provenance_of([Utterance(folder / "x.wav")])
    assert (provenance["enhanced"], provenance["enhanced_examples"]) == (1, ["x.wav"])
    former = json.loads(content) if content.startswith('{"') else {}
    assert enhanced_by(folder / "x.wav") == former
    sign(tmp_path / "out", ["y.wav"], "a", A)  # which takes nothing back
    assert enhanced_by(folder / "x.wav") == former
    assert enhanced_by(tmp_path / "out" / "y.wav") == A


def test_several_enhancers_are_told_together() -> None:
    assert merged([A, B]) == {"checkpoint": "a.pt b.pt", "listener": "11"}
    assert merged([]) == {}
