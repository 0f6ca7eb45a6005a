"""Who listens: recognisers of ours, anybody's function, or a torchaudio bundle."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import string
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctcasr.data import resample
from ctcasr.data.provenance import fingerprint
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.text import Alphabet, Reference, plain_words

if TYPE_CHECKING:
    from ctcasr.recognise.protocols import Transcriber

THIRD_PARTY = ("a third party: what it was trained on is not known",)
NO_HASHES = (
    "keeps no hashes of its training audio: whether it was trained on these scenes is not known",
)
FINGERPRINT_DIGITS = 16
SHOWN_LETTERS = 40  # of a value that was not expected
Listen = Callable[[list[NDArray[np.float32]], int], Iterable[str]]


class JudgeError(ValueError):
    """A recogniser that may not judge, or that cannot be found."""


class Judge(Protocol):
    """A recogniser with a name and a way of writing of its own.

    `heard` holds hashes of its training audio, `fingerprint` its own ("": not known).
    """

    name: str
    fingerprint: str
    heard: frozenset[str]
    remarks: tuple[str, ...]

    def reference(self, text: str) -> Reference:
        """What of a text it can write, of its own words too."""

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Texts of samples [N]."""


@dataclass
class OwnJudge:
    """A checkpoint of this library."""

    name: str
    recogniser: Transcriber
    fingerprint: str
    heard: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()

    @staticmethod
    def load(path: Path | str, name: str = "") -> OwnJudge:
        """A recogniser as a judge, by the name of its run's folder where none is given.

        Raises:
            JudgeError: where its notes say that it was trained on enhanced files.
            CheckpointError: where it is no recogniser.
        """
        path = Path(path)
        recogniser = Recogniser.load(path)
        name = name or _short_name(path)
        notes = recogniser.notes.get("heard")
        if not isinstance(notes, dict):
            return OwnJudge(name, recogniser, fingerprint(path), remarks=NO_HASHES)
        if notes.get("enhanced"):
            examples = ", ".join(notes.get("enhanced_examples", []))
            raise JudgeError(
                f"{path}: expected a recogniser that was never trained on enhanced speech; "
                f"{notes['enhanced']} of its training files are enhanced ({examples} ...). Train "
                "one on clean or noisy speech: ctcasr train judges"
            )
        heard = frozenset(notes.get("files", ()))
        return OwnJudge(name, recogniser, fingerprint(path), heard)

    def reference(self, text: str) -> Reference:
        """What its tokenizer can write of a text."""
        return self.recogniser.tokenizer.reference(text)

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Texts of samples [N]."""
        hypotheses = self.recogniser.transcribe(list(sounds), rate_hz)
        return [hypothesis.text for hypothesis in hypotheses]


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
        module_name, _, attribute = target.rpartition(":")
        try:
            module = _import(module_name)
            function = getattr(module, attribute)
        except (ImportError, AttributeError, OSError, SyntaxError) as error:
            raise JudgeError(
                "expected a recogniser as module:function or file.py:function that can be "
                f"imported; {target}: {error}"
            ) from error
        road: Callable[[str], Reference] = plain_words
        for owner in (module, function):
            normaliser = getattr(owner, "normalise", None)
            if callable(normaliser):
                road = _road_of(normaliser)
        return FunctionJudge(name or target, function, road, _fingerprint_of(module, attribute))

    def reference(self, text: str) -> Reference:
        """By its own normaliser."""
        return self.road(text)

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Texts of samples [N].

        Raises:
            JudgeError: where the function returns anything but as many texts.
        """
        arrays = [sound.float().numpy() for sound in sounds]
        returned = self.function(arrays, rate_hz)
        if returned is None or isinstance(returned, str | bytes | dict):
            raise JudgeError(
                f"{self.name}: expected a list of {len(sounds)} texts; got {_short(returned)}"
            )
        texts = list(returned)
        if len(texts) != len(sounds):
            raise JudgeError(
                f"{self.name}: expected {len(sounds)} texts for {len(sounds)} sounds; "
                f"got {len(texts)}"
            )
        for number, text in enumerate(texts, start=1):
            if not isinstance(text, str):
                raise JudgeError(
                    f"{self.name}: expected texts; got {_short(text)} for sound {number} of "
                    f"{len(texts)}"
                )
        return texts


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


def _short(value: object) -> str:
    """A value that was not expected, with its type."""
    text = repr(value)
    if len(text) > SHOWN_LETTERS:
        text = text[:SHOWN_LETTERS] + "..."
    return f"{type(value).__name__} {text}"


