"""Names: every utterance has one of its own, as short as may be, also as a name of files."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ctcasr.batch import Utterance
from ctcasr.data import read_manifest, write_manifest
from ctcasr.data.names import is_unicode, named, unique_names, where_of

FOLDERS = st.lists(st.sampled_from(["a", "b", "A", "a-b"]), max_size=3)
PATHS = st.builds(
    lambda folders, stem, suffix: Path(*folders, stem + suffix),
    FOLDERS,
    st.sampled_from(["1", "2", "a-1", "b-a-1"]),
    st.sampled_from([".wav", ".flac", ""]),
)
LINES = st.lists(st.tuples(PATHS, st.sampled_from([0.0, 1.5])), max_size=12)


@given(LINES, st.booleans())
def test_no_two_have_one_name(lines: list[tuple[Path, float]], with_lines: bool) -> None:
    utterances = []
    for number, (path, offset) in enumerate(lines, start=1):
        where = f"m.jsonl:{number}" if with_lines else ""
        utterances.append(Utterance(path, offset=offset, where=where))
    names = unique_names(utterances)
    assert len({name.replace("/", "-").casefold() for name in names}) == len(names)
    found = named(utterances)
    assert [utterance.id for utterance in found] == names
    assert len({utterance.file_name.casefold() for utterance in found}) == len(names)
    assert all("/" not in utterance.file_name for utterance in found)


@given(st.permutations(["x/1.wav", "y/2.wav", "3.flac"]))
def test_where_stems_differ_they_are_the_names(paths: list[str]) -> None:
    utterances = [Utterance(Path(path)) for path in paths]
    assert unique_names(utterances) == [Path(path).stem for path in paths]
    assert all(one is other for one, other in zip(named(utterances), utterances, strict=True))


def test_five_speakers_with_one_file_name_are_five(tmp_path: Path) -> None:
    lines = []
    for speaker in ("anna", "ben", "cem", "dora", "eva"):
        lines.append({"audio_filepath": str(tmp_path / speaker / "002.wav"), "text": "a"})
    write_manifest(tmp_path / "train.jsonl", lines)
    utterances = read_manifest(tmp_path / "train.jsonl").utterances
    assert [one.id for one in utterances] == [
        "anna/002",
        "ben/002",
        "cem/002",
        "dora/002",
        "eva/002",
    ]
    assert utterances[2].full_name == "train.jsonl:3 (cem/002)"
    assert utterances[2].file_name == "cem-002"


def test_lines_with_one_sound_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    line = {"audio_filepath": str(tmp_path / "a.wav"), "text": "a"}
    write_manifest(tmp_path / "m.jsonl", [line, {**line, "offset": 2.0}, line])
    assert [one.id for one in read_manifest(tmp_path / "m.jsonl")] == ["a#1", "a@2", "a#3"]


def test_where_of_an_utterance_without_a_manifest() -> None:
    assert where_of(Utterance(Path("x/a.wav"))) == "a"
    assert where_of(Utterance(Path("x/a.wav"), where="m.jsonl:4")) == "m.jsonl:4"


def test_a_name_in_an_old_encoding_is_no_unicode() -> None:
    old = os.fsdecode("büro.wav".encode("latin-1"))
    assert not is_unicode(Path("x") / old) and is_unicode(Path("büro.wav"))
