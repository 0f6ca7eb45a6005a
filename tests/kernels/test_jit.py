"""Compiled kernels on disk: damaged or refused caches cost a compilation and nothing else."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctcasr.kernels import jit

SOURCE = """
from ctcasr.kernels.jit import cached

@cached("*.py")
def add_one(version):
    def kernel(x):
        _ = version
        return x + 1
    return kernel
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Callable[[], Any]:
    """The kernel as a process finds it that has just been started."""
    path = tmp_path / "kernel_on_disk.py"
    path.write_text(SOURCE)

    def load() -> Any:
        spec = importlib.util.spec_from_file_location("kernel_on_disk", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.add_one

    return load


def files(folder: Path, pattern: str) -> list[Path]:
    return sorted((folder / "__pycache__").glob(pattern))


def hits(function: Any) -> int:
    """Signatures that came from the disk."""
    return sum(function.stats.cache_hits.values())


def test_the_second_process_compiles_nothing(kernel: Callable[[], Any], tmp_path: Path) -> None:
    assert kernel()(1) == 2 and files(tmp_path, "*.nbi")
    second = kernel()
    assert second(1) == 2 and hits(second) == 1


@pytest.mark.parametrize("pattern", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("left", [0, 100])
def test_what_is_cut_off_is_compiled_anew_once(
    pattern: str, left: int, kernel: Callable[[], Any], tmp_path: Path
) -> None:
    kernel()(1)
    (path,) = files(tmp_path, pattern)
    path.write_bytes(path.read_bytes()[:left])
    second = kernel()
    assert second(1) == 2 and hits(second) == 0
    third = kernel()
    assert third(1) == 2 and hits(third) == 1


def test_a_full_disk_costs_the_next_process_a_compilation(
    kernel: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    function = kernel()
    monkeypatch.setattr(function._cache._cache, "save_overload", full)
    assert isinstance(function._cache, jit._TolerantCache) and function(1) == 2


def test_where_numba_may_not_compile_the_reason_is_told() -> None:
    program = [sys.executable, "-c", "import ctcasr.kernels.jit"]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode and "ImportError: NUMBA_DISABLE_JIT is set" in run.stderr
