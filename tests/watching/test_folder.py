"""A watch replaces no training, and keeps the records of the watch before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.records import RecordFile, StartRecord, StepRecord, read_records
from ctcasr.watching.folder import BEFORE, open_records


def session(out: Path, step: int) -> None:
    records = open_records(out)
    records.write(StartRecord(step=0))
    records.write(StepRecord(step=step, loss=1.0))
    records.close()


def test_the_watch_before_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    session(out, 3)
    session(out, 4)
    assert read_records(out)[-1].step == 4
    assert read_records(out / BEFORE)[-1].step == 3


@pytest.mark.parametrize("resumed", [False, True])
def test_a_training_is_never_replaced(tmp_path: Path, resumed: bool) -> None:
    file = RecordFile(tmp_path / "records.jsonl")
    file.write(StartRecord(step=0, network=None if resumed else "default"))
    if resumed:  # as an older version of this library let a watch do
        file.write(StartRecord(step=8, network="default"))
    file.close()
    before = (tmp_path / "records.jsonl").read_bytes()
    with pytest.raises(FileExistsError, match=r"watch\(out='.*_watched'\)"):
        open_records(tmp_path)
    assert (tmp_path / "records.jsonl").read_bytes() == before
    assert not (tmp_path / BEFORE).exists()
