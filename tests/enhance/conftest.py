"""A saved enhancer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import ENHANCERS, enhancer_to

SPEC = ENHANCERS["mask_tiny"]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return checkpoint.save(
        tmp_path / "model" / "best.pt",
        Enhancer.payload(build_enhancer(SPEC), enhancer_to(SPEC), {"listener": "abc"}),
    )