def _torchaudio_pipelines(name: str) -> ModuleType:
    """Torchaudio's pipelines; JudgeError in one sentence where it does not load."""
    try:
        return importlib.import_module("torchaudio.pipelines")
    except (ImportError, OSError, RuntimeError) as error:
        raise JudgeError(
            f"{name} needs a torchaudio that loads beside this torch ({error}): "
            "pip install 'ctcasr[torchaudio]', with torch 2.11 if need be"
        ) from error


class BundleJudge:
    """A CTC pipeline of torchaudio by name, greedily decoded.

    As `bundle:WAV2VEC2_ASR_BASE_960H`; its weights are downloaded once.

    Raises:
        JudgeError: where there is no CTC pipeline of that name.
    """

    fingerprint = ""
    heard: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = THIRD_PARTY

    def __init__(self, name: str, bundle: Any = None) -> None:
        if bundle is None:
            pipelines = _torchaudio_pipelines(name)
            bundle = getattr(pipelines, name.removeprefix("bundle:"), None)
        if not hasattr(bundle, "get_labels"):
            raise JudgeError(
                f"expected the name of a CTC bundle of torchaudio.pipelines; got {name!r}"
            )
        self.name = name
        self.rate_hz = int(bundle.sample_rate)
        self.labels = list(bundle.get_labels())
        self.model = _downloaded(bundle, name)
        self.alphabet = _alphabet_of(self.labels)

    def reference(self, text: str) -> Reference:
        """What its labels can write of a text."""
        return self.alphabet.reference(text)

    @torch.no_grad()
    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Texts of samples [N], one at a time: these models do not know padding."""
        texts = []
        for sound in sounds:
            samples = resample(sound.float(), rate_hz, self.rate_hz)
            logits = self.model(samples[None])[0]
            texts.append(self._text(logits[0]))
        return texts

    def _text(self, logits: Tensor) -> str:
        """Greedy: the blank is symbol 0, and `|` stands between words."""
        symbols = torch.unique_consecutive(logits.argmax(-1)).tolist()
        letters = [self.labels[symbol] for symbol in symbols if symbol != 0]
        return self.reference("".join(letters).replace("|", " ")).text


def _downloaded(bundle: Any, name: str) -> torch.nn.Module:
    """The network of a bundle; JudgeError where its weights are not here and cannot be had."""
    try:
        model: torch.nn.Module = bundle.get_model().eval()
    except OSError as error:  # URLError too
        raise JudgeError(
            f"{name}: its weights are downloaded from download.pytorch.org on first use, and that "
            f"failed ({error}); where there is no network, put the file into "
            f"{torch.hub.get_dir()}/checkpoints by hand"
        ) from error
    return model


def _road_of(normaliser: Callable[[str], str]) -> Callable[[str], Reference]:
    """A normaliser tells no more than what it makes of a text."""
    return lambda text: Reference(str(normaliser(text)))


def _alphabet_of(labels: Sequence[str]) -> Alphabet:
    """What a bundle can write; English letters without digits write numbers as words."""
    letters = {label.lower() for label in labels[1:] if len(label) == 1} - {"|", " "}
    english = letters - {"'"} == set(string.ascii_lowercase)
    return Alphabet(" " + "".join(sorted(letters)), digits="spell" if english else "keep")


def load_judge(name: str) -> Judge:
    """[NAME=] before a checkpoint's path, `module:function`, `file.py:function` or `bundle:X`.

    Raises:
        JudgeError: where there is none, or it may not judge.
    """
    label, _, target = name.rpartition("=")
    if target.startswith("bundle:"):
        bundle = BundleJudge(target)
        bundle.name = label or target
        return bundle
    if Path(target).is_file() or target.endswith(".pt"):
        return OwnJudge.load(target, label)
    if ":" in target:
        return FunctionJudge.load(target, label)
    raise JudgeError(
        "expected a checkpoint, module:function or bundle:NAME as recogniser; "
        f"there is no file {target}"
    )


def load_judges(names: Sequence[str]) -> list[Judge]:
    """All of them, each with a name of its own. JudgeError as above."""
    judges = [load_judge(name) for name in names]
    times_seen: Counter[str] = Counter()
    for judge in judges:
        times_seen[judge.name] += 1
        if times_seen[judge.name] > 1:
            judge.name = f"{judge.name} ({times_seen[judge.name]})"
    return judges


def _short_name(path: Path) -> str:
    """A run's folder says more than best.pt."""
    if path.name in ("best.pt", "last.pt"):
        return path.resolve().parent.name
    return path.stem
