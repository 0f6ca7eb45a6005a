"""Pictures of a classifier: learning always, the matrix where something was classified."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from ctcasr.records import CheckRecord, StepRecord
from ctcasr.scoring.confusion import Confusion
from ctcasr.show import draw_classes

pytest.importorskip("matplotlib")

RECORDS = [
    StepRecord(step=1, loss=2.0, details={"accuracy": 0.1}),
    CheckRecord(step=2, loss=1.0, metrics={"accuracy": 0.5}),
]


@pytest.mark.parametrize("classes", [("yes", "n$o$"), tuple(f"w{k}" for k in range(30))])
def test_the_pictures_are_drawn(write_run, classes: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    confusion = Confusion.of(classes, [(0, 0), (0, 1), (1, 1)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = draw_classes(write_run(RECORDS), confusion)
    assert [path.name for path in paths] == ["learning.png", "confusion.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_nothing_classified_has_no_matrix(write_run) -> None:  # type: ignore[no-untyped-def]
    paths = draw_classes(write_run(RECORDS), Confusion.of(("yes", "no")))
    assert [path.name for path in paths] == ["learning.png"]


def test_no_records_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"records\.jsonl"):
        draw_classes(tmp_path, Confusion.of(("yes", "no")))
