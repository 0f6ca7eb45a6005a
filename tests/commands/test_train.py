"""`ctcasr train`: recipes by name, with flags of their own."""

from __future__ import annotations

import pytest

from ctcasr.cli import main
from ctcasr.commands.train import load_recipe, recipe_names
from ctcasr.run_cli import WRONG_CALL


def test_every_recipe_has_a_main_and_is_named() -> None:
    assert {"recognise", "enhance", "classify", "demo"} <= set(recipe_names())
    assert all(callable(load_recipe(name).main) for name in ("demo", "score_enhanced"))


def test_flags_behind_the_name_are_the_recipes_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "recognise", "--help"])
    assert stop.value.code == 0 and "--epochs" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["train"], ["train", "recognize"], ["train", "nothing"]])
def test_a_recipe_that_there_is_not_is_a_wrong_call_and_told_with_those_that_there_are(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    said = capsys.readouterr().err
    assert stop.value.code == WRONG_CALL and all(name in said for name in recipe_names())
