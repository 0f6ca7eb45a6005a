"""docs/tutorial.ipynb: it can be read, it starts no process, and it runs."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "tutorial.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def test_it_is_code_without_outputs() -> None:
    assert len(CODE) >= 8
    for cell in CELLS:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    for code in CODE:
        ast.parse(code)


def test_nothing_in_it_forks_or_knows_a_systems_paths() -> None:
    whole = "\n".join(CODE)
    assert "--workers 0" in whole
    assert not any(word in whole for word in ("fork", "multiprocessing", "/tmp", "\\\\", "!pip"))


@pytest.mark.slow
def test_it_trains_shows_and_finds_the_fault(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="the extra `docs` is not installed")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace('BUDGET = "2m"', 'BUDGET = "20s"')
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(
        notebook, timeout=1200, kernel_name="python3", resources=place
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    shown = [output.data for output in outputs if "data" in output]
    assert sum("image/png" in data for data in shown) >= 3
    pages = [data["text/html"] for data in shown if "text/html" in data]
    assert sum("<audio" in page for page in pages) == 6
    assert any("<iframe" in page for page in pages)
    assert any("epoch" in page and "<pre" in page for page in pages), "the live view"
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "heard:" in said
    broken, mended = said_of_last(notebook, 2)
    assert "frozen-parameters" in broken and "frozen-parameters" not in mended


def said_of_last(notebook: Any, count: int) -> list[str]:
    """What the last cells of code printed."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"][-count:]
    texts = []
    for cell in cells:
        streams = [output for output in cell.outputs if output.output_type == "stream"]
        texts.append("".join(output.text for output in streams if output.name == "stdout"))
    return texts
