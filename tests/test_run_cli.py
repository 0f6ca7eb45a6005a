"""Entry points: a sentence for an error, a status for everything, any language into any pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import torch

import ctcasr.run_cli as run_cli_module
from ctcasr.ctc import backends
from ctcasr.ctc.backends import BackendChoice
from ctcasr.run_cli import FAILED, INTERRUPTED, PIPE_CLOSED, run_cli, run_training
from ctcasr.train import RunSettings

ROOT = Path(__file__).resolve().parents[1]


def python(code: str, **environment: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    program = f"from ctcasr.run_cli import run_cli\n{code}"
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    )


@pytest.mark.parametrize("error", [ValueError, OSError, ImportError, RuntimeError])
def test_an_error_is_a_sentence(
    error: type[Exception], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> int:
        raise error("expected a file; there is none")

    assert run_cli(work) == FAILED
    assert capsys.readouterr().err == "ctcasr: expected a file; there is none\n"
    monkeypatch.setenv("CTCASR_TRACEBACK", "1")
    with pytest.raises(error):
        run_cli(work)


def test_faults_of_our_own_are_not_hidden() -> None:
    def work() -> int:
        raise AssertionError

    with pytest.raises(AssertionError):
        run_cli(work)


def test_an_interrupt_is_130() -> None:
    def work() -> int:
        raise KeyboardInterrupt

    assert run_cli(work) == INTERRUPTED
    assert run_cli(lambda: 7) == 7 and run_cli(lambda: None) == 0


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    process = python(
        "def work():\n"
        "    for number in range(1_000_000):\n"
        "        print(number)\n"
        "raise SystemExit(run_cli(work))\n"
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == b"0" + os.linesep.encode()
    process.stdout.close()
    assert process.wait(20) == PIPE_CLOSED and process.stderr.read() == b""
    process.stderr.close()


def test_another_pipe_that_breaks_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise BrokenPipeError(32, "Broken pipe")

    assert run_cli(work) == FAILED
    assert "Broken pipe" in capsys.readouterr().err


TEXT = "za\u017c\u00f3\u0142\u0107 \u3042\u3044"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            {"PYTHONIOENCODING": "cp1252"},
            "za\\u017c\u00f3\\u0142\\u0107 \\u3042\\u3044".encode("cp1252"),
        ),
        ({"PYTHONIOENCODING": "ascii"}, b"za\\u017c\\xf3\\u0142\\u0107 \\u3042\\u3044"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, TEXT.encode()),
    ],
)
def test_any_text_goes_into_any_pipe(environment: dict[str, str], expected: bytes) -> None:
    process = python(f"raise SystemExit(run_cli(lambda: print({TEXT!a})))", **environment)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert out.splitlines() == [expected]


@pytest.mark.parametrize(("backend", "name"), [("torch", "native"), ("cpu", "cpu")])
def test_the_ctc_backend_that_is_asked_for_computes_the_losses(
    backend: BackendChoice, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def train(*_: object) -> None:
        seen.append(backends.select("auto", torch.device("cpu")).__module__)

    monkeypatch.setattr(run_cli_module, "_train", train)
    settings = RunSettings(device="cpu", ctc_backend=backend)
    run_training("a", settings, cast(Any, None), cast(Any, None))
    assert seen == [f"ctcasr.ctc.{name}"]


def test_the_kernel_of_a_device_that_does_not_train_is_refused() -> None:
    settings = RunSettings(device="cpu", ctc_backend="cuda")
    with pytest.raises(ValueError, match="--ctc-backend cuda is the kernel of another device"):
        run_training("a", settings, cast(Any, None), cast(Any, None))
