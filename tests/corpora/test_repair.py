"""Looking into files: kinds by their first bytes, doubles, and the report."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.batch import Utterance
from ctcasr.corpora._repair import Report, repair, sniff


def clip(path: Path, seed: int, label: str, seconds: float = 0.5) -> Utterance:
    samples = 0.1 * np.random.default_rng(seed).standard_normal(round(16000 * seconds))
    soundfile.write(path, samples, 16000)
    return Utterance(path, label=label)


@pytest.mark.parametrize(("suffix", "kind"), [("wav", "WAV"), ("flac", "FLAC"), ("ogg", "OGG")])
def test_a_kind_is_known_by_its_first_bytes(tmp_path: Path, suffix: str, kind: str) -> None:
    clip(tmp_path / f"a.{suffix}", 0, "x")
    (tmp_path / f"a.{suffix}").rename(tmp_path / "a.bin")
    assert sniff(tmp_path / "a.bin") == kind
    (tmp_path / "a.bin").write_bytes(b"not a sound at all")
    assert sniff(tmp_path / "a.bin") is None


def test_of_doubles_the_first_stays_and_of_two_labels_none(tmp_path: Path) -> None:
    clips = [
        clip(tmp_path / "a.wav", 0, "dog"),
        clip(tmp_path / "b.wav", 0, "dog"),
        clip(tmp_path / "c.wav", 1, "dog"),
        clip(tmp_path / "d.wav", 1, "cat"),
    ]
    report = Report()
    usable = repair(clips, tmp_path / "mended", report)
    assert [utterance.audio_filepath.name for utterance in usable] == ["a.wav"]
    assert report.counts == {"left out: double": 2, "left out: two labels": 1}
    assert len(repair(clips, tmp_path / "mended", Report(), keep_doubles=True)) == 4


def test_long_clips_are_cut_and_told(tmp_path: Path) -> None:
    report = Report()
    (usable,) = repair([clip(tmp_path / "a.wav", 0, "x", 2.0)], tmp_path, report, clip_s=0.5)
    assert usable.duration == 0.5 and report.counts == {"cut": 1}


def test_a_report_is_a_table_that_replaces_none(tmp_path: Path) -> None:
    report = Report()
    report.add("name\twith\ttabs", "left out: empty")
    report.write(tmp_path / "r.tsv")
    lines = (tmp_path / "r.tsv").read_text(encoding="utf-8").splitlines()
    assert lines == ["file\twhat\tdetails", "name with tabs\tleft out: empty\t"]
    with pytest.raises(FileExistsError):
        report.write(tmp_path / "r.tsv")


def test_a_file_that_no_manifest_can_name_is_left_out_and_told(tmp_path: Path) -> None:
    old = tmp_path / os.fsdecode("büro.wav".encode("latin-1"))
    clips = [clip(tmp_path / "a.wav", 0, "x"), Utterance(old, label="x")]
    old.write_bytes((tmp_path / "a.wav").read_bytes())
    report = Report()
    (usable,) = repair(clips, tmp_path / "mended", report)
    assert usable.audio_filepath.name == "a.wav" and report.counts == {"left out: name": 1}
    report.write(tmp_path / "r.tsv")
    assert "b\\udcfcro.wav" in (tmp_path / "r.tsv").read_text(encoding="utf-8")
