"""What programs say to people: the flags that they name exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path.relative_to(ROOT)
    for folder in ("ctcasr", "recipes", "tools")
    for path in (ROOT / folder).rglob("*.py")
)
FLAG = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*[a-z0-9])")
# Of other programs (torchrun, tensorboard, git, nvidia-smi, nvcc, pip, pytest, venv), and --all of
# tools/test.py, which hands on the others to pytest.
FOREIGN = {
    "nproc-per-node",
    "logdir",
    "porcelain",
    "query-gpu",
    "format",
    "gpu-architecture",
    "std",
    "durations",
    "quiet",
    "clear",
    "version",
    "help",
    "fmad",
    "force-reinstall",
    "max-restarts",
    "all",
    "nnodes",
    "node-rank",
    "rdzv-backend",
    "rdzv-endpoint",
    "rdzv-id",
    "master-addr",
    "no-deps",
    "outdir",
    # Of deepspeech.pytorch, beside ours in docs/coming_from.md.
    "spec-augment",
    "noise-dir",
    "speed-volume-perturb",
    # Chromium's, which tools/pictures.py calls.
    "headless",
    "no-sandbox",
    "disable-gpu",
    "hide-scrollbars",
    "user-data-dir",
    "window-size",
    "blink-settings",
    "virtual-time-budget",
    "screenshot",
    # Flite's, which ctcasr/data/flite.py calls.
    "setf",
}

FLAG_CLASSES = {"Shares"}  # of whose fields a tool makes its flags (tools/study/mislabel.py)


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in FILES:
        yield path, ast.parse((ROOT / path).read_text(encoding="utf-8"))


def docstrings(tree: ast.Module) -> set[int]:
    """The ids of the constants that are docstrings or stand alone."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def messages(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every text in the code that is no docstring, with its line."""
    skipped = docstrings(tree)
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in skipped:
            yield node.lineno, node.value


def flags_of(node: ast.AST) -> Iterator[str]:
    """Flags of an add_argument, or of a field of a dataclass of settings."""
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
        for argument in node.args:
            if isinstance(argument, ast.Constant) and str(argument.value).startswith("--"):
                yield argument.value[2:]
    if isinstance(node, ast.ClassDef) and node.name in FLAG_CLASSES:
        for entry in node.body:
            if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name):
                yield entry.target.id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        call = node.value
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("option", "required"):
            name = node.target.id.replace("_", "-")
            yield from (name, f"no-{name}")


def known_flags() -> set[str]:
    """Those of all programs here, and those of others."""
    return FOREIGN.union(*(flags_of(node) for _, tree in trees() for node in ast.walk(tree)))


KNOWN = known_flags()


def test_the_known_flags_are_found() -> None:
    assert {"beam", "dev-share", "epochs", "no-augment", "valid-share", "recogniser"} <= KNOWN


@pytest.mark.parametrize("path", FILES, ids=str)
def test_messages_name_only_flags_that_exist(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    wrong = [
        f"{path}:{line}: --{flag}"
        for line, text in messages(tree)
        for flag in FLAG.findall(text)
        if flag not in KNOWN
    ]
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=str)
def test_messages_name_no_argument_of_the_library(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    wrong = [
        f"{path}:{line}: {text}" for line, text in messages(tree) if re.search(r"\bstrict=", text)
    ]
    assert not wrong


def test_flags_of_documents_exist() -> None:
    wrong = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for flag in FLAG.findall(path.read_text(encoding="utf-8")):
            if flag not in KNOWN:
                wrong.append(f"{path.name}: --{flag}")
    assert not wrong
