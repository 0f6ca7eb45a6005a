"""The prepare tools, called as a shell would."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

import pytest


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """run("csv", *arguments): the exit status of ctcasr/corpora/csv.py."""

    def runner(name: str, *arguments: object) -> int:
        main: Callable[[Sequence[str]], int] = importlib.import_module(
            f"ctcasr.corpora.{name}"
        ).main
        return main([str(argument) for argument in arguments])

    return runner
