from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.records import read_records, record_from
from ctcasr.show.records import final_course, number


def test_what_was_written_is_read(records, write_run):
    assert read_records(write_run(records)) == records


def test_a_cut_at_any_byte_loses_at_most_one_record(records, write_run, recwarn):
    path = write_run(records[:3]) / "records.jsonl"
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        complete = whole[:end].count(b"\n")
        # A record whose newline alone is missing is whole, too.
        assert len(read_records(path)) in (complete, complete + 1)
        assert read_records(path)[:complete] == records[:complete]
    assert not recwarn.list


BROKEN = ["{", "[]", "3", '"x"', "null", '{"step": 3}', '{"kind": "step", "step": "x"}', "\0\0"]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_line_in_the_middle_is_named(tmp_path, broken):
    path = tmp_path / "records.jsonl"
    path.write_text(
        '{"kind": "step", "step": 1}\n' + broken + '\n{"kind": "step", "step": 2}\n',
        encoding="utf-8",
    )
    with pytest.warns(UserWarning, match="records.jsonl:2"):
        assert [line.step for line in read_records(path)] == [1, 2]


def test_no_file_is_an_error_that_names_it():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_records(Path("nowhere"))


def test_numbers_are_finite_numbers():
    for value in (None, True, "3", "nan", float("nan"), float("inf"), [1], 10**400):
        assert number(value) is None
    assert number(3) == 3.0 and number(-0.5) == -0.5


def test_steps_gone_over_again_count_once(records):
    steps = [r for r in records if r.kind == "step"]
    crashed, again = steps[:35], steps[30:]
    assert final_course(
        crashed
        + [
            record_from({"kind": "start", "step": 30}),
            record_from({"kind": "event", "step": 30, "what": "resumed"}),
        ]
        + again
    ) == (
        steps[:30]
        + [
            record_from({"kind": "start", "step": 30}),
            record_from({"kind": "event", "step": 30, "what": "resumed"}),
        ]
        + steps[30:]
    )
    assert final_course(crashed + again) == steps
    assert final_course(records + records)[-len(records) :] == records
    assert final_course(records) == records
