"""The snippets of docs/watch.md, each with a small training behind its names."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ctcasr.records import CheckRecord, read_records
from tests.watching.test_frameworks import FRAMEWORKS, needed
from tools.bench.strangers import (
    FEATURES,
    SYMBOLS,
    Fault,
    Run,
    lightning_parts,
    ocr_loop,
    spectra,
    speechbrain_parts,
    transformers_parts,
)

PAGE = Path(__file__).parents[2] / "docs" / "watch.md"
SNIPPETS: dict[str, str] = dict(
    re.findall(r"^```python (\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
)


class Scores(nn.Module):
    """A BiLSTM and logits."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(FEATURES, 24, bidirectional=True, batch_first=True)
        self.head = nn.Linear(48, SYMBOLS)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(self.rnn(inputs)[0])
        return logits


def plain_parts(folder: str) -> dict[str, Any]:
    torch.manual_seed(0)
    model = Scores()
    draw = torch.Generator().manual_seed(1)
    loader = []
    for _ in range(30):
        batch = spectra(8, draw, Fault())
        lengths = (batch.input_lengths, batch.target_lengths)
        loader.append((batch.inputs, batch.targets, *lengths))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    return {
        "model": model,
        "loader": loader,
        "optimizer": optimiser,
        "ctc_loss": nn.functional.ctc_loss,
    }


def ocr_parts(folder: str) -> dict[str, Any]:
    return {
        "ALPHABET": "-012345",
        "pictures": Run(steps=60),
        "train_reader": ocr_loop,
    }


PARTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "transformers": lambda folder: transformers_parts(Run(steps=40), folder),
    "lightning": lambda folder: lightning_parts(Run(steps=40)),
    "speechbrain": lambda folder: speechbrain_parts(Run(steps=40)),
    "plain": plain_parts,
    "ocr": ocr_parts,
}


def test_the_page_has_five_snippets() -> None:
    assert sorted(SNIPPETS) == sorted(PARTS)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in FRAMEWORKS else []) for name in PARTS],
)
def test_a_snippet_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needed(name)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the frameworks
        exec(compile(SNIPPETS[name], str(PAGE), "exec"), PARTS[name](str(tmp_path)))
    if name == "ocr":
        assert "plateau: wait []" in capsys.readouterr().out
        return
    records = read_records(tmp_path / "runs" / "theirs")
    checks = [record for record in records if isinstance(record, CheckRecord)]
    assert checks and checks[-1].verdict is not None and not checks[-1].verdict["causes"]
    assert (tmp_path / "runs" / "theirs" / "doctor.html").stat().st_size > 1000
