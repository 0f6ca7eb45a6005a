"""Corpora, prepared as a shell would."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ctcasr.cli import main


@pytest.fixture
def run() -> Callable[..., int]:
    """run("csv", *arguments): the exit status of `ctcasr prepare csv`."""

    def runner(name: str, *arguments: object) -> int:
        words = [str(argument) for argument in arguments]
        return main(["prepare", name.replace("_", "-"), *words])

    return runner
