"""`ctcasr train`: a shipped recipe with its own flags."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from types import ModuleType

from ctcasr.text.spelling import expected_one_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The name of a recipe; what stands behind it is the recipe's own."""
    parser.epilog = "All that stands behind RECIPE is handed on: ctcasr train RECIPE --help"
    names = ", ".join(recipe_names())
    # A name that is left out is an empty one, so that the answer lists those that there are.
    parser.add_argument(
        "recipe", metavar="RECIPE", nargs="?", default="", type=_recipe_name, help=names
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the recipe with its `flags`."""
    load_recipe(arguments.recipe).main(arguments.flags)
    return 0


def recipe_names() -> list[str]:
    """The recipes that this installation ships."""
    folder = recipe_folder()
    if folder is None:
        return []
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def load_recipe(name: str) -> ModuleType:
    """The module of a shipped recipe; ValueError names those that there are."""
    folder = recipe_folder()
    if folder is None or name not in recipe_names():
        raise ValueError(expected_one_of("a recipe", recipe_names(), name))
    # Importable by its name: worker processes that are spawned must find its functions.
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return importlib.import_module(name)


def _recipe_name(word: str) -> str:
    """A name that stands for a recipe; argparse tells of another one, as of any wrong call."""
    names = recipe_names()
    if word not in names:
        raise argparse.ArgumentTypeError(expected_one_of("a recipe", names, word))
    return word


def recipe_folder() -> Path | None:
    """The folder of the recipes: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "recipes", package.parent / "recipes"):
        if folder.is_dir():
            return folder
    return None
