"""Untrained recognisers with notes, as judges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.specs import NetSpec
from ctcasr.text import Alphabet


@pytest.fixture
def recogniser(tmp_path: Path) -> Callable[..., Path]:
    """recogniser(notes) saves an untrained one."""

    def make(notes: dict[str, Any], name: str = "r") -> Path:
        torch.manual_seed(0)
        spec = NetSpec(FrontSpec(rate_hz=8000, bands=8), layers=1, hidden=4)
        letters = Alphabet.english38()
        return checkpoint.save(
            tmp_path / name / "best.pt",
            Recogniser.payload(build(spec, letters.size), spec_to(spec), letters, notes),
        )

    return make
