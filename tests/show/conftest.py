"""A run's records, made up: a plateau of blanks, a release, and what may befall a run on the way."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ctcasr.records import Record, record_from

EPOCHS, PER_EPOCH = 6, 10


def make_run() -> Iterator[Record]:
    steps = EPOCHS * PER_EPOCH
    yield record_from(
        {
            "kind": "start",
            "step": 0,
            "network": "three layers",
            "parameters": 1234567,
            "device": "cpu",
            "epochs": EPOCHS,
            "steps": steps,
            "batches_per_epoch": PER_EPOCH,
            "train_seconds": 200.0,
            "expected_epoch_s": 12.0,
            "expected_total_s": 72.0,
            "expected_memory_bytes": 3 << 30,
            "uncovered": {"é": 3},
            "skipped": ["train.jsonl:17: not JSON"],
            "time_s": 0.0,
        }
    )
    time_s = 0.0
    for step in range(1, steps + 1):
        time_s += 1.0
        released = 1 / (1 + math.exp(-(step - 25) / 3))
        yield record_from(
            {
                "kind": "step",
                "step": step,
                "epoch": (step - 1) // PER_EPOCH,
                "loss": 80 * math.exp(-step / 20),
                "lr": 1e-3,
                "grad_norm": 2.0,
                "audio_s": 20.0,
                "step_s": 0.75,
                "wait_s": 0.25,
                "blank_mass": 0.99 - 0.4 * released,
                "blank_expected": 0.6,
                "blank_argmax": 0.97,
                "infeasible": 0,
                "time_s": time_s,
            }
        )
        if step == 7:
            yield record_from(
                {
                    "kind": "event",
                    "step": step,
                    "what": "skipped-step",
                    "message": "gradient not finite",
                    "ids": ["a", "b"],
                    "time_s": time_s,
                }
            )
            yield record_from(
                {
                    "kind": "event",
                    "step": step,
                    "what": "infeasible",
                    "message": "2 left out: c: 3 frames cannot spell 9 ...",
                    "ids": ["c: 3 frames cannot spell 9", "d: 1 frame cannot"],
                    "time_s": time_s,
                }
            )
        if step % PER_EPOCH == 0:
            wer = 1.0 - 0.95 * released
            yield record_from(
                {
                    "kind": "check",
                    "step": step,
                    "epoch": step // PER_EPOCH,
                    "dev_loss": 90 * math.exp(-step / 20),
                    "wer": wer,
                    "cer": wer / 2,
                    "loss": 1.0,
                    "samples": [
                        {
                            "id": f"u{i}",
                            "reference": "bin [red] at f two",
                            "hypothesis": "bin red f two two",
                        }
                        for i in range(3)
                    ],
                    "report": {},
                    "verdict": {"state": "learning", "causes": []},
                    "best": True,
                    "time_s": time_s,
                }
            )
            yield record_from(
                {
                    "kind": "epoch",
                    "step": step,
                    "epoch": step // PER_EPOCH,
                    "train_loss": 1.0,
                    "seconds": 9.0,
                    "time_s": time_s,
                }
            )
    yield record_from(
        {
            "kind": "event",
            "step": steps,
            "what": "finished",
            "message": "60 steps",
            "ids": [],
            "time_s": time_s,
        }
    )


@pytest.fixture
def records() -> list[Record]:
    return list(make_run())


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[[list[Record]], Path]:
    def write(lines: list[Record]) -> Path:
        rows = [json.dumps({"kind": line.kind, "step": line.step, **line.data}) for line in lines]
        (tmp_path / "records.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def cause() -> dict[str, Any]:
    return {"slug": "rate-too-high", "evidence": "ratio 0.4", "cure": "a tenth of it", "step": 20}
