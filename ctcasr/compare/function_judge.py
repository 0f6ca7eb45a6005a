"""Anybody's function as a judge."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ctcasr.compare.judge import THIRD_PARTY, JudgeError, texts_of
from ctcasr.text import Reference, plain_words

FINGERPRINT_DIGITS = 16
Listen = Callable[[list[NDArray[np.float32]], int], Iterable[str]]


@dataclass
class FunctionJudge:
    """Anybody's `function(list of float32 numpy arrays [N], rate_hz) -> list of texts`."""

    name: str
    function: Listen
    road: Callable[[str], Reference]  # from a text to what it can write of it
    fingerprint: str = ""
    heard: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = THIRD_PARTY

    @staticmethod
    def load(target: str, name: str = "") -> FunctionJudge:
        """From `module:function` or `path/to/file.py:function`.

        Modules of the working folder are found. Its normaliser is `normalise` of the function, or
        of its module, else the library's own, which takes punctuation out. Its fingerprint is that
        of its file: what it wrote is remembered until that changes.

        Raises:
            JudgeError: where it cannot be imported.
        """
        module, function = _import_function(target, "recogniser")
        road: Callable[[str], Reference] = plain_words
        for owner in (module, function):
            normaliser = getattr(owner, "normalise", None)
            if callable(normaliser):
                road = _road_of(normaliser)
        mark = _fingerprint_of(module, target.rpartition(":")[2])
        return FunctionJudge(name or target, function, road, mark)

    def reference(self, text: str) -> Reference:
        """By its own normaliser."""
        return self.road(text)

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Texts of samples [N].

        Raises:
            TextsError: where the function returns anything but as many texts.
        """
        arrays = [sound.float().numpy() for sound in sounds]
        return texts_of(self.name, self.function(arrays, rate_hz), len(sounds))


def import_function(target: str, what: str) -> Callable[..., Any]:
    """The function of `module:function` or `path/to/file.py:function`.

    Raises:
        JudgeError: where it cannot be imported; `what` says what was looked for.
    """
    return _import_function(target, what)[1]


def _import_function(target: str, what: str) -> tuple[ModuleType, Callable[..., Any]]:
    module_name, _, attribute = target.rpartition(":")
    try:
        module = _import(module_name)
        function: Callable[..., Any] = getattr(module, attribute)
    except Exception as error:  # what is imported may raise anything
        plain = isinstance(error, ImportError | AttributeError | OSError | SyntaxError)
        reason = str(error) if plain else f"{type(error).__name__}: {error}"
        raise JudgeError(
            f"expected a {what} as module:function or file.py:function that can be imported; "
            f"{target}: {reason}"
        ) from error
    return module, function


def _import(name: str) -> ModuleType:
    """A module by its name, also of the working folder, or by the path of its file."""
    if not name.endswith(".py"):
        folder = os.getcwd()
        if folder not in sys.path:
            sys.path.append(folder)
        return importlib.import_module(name)
    path = Path(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _fingerprint_of(module: ModuleType, attribute: str) -> str:
    """A hash of a module's file and a name in it; "" where it has no file."""
    path = getattr(module, "__file__", None)
    if path is None or not Path(path).is_file():
        return ""
    content = Path(path).read_bytes() + attribute.encode()
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()[:FINGERPRINT_DIGITS]


def _road_of(normaliser: Callable[[str], str]) -> Callable[[str], Reference]:
    """A normaliser tells no more than what it makes of a text."""
    return lambda text: Reference(str(normaliser(text)))
