"""Event files: every number of the records, at its step, and a clear word where that cannot be."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ctcasr.cli import main as cli
from ctcasr.show import write_events

RECORDS: list[dict[str, Any]] = [
    {"kind": "start", "step": 0, "time_s": 0.0, "parameters": 7},
    {
        "kind": "step",
        "step": 5,
        "time_s": 1.0,
        "epoch": 0,
        "loss": 3.5,
        "lr": 1e-3,
        "grad_norm": "nan",
    },
    {
        "kind": "event",
        "step": 5,
        "time_s": 1.5,
        "what": "unreadable",
        "message": "1 left out: a.wav",
        "ids": ["a.wav"],
    },
    {
        "kind": "check",
        "step": 5,
        "time_s": 2.0,
        "wer": 0.75,
        "best": True,
        "report": {"blank_mass": 0.5},
        "evidence": {"dead": 0.25},
        "samples": [{"id": "u", "reference": "cat", "hypothesis": "cut"}],
        "verdict": {"state": "learning", "causes": []},
    },
    {"kind": "step", "step": 9, "time_s": 2.5, "epoch": 1, "loss": 9.9},
    {"kind": "start", "step": 5, "time_s": 2.0},  # resumed: step 9 is made again
    {"kind": "step", "step": 9, "time_s": 3.0, "epoch": 1, "loss": 2.5},
    {"kind": "epoch", "step": 9, "time_s": 3.0, "epoch": 1, "seconds": 3.0},
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "records.jsonl").write_text(
        "".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8"
    )
    return folder


def read(folder: Path) -> Any:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def test_the_numbers_come_back_at_their_steps_and_times(run: Path) -> None:
    pytest.importorskip("tensorboard")
    folder = write_events(run)
    found = read(folder)
    assert folder == run / "tensorboard"
    assert set(found.Tags()["scalars"]) == {
        "train/epoch",
        "train/loss",
        "train/lr",
        "dev/wer",
        "dev/report/blank_mass",
        "dev/evidence/dead",
        "epoch/epoch",
        "epoch/seconds",
    }
    loss = found.Scalars("train/loss")
    assert [(event.step, event.value) for event in loss] == [
        (5, 3.5),
        (9, 2.5),
    ]  # what a resumed run went over again counts once
    assert loss[1].wall_time - loss[0].wall_time == pytest.approx(2.0)
    assert [(e.step, e.value) for e in found.Scalars("dev/wer")] == [(5, 0.75)]
    texts = {
        tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode()
        for tag in found.Tags()["tensors"]
    }
    assert texts == {
        "event/unreadable/text_summary": "1 left out: a.wav",
        "verdict/text_summary": "learning",
        "heard/text_summary": "said: cat  \nheard: cut",
    }


def test_a_second_call_replaces_the_first_and_nothing_else(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    write_events(run)
    assert len(read(write_events(run)).Scalars("train/loss")) == 2
    assert len(list((run / "tensorboard").iterdir())) == 1 and {p.name for p in run.iterdir()} == {
        "records.jsonl",
        "tensorboard",
    }
    with pytest.raises(ValueError, match=r"it holds records\.jsonl"):
        write_events(run, run)
    assert (run / "records.jsonl").is_file()
    assert write_events(run / "records.jsonl", tmp_path / "else") == tmp_path / "else"


def test_the_command(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorboard")
    assert cli(["tensorboard", str(run)]) == 0
    assert capsys.readouterr().out == f"tensorboard --logdir {run / 'tensorboard'}\n"
    assert (
        cli(["tensorboard", str(tmp_path / "none")]) == 1
        and "expected the records of a run" in capsys.readouterr().err
    )


def test_without_the_package_it_says_what_to_install(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r"pip install 'ctcasr\[tensorboard\]'"):
        write_events(run)
    assert cli(["tensorboard", str(run)]) == 1 and "ctcasr[tensorboard]" in capsys.readouterr().err
