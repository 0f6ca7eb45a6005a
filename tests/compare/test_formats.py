"""Result files of other tools, each as its tool writes it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ctcasr.compare.formats import Reader, kind_of
from tests.fixtures.result_files import EXPECTED, lines_of, read, texts, write


def test_hypotheses_of_ctcasr_evaluate(tmp_path: Path) -> None:
    lines = lines_of("reference", "hypothesis", "id", audio_filepath="x.wav", score=-1.5, words=[])
    path = write(tmp_path, "hypotheses.jsonl", *lines)
    assert texts(read(path)) == EXPECTED
    assert Reader().systems(path)[0].name == tmp_path.name


def test_nemo_manifests(tmp_path: Path) -> None:
    lines = []
    for key, (said, heard) in EXPECTED.items():
        sound = f"/data/{key}.wav"
        line = {"audio_filepath": sound, "duration": 1.5, "text": said, "pred_text": heard}
        lines.append({**line, "snr_db": 2.5})
    answers = read(write(tmp_path, "out.json", *lines))
    assert texts(answers) == EXPECTED
    assert answers["u1"].fields == {"snr_db": "2.5"}


@pytest.mark.parametrize("separator", ["\t", " "])
def test_names_and_texts(tmp_path: Path, separator: str) -> None:
    path = write(tmp_path, "text", f"u1{separator}the bat", "u2")
    assert texts(read(path)) == {"u1": (None, "the bat"), "u2": (None, "")}


def test_versa_as_json_and_as_python_prints_it(tmp_path: Path) -> None:
    counts = {"whisper_wer_delete": 0, "whisper_wer_equal": 1}
    lines = lines_of("ref_text", "whisper_hyp_text", "key", **counts)
    assert texts(read(write(tmp_path, "versa.jsonl", *lines))) == EXPECTED
    printed = [repr(line) for line in lines]
    assert texts(read(write(tmp_path, "versa.txt", *printed))) == EXPECTED


def test_urgent_rows(tmp_path: Path) -> None:
    rows = []
    for key, (said, heard) in EXPECTED.items():
        row = {"hyp_text": heard, "ref_text": said, "delete": 0, "insert": 0, "replace": 1}
        rows.append(f"{key} {json.dumps(row)}")
    path = write(tmp_path, "WER.scp", *rows)
    assert kind_of(path) == "rows"
    assert texts(read(path)) == EXPECTED


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_by_the_names_of_their_columns(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "asr.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["file_id", "truth", "asr", "noise"])
        for key, (said, heard) in EXPECTED.items():
            writer.writerow([key, said, heard, "rain"])
    answers = read(path, id="file_id", reference="truth", hypothesis="asr")
    assert texts(answers) == EXPECTED
    assert answers["u1"].fields["noise"] == "rain"
    with pytest.raises(ValueError, match=r"expected a column uid \(--columns id=uid\); got"):
        read(path, id="uid")


@pytest.mark.parametrize("name", ["t.tsv", "t.txt", "t"])
def test_a_table_by_tabs_is_one_whatever_its_ending(tmp_path: Path, name: str) -> None:
    rows = [f"{key}\t{said}\t{heard}" for key, (said, heard) in EXPECTED.items()]
    path = write(tmp_path, name, "id\treference\thypothesis", *rows)
    assert kind_of(path) == "csv" and texts(read(path)) == EXPECTED


def test_names_and_texts_with_another_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"t.txt:2: expected name<TAB>text; got 2 tabs"):
        read(write(tmp_path, "t.txt", "u1\tthe bat", "u2\tsat down\t0.9"))


def test_rows_of_score_enhanced_are_a_system_for_each_condition(tmp_path: Path) -> None:
    head = "scene,part,recogniser,condition,status,reference,hypothesis,noise"
    lines = ["S1,test,R1,noisy,ok,the cat,a cat,rain", "S1,test,R1,mask,ok,the cat,the cat,rain"]
    lines.append("S2,test,R1,mask,missing,the cat,,rain")
    lines.append("S3,dev,R1,mask,ok,the cat,the cat,rain")
    path = write(tmp_path, "rows.csv", head, *lines)
    systems = {system.name: system for system in Reader().systems(path)}
    assert set(systems) == {"R1: noisy", "R1: mask"}
    heard = list(systems["R1: mask"].answers)
    assert heard == ["S1"], "without what was not heard, and without the dev part"


def test_a_ctm_of_other_recordings_is_told_with_its_file(tmp_path: Path) -> None:
    reader = Reader()
    reader.references(write(tmp_path, "ref.stm", "rec A spk 0.0 1.0 the cat"))
    with pytest.raises(ValueError, match=r"hyp.ctm: rec-1: expected a recording and channel"):
        reader.systems(write(tmp_path, "hyp.ctm", "rec 1 0.1 0.2 the"))


def test_a_ctm_is_cut_as_the_reference_is(tmp_path: Path) -> None:
    reference = write(tmp_path, "ref.stm", "rec A x 0 1 the cat", "rec A x 1 2 sat down")
    hypothesis = write(tmp_path, "hyp.ctm", "rec A 0.1 0.2 the", "rec A 0.5 0.2 bat")
    reader = Reader()
    said = {answer.id: answer.text for answer in reader.references(reference)}
    (system,) = reader.systems(hypothesis)
    assert list(said.values()) == ["the cat", "sat down"]
    assert {name: answer.hypothesis for name, answer in system.answers.items()} == dict(
        zip(said, ["the bat", ""], strict=True)
    )


def test_what_is_no_result_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a file of results; there is none"):
        kind_of(tmp_path / "nowhere.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match="the file is empty"):
        kind_of(tmp_path / "empty.jsonl")
    broken = write(tmp_path, "broken.jsonl", '{"id": "u1"', "")
    with pytest.raises(ValueError, match=r"broken.jsonl:1: expected a JSON object"):
        Reader().systems(broken)
    nameless = write(tmp_path, "nameless.jsonl", {"hypothesis": "a"})
    with pytest.raises(ValueError, match="expected a name of the utterance"):
        Reader().systems(nameless)


def test_meeteval_writes_seglst_and_stm_that_are_read(tmp_path: Path) -> None:
    meeteval_io = pytest.importorskip("meeteval.io")
    segments = [
        {"session_id": "m", "speaker": "x", "start_time": 0, "end_time": 1, "words": "the cat"},
        {"session_id": "m", "speaker": "y", "start_time": 1, "end_time": 2, "words": "sat down"},
    ]
    seglst = meeteval_io.SegLST(segments)
    seglst.dump(tmp_path / "ref.json")
    meeteval_io.STM.new(seglst).dump(tmp_path / "ref.stm")
    for name in ("ref.json", "ref.stm"):
        answers = Reader().references(tmp_path / name)
        assert [answer.text for answer in answers] == ["the cat", "sat down"]
        assert [answer.fields["speaker"] for answer in answers] == ["x", "y"]


def test_what_is_no_utf8_is_told_with_its_file(tmp_path: Path) -> None:
    for name, content in (("latin.txt", b"u1\tcaf\xe9\n"), ("wide.csv", "id,x\n".encode("utf-16"))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}: expected UTF-8"):
            read(tmp_path / name)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_ends_at_a_line_feed_and_texts_hold_separators(tmp_path: Path, end: str) -> None:
    text = "the\u2028 bat\x85 sat"
    line = json.dumps({"id": "u1", "hypothesis": text}, ensure_ascii=False)
    for name, content in (("a.jsonl", line), ("a.txt", f"u1\t{text}"), ("a.trn", f"{text} (u1)")):
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + (content + end).encode())
        (answer,) = read(path).values()
        assert (answer.hypothesis or "").split() == ["the", "bat", "sat"]


def test_an_empty_hypothesis_of_a_name_with_spaces(tmp_path: Path) -> None:
    answers = read(write(tmp_path, "text", "my file\t", "other file\tthe bat"))
    assert texts(answers) == {"my file": (None, ""), "other file": (None, "the bat")}


def test_a_file_of_references_has_each_utterance_once(tmp_path: Path) -> None:
    alike = write(tmp_path, "alike", "u1\tthe cat", "u1\tthe cat")
    assert {answer.text for answer in Reader().references(alike)} == {"the cat"}
    path = write(tmp_path, "ref", "u1\tthe cat", "u1\tsat down")
    with pytest.raises(ValueError, match="u1 occurs twice, and not alike"):
        Reader().references(path)


def test_of_what_evaluate_wrote_the_file_to_take_is_named(tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    scores.write_text('{\n  "wer": 0.1\n}\n')
    for path in (tmp_path, scores):
        with pytest.raises(ValueError, match=r"take .*hypotheses\.jsonl"):
            kind_of(path)


def test_a_table_of_named_columns_is_one(tmp_path: Path) -> None:
    path = write(tmp_path, "r.tsv", "clip\tasr", "u1\tthe bat")
    assert texts(read(path, id="clip", hypothesis="asr")) == {"u1": (None, "the bat")}


@pytest.mark.parametrize("lines", [("id,reference",), ("[]",)])
def test_references_of_nothing_are_told(tmp_path: Path, lines: tuple[str, ...]) -> None:
    name = "ref.csv" if "," in lines[0] else "ref.json"
    with pytest.raises(ValueError, match="expected references; it has none"):
        Reader().references(write(tmp_path, name, *lines))


@pytest.mark.parametrize("words", [None, ["a", "b"]])
def test_words_of_seglst_are_a_text(tmp_path: Path, words: object) -> None:
    path = write(tmp_path, "r.json", json.dumps([{"session_id": "s", "words": words}]))
    with pytest.raises(ValueError, match="segment 1: words: expected a text"):
        read(path)


def test_an_optional_word_of_a_ctm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="uh"):
        read(write(tmp_path, "r.ctm", "rec 1 0.0 0.1 (uh)"))
