"""Which utterance, text and condition a line names."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.compare.formats import Reader
from ctcasr.data import read_manifest
from tests.fixtures.result_files import EXPECTED, lines_of, read, texts, write


def test_two_recognisers_in_one_versa_file_have_to_be_told_apart(tmp_path: Path) -> None:
    lines = lines_of("ref_text", "whisper_hyp_text", "key", owsm_hyp_text="x")
    path = write(tmp_path, "versa.jsonl", *lines)
    with pytest.raises(ValueError, match="--columns hypothesis=whisper_hyp_text"):
        read(path)
    assert texts(read(path, hypothesis="whisper_hyp_text")) == EXPECTED


@pytest.mark.parametrize("value", ["NaN", "Infinity", "[1]", '{"a": 1}'])
def test_what_is_no_text_is_no_hypothesis(tmp_path: Path, value: str) -> None:
    path = write(tmp_path, "a.jsonl", '{"id": "u1", "hypothesis": ' + value + "}")
    with pytest.raises(ValueError, match=r"a.jsonl:1: expected a text as hypothesis"):
        read(path)


@pytest.mark.parametrize("name", ["r.tsv", "r.csv", "r"])
def test_the_only_text_of_a_table_is_what_the_system_wrote(tmp_path: Path, name: str) -> None:
    separator = "," if name == "r.csv" else "\t"
    path = write(tmp_path, name, f"id{separator}text", f"u1{separator}the bat")
    assert texts(read(path)) == {"u1": (None, "the bat")}
    (answer,) = Reader().references(path)
    assert answer.text == "the bat"


def test_a_first_line_without_a_hypothesis_turns_no_reference_into_one(tmp_path: Path) -> None:
    lines = [{"id": "u0", "text": "the cat"}]
    lines.append({"id": "u1", "text": "the cat", "pred_text": "the bat"})
    assert texts(read(write(tmp_path, "r.jsonl", *lines))) == {"u1": ("the cat", "the bat")}


def test_a_first_line_without_a_named_column_hides_it_from_no_other(tmp_path: Path) -> None:
    lines = [{"id": "u0", "noise": "rain"}]
    lines.append({"id": "u1", "text": "the hat", "said": "the cat"})
    path = write(tmp_path, "ref.jsonl", *lines)
    answers = Reader({"reference": "said"}).references(path)
    assert [answer.text for answer in answers] == [None, "the cat"]


def test_named_columns_hold_for_references_that_have_them(tmp_path: Path) -> None:
    reader = Reader({"id": "utt", "hypothesis": "asr", "reference": "said"})
    (answer,) = reader.references(write(tmp_path, "ref.csv", "utt,said", "u1,the cat"))
    assert (answer.id, answer.text) == ("u1", "the cat")
    (answer,) = reader.references(write(tmp_path, "man.csv", "id,noise", "u1,rain"))
    assert (answer.id, answer.fields) == ("u1", {"noise": "rain"})
    (system,) = reader.systems(write(tmp_path, "a.csv", "utt,asr", "u1,the bat"))
    assert texts(dict(system.answers)) == {"u1": (None, "the bat")}
    with pytest.raises(ValueError, match="expected a column asr"):
        reader.systems(write(tmp_path, "b.csv", "utt,hyp", "u1,the bat"))


def test_fields_that_are_called_as_ours_drop_no_line(tmp_path: Path) -> None:
    lines = lines_of("reference", "hypothesis", "id", part="dev", status="done")
    assert texts(read(write(tmp_path, "r.jsonl", *lines))) == EXPECTED


def test_sounds_of_one_name_are_called_as_evaluate_calls_them(tmp_path: Path) -> None:
    lines = []
    for number, path in enumerate(("s0/000.wav", "s1/000.wav", "s1/001.wav", "s1/001.wav")):
        offset = 0.5 if number == 3 else 0.0
        lines.append({"audio_filepath": path, "offset": offset, "pred_text": "x", "text": "y"})
    path = write(tmp_path, "r.jsonl", *lines)
    utterances = read_manifest(path).utterances
    assert list(read(path)) == [utterance.id for utterance in utterances]


@pytest.mark.parametrize("value", ["true", '"\\ud800"', '["a", "b"]'])
def test_what_json_can_say_and_no_text_is(tmp_path: Path, value: str) -> None:
    path = write(tmp_path, "r.jsonl", f'{{"id": "u1", "hypothesis": {value}}}')
    with pytest.raises(ValueError, match=r"r.jsonl:1: expected a text as hypothesis"):
        read(path)


def test_an_offset_is_read_only_where_it_is_part_of_a_name(tmp_path: Path) -> None:
    line = {"audio_filepath": "a.wav", "offset": "n/a", "pred_text": "the bat"}
    named = write(tmp_path, "r.jsonl", {"id": "u1", **line})
    assert texts(read(named)) == {"u1": (None, "the bat")}
    with pytest.raises(ValueError, match=r"s.jsonl:1: offset: expected seconds"):
        read(write(tmp_path, "s.jsonl", line))
