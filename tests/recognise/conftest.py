"""What tests of recognisers share as fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr import checkpoint
from ctcasr.recognise.recogniser import Recogniser
from tests.recognise.helpers import recogniser


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The file of an untrained recogniser."""
    made = recogniser()
    payload = Recogniser.payload(made.model, made.spec, made.tokenizer, made.notes)
    return checkpoint.save(tmp_path / "best.pt", payload)
