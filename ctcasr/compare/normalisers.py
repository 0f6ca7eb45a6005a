"""What is made of texts before words are counted, by name: it can change who is better."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ctcasr.compare.function_judge import import_function
from ctcasr.compare.judge import JudgeError
from ctcasr.text import plain_words

Normalise = Callable[[str], str]

NONE = "none"
DEFAULT = "ctcasr"
WHISPER = "pip install 'ctcasr[whisper]'"


def normaliser(name: str) -> Normalise:
    """The function of a name; texts come back with single spaces.

    `none`: nothing but spaces; `ctcasr`: case, accents, punctuation folded, as this library trains
    and scores; `whisper_basic` and `whisper_english`: those of Whisper (Radford et al. 2022,
    appendix C; package whisper-normalizer); `nemo_english`: NeMo's (nemo_text_processing), numbers
    and abbreviations spoken out; or `module:function`.

    Raises:
        ValueError: for a name that is none, or a package that is not there.

    Example:
        >>> normaliser("ctcasr")("Hello,  World!"), normaliser("none")("Hello,  World!")
        ('hello world', 'Hello, World!')
    """
    if name in _BY_NAME:
        return _single_spaces(_BY_NAME[name]())
    if ":" in name:
        return _single_spaces(_of_module(name))
    raise ValueError(f"normaliser: expected {', '.join(_BY_NAME)} or module:function; got {name!r}")


def _single_spaces(function: Normalise) -> Normalise:
    return lambda text: " ".join(function(text).split())


def _checked(name: str, function: Callable[[str], Any]) -> Normalise:
    """Somebody's function, whose faults are told with its name and the text."""

    def normalise(text: str) -> str:
        try:
            made = function(text)
        except Exception as error:  # what a function of others raises is theirs to choose
            raise ValueError(
                f"normaliser {name}: raised {type(error).__name__} ({error}) at {text[:40]!r}"
            ) from error
        if not isinstance(made, str):
            raise ValueError(
                f"normaliser {name}: expected a text; it made {type(made).__name__} of "
                f"{text[:40]!r}"
            )
        return made

    return normalise


def _of_module(name: str) -> Normalise:
    try:
        return _checked(name, import_function(name, "normaliser"))
    except JudgeError as error:
        raise ValueError(str(error)) from error


def _none() -> Normalise:
    return str


def _ctcasr() -> Normalise:
    return lambda text: plain_words(text).text


def _whisper_basic() -> Normalise:
    made: Normalise = _needed("whisper_normalizer.basic", WHISPER).BasicTextNormalizer()
    return made


def _whisper_english() -> Normalise:
    made: Normalise = _needed("whisper_normalizer.english", WHISPER).EnglishTextNormalizer()
    return made


def _nemo_english() -> Normalise:
    place = "nemo_text_processing.text_normalization.normalize"
    module = _needed(place, "pip install nemo_text_processing")
    logging.getLogger("NeMo-text-processing").setLevel(logging.WARNING)  # a line for each "$"
    folder = _grammar_folder()
    normalizer = module.Normalizer(input_case="cased", lang="en", cache_dir=folder)

    def normalise(text: str) -> str:
        spoken = normalizer.normalize(text, punct_post_process=True)
        return plain_words(spoken).text

    return normalise


def _grammar_folder() -> str | None:
    """Where NeMo keeps its compiled grammars, which takes a minute; None where nothing can be."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "ctcasr" / f"nemo_text_processing-{version('nemo_text_processing')}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return str(folder)


def _needed(module: str, install: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"normaliser: {module} cannot be imported ({error}): {install}") from error


_BY_NAME: dict[str, Callable[[], Normalise]] = {
    NONE: _none,
    DEFAULT: _ctcasr,
    "whisper_basic": _whisper_basic,
    "whisper_english": _whisper_english,
    "nemo_english": _nemo_english,
}
