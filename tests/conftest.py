"""What every test shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.fixtures.scenes", "tests.fixtures.corpora"]
import torch
from hypothesis import HealthCheck, settings

# No test asserts a time: a busy machine is no failure.
settings.register_profile("ctcasr", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ctcasr")

_DEFAULT_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Small tensors gain nothing from threads, and several test runs share a machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the recordings: $CTCASR_DATA, by default ../shared/data; the test is skipped where it is absent."""
    root = Path(os.environ.get("CTCASR_DATA") or _DEFAULT_DATA)
    if not root.is_dir():
        pytest.skip(f"no recordings at {root}; set CTCASR_DATA to the folder that holds them")
    return root.resolve()
