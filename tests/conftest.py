"""What every test shares."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.fixtures.scenes", "tests.fixtures.corpora"]

# No test asserts a time: a busy machine is no failure. Examples are the same in every run, so that
# only a change of the code can make a test fail; exploration (tools/test.py --all) draws new ones
# and prints how to keep what it finds.
settings.register_profile(
    "ctcasr", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "explore", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("explore" if os.environ.get("CTCASR_EXPLORE") else "ctcasr")

_DEFAULT_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Small tensors gain nothing from threads, and several test runs share a machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the recordings, $CTCASR_DATA or ../shared/data; skips where it is absent."""
    root = Path(os.environ.get("CTCASR_DATA") or _DEFAULT_DATA)
    if not root.is_dir():
        pytest.skip(f"no recordings at {root}; set CTCASR_DATA to the folder that holds them")
    return root.resolve()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What was planted and what the verdict said; why tests were skipped."""
    _write_verdicts(terminalreporter)
    _write_skips(terminalreporter)


def _write_verdicts(terminalreporter: Any) -> None:
    """The lines that tests noted; they travel with the reports, also from several processes."""
    reports = [*terminalreporter.stats.get("passed", ()), *terminalreporter.stats.get("failed", ())]
    lines = []
    for report in reports:
        lines += [line for name, line in report.user_properties if name == "verdict"]
    if lines:
        terminalreporter.section("verdicts")
    for line in lines:
        terminalreporter.write_line(line)


def _write_skips(terminalreporter: Any) -> None:
    """How many tests were skipped for each reason."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", ()):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.removeprefix("Skipped: ")] += 1
    if not reasons:
        return
    terminalreporter.section("skipped, by reason")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:5}  {reason}")
