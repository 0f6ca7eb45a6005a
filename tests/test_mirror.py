"""Every module has its test file: tests/ROOM/test_MODULE.py for ctcasr/ROOM/MODULE.py."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Modules that are tested where they are used: a file of their own would say less.
COVERED_BY: dict[str, str] = {
    "ctcasr/ctc/_cpu_align.py": "tests/ctc/test_align.py",
    "ctcasr/ctc/_cpu_beam.py": "tests/ctc/test_beam.py",
    "ctcasr/ctc/_cpu_frame.py": "tests/ctc/test_cpu.py",
    "ctcasr/ctc/_cpu_lattice.py": "tests/ctc/test_cpu.py",
    "ctcasr/ctc/_cpu_logspace.py": "tests/ctc/test_cpu.py",
    "ctcasr/ctc/_cpu_projection.py": "tests/ctc/test_projection.py",
    "ctcasr/ctc/_cpu_rows.py": "tests/ctc/test_cpu.py",
    "ctcasr/ctc/_cpu_spell.py": "tests/ctc/test_beam.py",
    "ctcasr/ctc/_cpu_work.py": "tests/ctc/test_cpu.py",
    "ctcasr/ctc/_memory.py": "tests/ctc/test_loss.py",
    "ctcasr/front/spec.py": "tests/front/test_build.py",
    "ctcasr/net/batchnorm_loops.py": "tests/net/test_batchnorm_cpu.py",
    "ctcasr/net/rnn_cells.py": "tests/net/test_rnn_cpu.py",
    "ctcasr/net/rnn_lanes.py": "tests/net/test_rnn_cpu.py",
    "ctcasr/net/rnn_loops.py": "tests/net/test_rnn_cpu.py",
}


def holds_code(path: Path) -> bool:
    """Whether a module defines a function or a class."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)


MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "ctcasr").rglob("*.py")
    if path.name != "__init__.py" and holds_code(path)
)


def mirror_of(module: str) -> str:
    """Where the tests of a module lie."""
    if module in COVERED_BY:
        return COVERED_BY[module]
    parts = Path(module).parts[1:]
    name = parts[-1].lstrip("_")
    return Path("tests", *parts[:-1], f"test_{name}").as_posix()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_tests(module: str) -> None:
    mirror = ROOT / mirror_of(module)
    assert mirror.is_file(), f"{module}: expected tests in {mirror_of(module)}"
    assert "def test_" in mirror.read_text(encoding="utf-8"), f"{mirror}: no test in it"


def test_the_table_names_only_modules_that_exist() -> None:
    assert set(COVERED_BY) <= set(MODULES)
