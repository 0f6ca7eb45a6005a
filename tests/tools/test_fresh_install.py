"""What the trial of packages says of Pythons that are not here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "tools" / "fresh_install.py"


def test_a_python_that_was_asked_for_and_is_not_here_has_not_worked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("fresh_install", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "built", lambda place: (place, place))
    monkeypatch.setattr(module, "interpreter_of", lambda version: None)
    assert module.main(["3.99"]) == 1
    assert "failed: 3.99" in capsys.readouterr().out
    assert module.main([]) == 0  # every Python that is here: others are not asked for
