"""NIST's files, written by hand from sclite's manual, and SegLST."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctcasr.compare.sclite import (
    Timed,
    answers_of,
    put_into,
    read_ctm,
    read_seglst,
    read_stm,
    read_trn,
    whole_recordings,
)

STM = """;; comment
rec1 A spk1 0.0 2.0 <o,f0,female> she had your dark suit
rec1 A spk2 2.0 4.5 <o,f0,male> in greasy wash water
rec1 A spk1 4.5 5.0 IGNORE_TIME_SEGMENT_IN_SCORING
rec2 A spk1 0.00 1.00
"""
CTM = """;; comment
rec1 A 0.10 0.30 she 0.99
rec1 A 0.50 0.30 had
rec1 A 2.05 0.40 greasy 0.5
rec2 A 0.20 0.10 water
"""


def write(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_trn_has_the_name_in_its_last_brackets(tmp_path: Path) -> None:
    text = ";; comment\nshe had (a pause) (spk1-utt_1)\n(spk2_002)\n"
    answers = list(read_trn(write(tmp_path, "a.trn", text)))
    assert [(answer.id, answer.hypothesis) for answer in answers] == [
        ("spk1-utt_1", "she had (a pause)"),
        ("spk2_002", ""),
    ]
    assert [answer.fields["speaker"] for answer in answers] == ["spk1", "spk2"]


@pytest.mark.parametrize(
    ("text", "message"), [("no name", "its name"), ("{ a / b } (u_1)", "alternatives")]
)
def test_a_trn_that_is_none_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"a.trn:1: .*{message}"):
        list(read_trn(write(tmp_path, "a.trn", text)))


def test_stm_segments_have_speakers_labels_and_places(tmp_path: Path) -> None:
    answers = list(answers_of(read_stm(write(tmp_path, "a.stm", STM))))
    assert [answer.hypothesis for answer in answers] == [
        "she had your dark suit",
        "in greasy wash water",
        "",
    ]
    assert answers[0].fields == {"session": "rec1-A", "speaker": "spk1", "label": "o,f0,female"}
    assert answers[0].id == "rec1-A-spk1-0.00-2.00"


def test_words_of_a_ctm_go_into_the_segments_of_the_reference(tmp_path: Path) -> None:
    segments = list(read_stm(write(tmp_path, "a.stm", STM)))
    words = list(read_ctm(write(tmp_path, "a.ctm", CTM)))
    texts = [answer.hypothesis for answer in put_into(segments, words)]
    assert texts == ["she had", "greasy", "water"]
    whole = {answer.id: answer.hypothesis for answer in whole_recordings(words)}
    assert whole == {"rec1": "she had greasy", "rec2": "water"}


def test_words_in_ignored_time_are_nobodys(tmp_path: Path) -> None:
    segments = list(read_stm(write(tmp_path, "a.stm", STM)))
    assert [segment.scored for segment in segments] == [True, True, False, True]
    words = [Timed("rec1-A", "", 4.6, 4.8, "cough"), Timed("rec1-A", "", 4.3, 4.4, "water")]
    answers = list(put_into(segments, words))
    assert [answer.hypothesis for answer in answers] == ["", "water", ""]


@pytest.mark.parametrize("text", ["{ she / uh } had", "she (uh) had", "(%hesitation)"])
def test_choices_are_refused_wherever_they_stand(tmp_path: Path, text: str) -> None:
    stm = write(tmp_path, "a.stm", f"rec1 A spk1 0.0 2.0 <o,f0,female> {text}\n")
    segment = {"session_id": "m", "speaker": "x", "start_time": 0, "end_time": 1, "words": text}
    seglst = write(tmp_path, "a.json", json.dumps([segment]))
    trn = write(tmp_path, "a.trn", f"{text} (u_1)\n")
    for read, path in ((read_stm, stm), (read_seglst, seglst), (read_trn, trn)):
        with pytest.raises(ValueError, match="are not offered"):
            list(read(path))


def test_where_speakers_overlap_the_own_one_gets_the_words() -> None:
    segments = [Timed("m", "x", 0, 4, "one"), Timed("m", "y", 1, 5, "two")]
    pieces = [Timed("m", "y", 1.9, 2.1, "hers"), Timed("m", "x", 1.9, 2.1, "his")]
    assert [answer.hypothesis for answer in put_into(segments, pieces)] == ["his", "hers"]


def test_seglst_is_read(tmp_path: Path) -> None:
    segment = {"session_id": "m", "speaker": "x", "start_time": 0, "end_time": "1.5", "words": "hi"}
    path = write(tmp_path, "a.json", json.dumps([segment]))
    assert list(read_seglst(path)) == [Timed("m", "x", 0.0, 1.5, "hi")]
    path = write(tmp_path, "b.json", json.dumps([{"text": "hi"}]))
    with pytest.raises(ValueError, match="segment 1: expected session_id and words"):
        list(read_seglst(path))


def test_times_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a.ctm:1: expected a time in seconds; got 'soon'"):
        list(read_ctm(write(tmp_path, "a.ctm", "rec A soon 1 word\n")))
    with pytest.raises(ValueError, match=r"a.ctm:1: alternatives"):
        list(read_ctm(write(tmp_path, "a.ctm", "rec A 0 0 <ALT_BEGIN>\n")))


def test_words_of_a_recording_without_segments_are_not_lost() -> None:
    segment = Timed("rec-A", "x", 0.0, 1.0, "the cat")
    inside = Timed("rec-A", "", 0.1, 0.2, "the")
    outside = Timed("rec-B", "", 0.1, 0.2, "cat")
    answers = {answer.id: answer.hypothesis for answer in put_into([segment], [inside, outside])}
    assert answers == {segment.id: "the", "rec": "cat"}
    with pytest.raises(
        ValueError, match="rec-B: expected a recording and channel of the reference"
    ):
        list(put_into([segment], [outside]))


def test_times_are_finite(tmp_path: Path) -> None:
    path = tmp_path / "a.ctm"
    path.write_text("rec A nan 0.1 the\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a.ctm:1: expected a time in seconds; got 'nan'"):
        list(read_ctm(path))
