"""Records: a line each, strict JSON, and cut back to where a run is resumed."""

from __future__ import annotations

import errno
import io
import json
import math
from pathlib import Path

import pytest

from ctcasr.records import EventRecord, RecordFile, read_records, read_run, record_from


def written(path: Path, *steps: int) -> Path:
    file = RecordFile(path)
    for step in steps:
        file.write(record_from({"kind": "step", "step": step, "loss": step / 2}))
    file.close()
    return path


def test_a_record_is_on_the_disk_before_it_is_returned(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "records.jsonl")
    for step in range(3):
        record = file.write(
            record_from({"kind": "step", "step": step, "text": "ü\n\u2028", "loss": 0.1})
        )
        assert read_records(tmp_path / "records.jsonl")[-1] == record
    file.close()
    assert read_records(tmp_path) == [
        record_from({"kind": "step", "step": step, "text": "ü\n\u2028", "loss": 0.1})
        for step in range(3)
    ]


def test_a_new_run_begins_a_new_file(tmp_path: Path) -> None:
    path = written(tmp_path / "records.jsonl", 1, 2, 3)
    RecordFile(path).close()
    assert read_records(path) == []


@pytest.mark.parametrize(
    ("keep", "left"), [(0, []), (2, [1, 2]), (4, [1, 2, 2, 3]), (9, [1, 2, 2, 3, 4])]
)
def test_resuming_takes_away_what_came_after_the_checkpoint(
    keep: int, left: list[int], tmp_path: Path
) -> None:
    path = written(tmp_path / "records.jsonl", 1, 2, 2, 3, 4)
    file = RecordFile(path, keep=keep)
    assert [record.step for record in file.history] == left
    file.write(record_from({"kind": "event", "step": 7, "what": "resumed"}))
    file.close()
    assert [record.step for record in read_records(path)] == [*left, 7]
    assert [p.name for p in tmp_path.iterdir()] == ["records.jsonl"]


def test_resuming_without_a_file_begins_one(tmp_path: Path) -> None:
    RecordFile(tmp_path / "records.jsonl", keep=5).close()
    assert read_records(tmp_path) == []


def test_a_last_line_cut_by_a_crash_is_left_out_wherever_it_was_cut(tmp_path: Path) -> None:
    whole = written(tmp_path / "records.jsonl", 1, 2, 3).read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(start, len(whole) - 1):
        (tmp_path / "cut.jsonl").write_bytes(whole[:end])
        assert [record.step for record in read_records(tmp_path / "cut.jsonl")] == [1, 2]
        file = RecordFile(tmp_path / "cut.jsonl", keep=2)  # and the next line does not stick to it
        file.write(record_from({"kind": "step", "step": 3}))
        file.close()
        assert [record.step for record in read_records(tmp_path / "cut.jsonl")] == [1, 2, 3]


def test_numbers_that_json_does_not_know_are_words(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "records.jsonl")
    file.write(
        record_from(
            {
                "kind": "check",
                "step": 1,
                "loss": math.inf,
                "nested": {"a": [math.nan, -math.inf, 1.5]},
            }
        )
    )
    file.close()

    def refuse(name: str) -> None:
        raise AssertionError(name)

    (line,) = (tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line, parse_constant=refuse)["nested"] == {"a": ["nan", "-inf", 1.5]}


def test_a_disk_that_refuses_the_file_is_told_by_its_name_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, _text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ctcasr.records.write_text", refuse)
    with pytest.raises(OSError, match=r"records\.jsonl .No space.*\. Free some space") as caught:
        RecordFile(tmp_path / "records.jsonl")
    assert caught.value.errno == errno.ENOSPC


def test_a_disk_that_refuses_a_record_is_told_by_the_name_of_the_file(tmp_path: Path) -> None:
    class FullDisk(io.StringIO):
        """A file that takes nothing, and tries again where it is closed."""

        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            self.write("")

    file = RecordFile(tmp_path / "records.jsonl")
    file.close()
    file.file = FullDisk()
    with pytest.raises(OSError, match=r"records\.jsonl \(No space left.*\)\. Free .* resume"):
        file.write(EventRecord(step=1))
    file.close()


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected the records of a run"):
        read_records(tmp_path)


BROKEN = ["{", "[]", "3", '"x"', "null", '{"step": 3}', '{"kind": "step", "step": "x"}', "\0\0"]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_line_in_the_middle_is_named(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "records.jsonl"
    lines = ['{"kind": "step", "step": 1}', broken, '{"kind": "step", "step": 2}', ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.warns(UserWarning, match=r"records\.jsonl:2"):
        assert [record.step for record in read_records(path)] == [1, 2]


def test_broken_bytes_in_a_name_stop_no_run(tmp_path: Path) -> None:
    name = b"caf\xe9.wav".decode("utf-8", "surrogateescape")
    event = EventRecord(step=1, message=name, ids=[name, "日本"])
    for keep in (0, 1):
        file = RecordFile(tmp_path / "records.jsonl", keep)
        file.write(event)
        file.close()
        assert read_records(tmp_path)[-1] == event


def test_many_broken_lines_are_one_warning(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text("nonsense\n" * 34, encoding="utf-8")
    with pytest.warns(UserWarning, match=r"jsonl:1: not a record.*and 33 lines more") as told:
        assert read_records(tmp_path) == []
    assert len(told) == 1


def test_a_run_without_a_record_is_none(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").touch()
    with pytest.raises(ValueError, match="holds none"):
        read_run(tmp_path)
