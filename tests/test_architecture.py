"""The direction of imports (ARCHITECTURE.md), what a room loads, and how dense its pages are."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEVELS = {
    0: ["seq", "kernels"],
    1: ["batch", "checkpoint", "records", "scoring", "signal"],
    2: ["task", "front", "net", "video", "ctc", "data", "text"],
    3: ["specs", "decoding"],
    4: ["diagnose", "word_times", "transcripts"],
    5: ["recognise", "enhance", "classify", "train"],
    6: ["doctor", "audit", "compare", "card", "export", "corpora"],
    7: ["show"],
    8: ["commands", "watching"],
    9: ["run_cli", "cli"],
    10: ["__main__", "recipes", "tools", "tests"],
}
TOGETHER = {("cli", "run_cli"), ("recipes", "tools")}
# Names that a room goes on handing on after they moved into one below it.
MOVED_BELOW = {"ctcasr.recognise": "ctcasr.decoding"}
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
    """The room of a dotted module name: "ctc" of ctcasr.ctc.loss."""
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
    lazy = [node for node in body if isinstance(node, ast.If)]  # no other "if" than this:
    for node in lazy:
        assert ast.unparse(node.test) == "TYPE_CHECKING" and not node.orelse
        body = [*node.body, *(other for other in body if other is not node)]
    for node in body:
        if isinstance(node, ast.ImportFrom):
            if node.module in ("importlib", "typing"):
                continue
            own = ".".join(path.parts[:-1])
            homes_of_names = (own, MOVED_BELOW.get(own, own))
            assert node.level == 1 or str(node.module).startswith(homes_of_names), (
                f"{path}:{node.lineno} hands on another room's names"
            )
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef):
            # names that moved, or that are resolved on first use
            assert node.name in ("__getattr__", "__dir__"), f"{path}:{node.lineno} is code"
        elif lazy and ast.unparse(node).startswith("_HOME = "):
            assert isinstance(node, ast.Assign)
            homes = ast.literal_eval(node.value)
            assert set(homes) == names, f"{path}: _HOME and the imports differ"
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


LOOSE_MODULES = 8  # beside the rooms, __init__ not counted
NODES_PER_LINE = 7.5  # mean of the tree; tools/page_counts.py says which files are the densest
RECIPE_LINES = 180


def test_few_modules_lie_loose() -> None:
    loose = [path.name for path in (ROOT / "ctcasr").glob("*.py") if not path.name.startswith("__")]
    assert len(loose) <= LOOSE_MODULES, sorted(loose)


def test_pages_breathe() -> None:
    spec = importlib.util.spec_from_file_location("page_counts", ROOT / "tools" / "page_counts.py")
    assert spec is not None and spec.loader is not None
    page_counts = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = page_counts  # dataclasses look their module up
    spec.loader.exec_module(page_counts)
    sources = [(ROOT / path).read_text(encoding="utf-8") for path in MODULES]
    total = sum((page_counts.count(source) for source in sources), page_counts.PageCounts())
    assert total.nodes_per_line <= NODES_PER_LINE
    assert total.long_lines == 0


def test_recipes_are_read_in_one_sitting() -> None:
    recipes = [path for path in MODULES if path.parts[0] == "recipes"]
    lines = {
        str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in recipes
    }
    assert lines and not {path: count for path, count in lines.items() if count > RECIPE_LINES}


@pytest.mark.parametrize("path", [path for path in INITS if path.parts[0] == "ctcasr"], ids=str)
def test_no_function_hides_its_own_module(path: Path) -> None:
    folder = (ROOT / path).parent
    modules = {module.stem for module in folder.glob("*.py")}
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            hidden = {alias.asname or alias.name for alias in node.names} & modules
            assert not hidden, f"{path}:{node.lineno} hides {hidden}"


def test_every_room_is_in_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["setuptools"]["packages"]
    rooms = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "ctcasr").rglob("__init__.py")
    }
    assert set(packages) == rooms | {"ctcasr.recipes"}


def test_the_trainer_loads_no_head_and_nothing_heavy() -> None:
    heavy = {"torchaudio", "jiwer", "av", "sentencepiece", "matplotlib", "rich"}
    assert not loaded_by("import ctcasr.train") & heavy
    program = "import sys, ctcasr.train; print(*filter(lambda m: m[:7] == 'ctcasr.', sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rooms = {name.split(".")[1] for name in loaded.stdout.split()}
    assert not rooms & {"recognise", "enhance", "classify", "diagnose", "show"}
