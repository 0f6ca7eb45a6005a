"""The prepare tools, called as a shell would."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """run("csv", *arguments): the exit status of tools/prepare_csv.py."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "tools"))

    def runner(name: str, *arguments: object) -> int:
        main: Callable[[Sequence[str]], int] = importlib.import_module(f"prepare_{name}").main
        return main([str(argument) for argument in arguments])

    return runner
