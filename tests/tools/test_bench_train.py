"""Benchmarks of training: they run, and their ratios say what they claim."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "bench"


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("_pairs", monkeypatch)


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_rounds_are_interleaved_and_turned_around(pairs: ModuleType) -> None:
    calls: list[str] = []
    ways = {
        name: lambda name=name: float(len(calls) if not calls.append(name) else 0) for name in "ab"
    }
    assert pairs.interleaved(ways, 3) == {"a": [1.0, 4.0, 5.0], "b": [2.0, 3.0, 6.0]}
    assert "".join(calls) == "abbaab"


def test_a_ratio_lies_within_its_interval_and_an_equal_pair_gives_one(pairs: ModuleType) -> None:
    above, below = [2.0, 2.2, 1.9, 2.1, 2.0, 2.4, 1.8], [1.0, 1.1, 1.0, 0.9, 1.0, 1.2, 1.0]
    found = pairs.ratio(above, below)
    middle, low, high = found.middle, found.low, found.high
    assert middle == 2.0 and 1.5 < low <= middle <= high < 2.5
    assert pairs.ratio(above, above) == pairs.Ratio(1.0, 1.0, 1.0)


def test_training_on_noise_is_timed_against_a_bare_loop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load("train", monkeypatch)
    net = "default conv=[] layers=1 hidden=32 front.bands=8"
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "train.py",
            "--net",
            net,
            "--batches",
            "1",
            "--batch-size",
            "2",
            "--rounds",
            "1",
            "--threads",
            str(torch.get_num_threads()),
            "--against",
            "bare",
        ],
    )
    module.main()
    out = capsys.readouterr().out
    assert (
        "| bare |" in out
        and "waiting for data" in out
        and all(part in out for part in module.PARTS)
    )


def test_layers_are_timed_against_torchs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load("layers", monkeypatch)
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "layers.py",
            "--kinds",
            "gru",
            "--shapes",
            "3,9,5,32",
            "--rounds",
            "1",
            "--ragged",
            "0.5",
            "--threads",
            str(torch.get_num_threads()),
            "--medium",
        ],
    )
    module.main()
    out = capsys.readouterr().out
    assert all(
        f"| gru (3,9,5,32) | {way} |" in out for way in ("ours", "padded", "packed", "medium")
    )
