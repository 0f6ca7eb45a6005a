"""What a training leaves to look at: pictures, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from ctcasr.batch import Utterance
from ctcasr.records import Record
from ctcasr.show.results import draw_results
from tests.recognise.helpers import RATE, noise, recogniser


@pytest.fixture
def run(write_run: Callable[[list[Record]], Path], records: list[Record]) -> Path:
    """A run folder with its records."""
    return write_run(records)


@pytest.fixture
def utterance(tmp_path: Path) -> Utterance:
    soundfile.write(tmp_path / "a.wav", noise(RATE).numpy(), RATE)
    return Utterance(tmp_path / "a.wav", text="abc")


def test_a_run_and_its_utterances_are_drawn(run: Path, utterance: Utterance) -> None:
    pytest.importorskip("matplotlib")
    paths = draw_results(run, recogniser(), [utterance]).split()
    assert [Path(path).name for path in paths] == ["loss.png", "wer.png", "blank.png", "a.png"]
    assert all(Path(path).stat().st_size > 0 for path in paths)


def test_what_cannot_be_read_is_told_and_ends_nothing(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    gone = Utterance(tmp_path / "gone.wav", text="abc")
    assert "gone.wav" in draw_results(run, recogniser(), [gone])
