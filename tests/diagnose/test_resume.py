"""A run that was stopped and resumed is judged as one that was not."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr.recognise import Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import spec_to
from ctcasr.records import CheckRecord, read_records
from ctcasr.train import TrainConfig, fit

from .conftest import Fixed, make_batches


def plain(value: Any) -> Any:
    """NaN equals NaN."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def train(case: Any, out: Path, stop_at: int | None, resume: bool) -> None:
    torch.manual_seed(0)
    model = build(case.spec, case.alphabet.size)
    task = Recognise(model, case.alphabet, spec_to(case.spec))
    batches = make_batches(case.train[:32], case.alphabet, 8)
    dev = make_batches(case.dev, case.alphabet, 32)
    config = TrainConfig(epochs=3, lr=1e-2, log_every=1, save_every_s=0.0, device="cpu")
    for record in fit(
        task, Fixed(batches), Fixed(dev, False), out=out, config=config, resume=resume
    ):
        if stop_at is not None and record.kind == "step" and record.step == stop_at:
            return  # as a crash would: last.pt is of the step before


@pytest.mark.parametrize("stop_at", [2, 5, 6])
def test_a_stop_changes_no_verdict(healthy: Any, tmp_path: Path, stop_at: int) -> None:
    case = dataclasses.replace(healthy)
    train(case, tmp_path / "whole", None, False)
    train(case, tmp_path / "part", stop_at, False)
    train(case, tmp_path / "part", None, True)
    found = []
    for name in ("whole", "part"):
        checks = [r for r in read_records(tmp_path / name) if isinstance(r, CheckRecord)]
        found.append(
            [(check.step, plain(check.evidence), plain(check.verdict)) for check in checks]
        )
    assert len(found[0]) == 3 and found[0] == found[1]
