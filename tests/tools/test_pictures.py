"""The pictures of the README: drawn from the stored records, without a request to anybody."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from ctcasr.records import read_records

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "tools" / "pictures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def visible(svg: str) -> list[str]:
    """The texts of a picture but for the clock of its making."""
    texts = re.findall(r"<text[^>]*>(.*?)</text>", svg)
    return [re.sub(r"at&#160;\d\d:\d\d|at \d\d:\d\d", "", text) for text in texts]


def test_the_stored_view_is_what_the_stored_records_give(
    pictures: ModuleType, tmp_path: Path
) -> None:
    run = pictures.unpacked(pictures.PICTURES / pictures.RECORDS, tmp_path / "grid")
    svg = pictures.live_view(read_records(run), pictures.STEP)
    stored = (pictures.PICTURES / pictures.VIEW_SVG).read_text(encoding="utf-8")
    assert visible(svg) == visible(stored)
    assert "verdict" in stored and "url(" not in stored.replace("url(#", "")


def test_the_page_is_small(pictures: ModuleType) -> None:
    assert 0 < (pictures.PICTURES / pictures.PAGE_PNG).stat().st_size < 200_000


def test_smaller_records_keep_what_is_drawn(pictures: ModuleType, tmp_path: Path) -> None:
    lines = []
    for step in range(10, 10 * (pictures.SAMPLED + 5), 10):
        record = {"kind": "check", "step": step, "samples": [1], "wer": 0.5}
        record["evidence"] = {"dev": {"own": 2.0, "bulky": [1]}, "train": {"own": 1.0}}
        lines.append(json.dumps(record))
    path = tmp_path / "thin.jsonl.gz"
    pictures.write_thin(lines, path)
    text = (pictures.unpacked(path, tmp_path / "run") / "records.jsonl").read_text("utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    assert len(records) == len(lines) and all(record["wer"] == 0.5 for record in records)
    assert sum("samples" in record for record in records) == pictures.SAMPLED
    assert all(record["evidence"] == {"dev": {"own": 2.0}} for record in records)
