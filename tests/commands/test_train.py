"""`ctcasr train`: recipes by name, with flags of their own."""

from __future__ import annotations

import pytest

from ctcasr.cli import main
from ctcasr.commands.train import load_recipe, recipe_names


def test_every_recipe_has_a_main_and_is_named() -> None:
    assert {"recognise", "enhance", "classify", "demo"} <= set(recipe_names())
    assert all(callable(load_recipe(name).main) for name in ("demo", "score_enhanced"))


def test_flags_behind_the_name_are_the_recipes_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "recognise", "--help"])
    assert stop.value.code == 0 and "--epochs" in capsys.readouterr().out


def test_an_unknown_recipe_is_told_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", "recognize"]) == 1
    assert "recognise" in capsys.readouterr().err
