"""The direction of imports (ARCHITECTURE.md), by reading every module; and what importing a room loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEVELS = {
    0: ["seq", "kernels"],
    1: ["batch", "checkpoint", "records", "scoring", "signal"],
    2: ["task", "front", "net", "video", "ctc", "data", "text"],
    3: ["specs"],
    4: ["diagnose"],
    5: ["recognise", "enhance", "classify", "train"],
    6: ["doctor", "compare", "card", "export", "corpora"],
    7: ["show"],
    8: ["commands"],
    9: ["run_cli", "cli"],
    10: ["recipes", "tools", "tests"],
}
TOGETHER = {("cli", "run_cli"), ("recipes", "tools")}
LEVEL = {room: level for level, rooms in LEVELS.items() for room in rooms}
MODULES = sorted(
    path.relative_to(ROOT)
    for folder in ("ctcasr", "recipes", "tools")
    for path in (ROOT / folder).rglob("*.py")
)
INITS = [path for path in MODULES if path.name == "__init__.py" and len(path.parts) > 2]
INSIDE = [
    path
    for path in MODULES
    if path.parts[0] == "ctcasr" and len(path.parts) > 1 and path != Path("ctcasr/__init__.py")
]


def room_of(module: str) -> str:
    """The room of a dotted module name: "ctc" of ctcasr.ctc.loss, "recipes" of recipes.recognise."""
    parts = module.split(".")
    return parts[1] if parts[0] == "ctcasr" and len(parts) > 1 else parts[0]


def imported(path: Path, source: str | None = None) -> Iterator[str]:
    """Dotted names of this project's modules that a file imports anywhere in it."""
    package = path.with_suffix("").parts[:-1]
    for node in ast.walk(
        ast.parse(source if source is not None else (ROOT / path).read_text(encoding="utf-8"))
    ):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            names = (
                [f"{module}.{alias.name}" for alias in node.names]
                if module in ("ctcasr", "")
                else [module]
            )
        else:
            continue
        yield from (
            name for name in names if name.split(".")[0] in ("ctcasr", "recipes", "tools", "tests")
        )


def complaints(path: Path, source: str | None = None) -> list[str]:
    """What a file imports against the direction."""
    own = room_of(".".join(path.with_suffix("").parts))
    wrong = []
    for name in imported(path, source):
        room = room_of(name)
        if room == own:
            continue
        upwards = LEVEL[room] > LEVEL[own]
        siblings = LEVEL[room] == LEVEL[own] and (own, room) not in TOGETHER
        alone = own == "ctc" and room != "kernels"
        if upwards or siblings or alone:
            wrong.append(f"{path} imports {name}")
    return wrong


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path != Path("ctcasr/__init__.py")], ids=str
)
def test_imports_go_downwards(path: Path) -> None:
    assert room_of(".".join(path.with_suffix("").parts)) in LEVEL, (
        f"{path}: a room that the plan does not name"
    )
    assert complaints(path) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ctcasr/seq.py", "from ctcasr.batch import Batch"),
        ("ctcasr/net/conv.py", "def f():\n    from ctcasr.front import Mel"),
        ("ctcasr/net/conv.py", "from ..front.spectrogram import Mel"),
        ("ctcasr/net/conv.py", "from ctcasr import data"),
        ("ctcasr/ctc/loss.py", "from ctcasr.seq import Seq"),
        ("ctcasr/train/trainer.py", "from ctcasr.recognise import Recognise"),
        ("ctcasr/train/fit.py", "import ctcasr.recognise.task"),
        ("ctcasr/recognise/task.py", "import recipes.recognise"),
    ],
)
def test_the_check_finds_what_is_wrong(path: str, source: str) -> None:
    assert len(complaints(Path(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ctcasr/net/conv.py", "from ctcasr.seq import Seq\nfrom .head import Head\nimport torch"),
        ("ctcasr/train/fit.py", "from ctcasr.task import Task\nfrom ctcasr import checkpoint"),
        ("recipes/recognise.py", "from ctcasr.train import fit"),
    ],
)
def test_the_check_lets_pass_what_is_right(path: str, source: str) -> None:
    assert complaints(Path(path), source) == []


@pytest.mark.parametrize("path", INITS, ids=str)
def test_a_rooms_init_only_hands_on_its_own_names(path: Path) -> None:
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.ImportFrom):
            if node.module in ("importlib", "typing"):
                continue
            own = ".".join(path.parts[:-1])
            assert node.level == 1 or str(node.module).startswith(own), (
                f"{path}:{node.lineno} hands on another room's names"
            )
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef):
            assert node.name == "__getattr__", f"{path}:{node.lineno} is code"  # names that moved
        else:
            assert isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__", (
                f"{path}:{node.lineno} is code"
            )
            assert set(ast.literal_eval(node.value)) == names, (
                f"{path}: __all__ and the imports differ"
            )


def loaded_by(statement: str) -> set[str]:
    """Top-level packages that a fresh interpreter holds after `statement`."""
    program = (
        f"import sys\n{statement}\nprint(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_the_loss_alone_loads_no_sound_and_no_score() -> None:
    loaded = loaded_by("import ctcasr.ctc")
    assert "torch" in loaded
    assert not loaded & {"torchaudio", "soundfile", "jiwer", "sentencepiece", "rich", "matplotlib"}


@pytest.mark.parametrize(
    ("rooms", "heavy"),
    [
        (
            "ctcasr.text, ctcasr.data",
            {"torchaudio", "sentencepiece", "matplotlib", "jiwer", "numba"},
        ),
        ("ctcasr.show", {"matplotlib", "IPython"}),
    ],
)
def test_rooms_load_what_is_heavy_only_when_it_is_used(rooms: str, heavy: set[str]) -> None:
    found = loaded_by(f"import {rooms}") & heavy
    assert not found
