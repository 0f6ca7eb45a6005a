"""Who listens: recognisers of our own, anybody's function, or a torchaudio bundle; none may have been trained on enhanced speech."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ctcasr.data import resample
from ctcasr.data.provenance import fingerprint
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.text import normalise


class JudgeError(ValueError):
    """A recogniser that may not judge, or that cannot be found."""


class Judge(Protocol):
    """A recogniser with a name and a normaliser of its own; `heard` holds hashes of its training audio, `fingerprint` its own."""

    name: str
    fingerprint: str
    heard: frozenset[str]
    remarks: tuple[str, ...]

    def normalise(self, text: str) -> str: ...

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]: ...


@dataclass
class OwnJudge:
    """A checkpoint of this library."""

    name: str
    recogniser: Recogniser
    fingerprint: str
    heard: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()

    @staticmethod
    def load(path: Path | str, name: str = "") -> OwnJudge:
        """JudgeError where its notes say that enhanced files were among its training audio; CheckpointError for no recogniser."""
        path = Path(path)
        recogniser = Recogniser.load(path)
        notes = recogniser.notes.get("heard")
        remarks: tuple[str, ...] = ()
        if not isinstance(notes, dict):
            remarks = (
                "keeps no hashes of its training audio: whether it was trained on these scenes is not known",
            )
            notes = {}
        elif notes.get("enhanced"):
            raise JudgeError(
                f"{path}: expected a recogniser that was never trained on enhanced speech; {notes['enhanced']} of its "
                f"training files are enhanced ({', '.join(notes.get('enhanced_examples', []))} ...). Train one on clean or "
                "noisy speech: python recipes/judges.py"
            )
        return OwnJudge(
            name or _short(path),
            recogniser,
            fingerprint(path),
            frozenset(notes.get("files", ())),
            remarks,
        )

    def normalise(self, text: str) -> str:
        """As its tokenizer does."""
        return self.recogniser.tokenizer.normalise(text)

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Texts of samples [N]."""
        return [found.text for found in self.recogniser.transcribe(list(sounds), rate_hz)]


@dataclass
class FunctionJudge:
    """Anybody's `function(list of float32 numpy arrays [N], rate_hz) -> list of texts`, with a normaliser beside it."""

    name: str
    function: Callable[[list[Any], int], Iterable[str]]
    normaliser: Callable[[str], str]
    fingerprint: str = ""
    heard: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = field(
        default=("a third party: what it was trained on is not known",)
    )

    @staticmethod
    def load(name: str) -> FunctionJudge:
        """From `module:function`; its normaliser is `normalise` of the function, or of its module, else the library's own."""
        module_name, _, attribute = name.partition(":")
        try:
            module = importlib.import_module(module_name)
            function = getattr(module, attribute)
        except (ImportError, AttributeError) as error:
            raise JudgeError(
                f"expected a recogniser as module:function that can be imported; {name}: {error}"
            ) from error
        own = getattr(function, "normalise", None) or getattr(module, "normalise", None)
        return FunctionJudge(name, function, own if callable(own) else normalise)

    def normalise(self, text: str) -> str:
        """By its own normaliser."""
        return self.normaliser(text)

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Texts of samples [N]; JudgeError where the function returns another number of them."""
        texts = [
            str(text)
            for text in self.function([sound.float().numpy() for sound in sounds], rate_hz)
        ]
        if len(texts) != len(sounds):
            raise JudgeError(
                f"{self.name}: expected {len(sounds)} texts for {len(sounds)} sounds; got {len(texts)}"
            )
        return texts


class BundleJudge:
    """A CTC pipeline of torchaudio by name, as `bundle:WAV2VEC2_ASR_BASE_960H`, greedily decoded; its weights are downloaded once."""

    def __init__(self, name: str, bundle: Any = None) -> None:
        if bundle is None:
            pipelines = importlib.import_module("torchaudio.pipelines")
            bundle = getattr(pipelines, name.removeprefix("bundle:"), None)
        if not hasattr(bundle, "get_labels"):
            raise JudgeError(
                f"expected the name of a CTC bundle of torchaudio.pipelines; got {name!r}"
            )
        self.name, self.fingerprint, self.heard = name, "", frozenset[str]()
        self.remarks: tuple[str, ...] = ("a third party: what it was trained on is not known",)
        self.rate_hz, self.labels, self.model = (
            int(bundle.sample_rate),
            list(bundle.get_labels()),
            bundle.get_model().eval(),
        )

    def normalise(self, text: str) -> str:
        """As the library does."""
        return normalise(text)

    @torch.no_grad()
    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Texts of samples [N], one at a time: these models do not know padding."""
        return [
            self._text(self.model(resample(sound.float(), rate_hz, self.rate_hz)[None])[0][0])
            for sound in sounds
        ]

    def _text(self, logits: Tensor) -> str:
        best = torch.unique_consecutive(logits.argmax(-1)).tolist()
        return self.normalise("".join(self.labels[i] for i in best if i).replace("|", " "))


def load_judge(name: str) -> Judge:
    """A checkpoint's path, `NAME=path`, `module:function`, or `bundle:NAME`."""
    if name.startswith("bundle:"):
        return BundleJudge(name)
    label, _, path = name.rpartition("=")
    if Path(path).is_file() or path.endswith(".pt"):
        return OwnJudge.load(path, label)
    if ":" in name:
        return FunctionJudge.load(name)
    raise JudgeError(
        f"expected a checkpoint, module:function or bundle:NAME as recogniser; there is no file {name}"
    )


def load_judges(names: Sequence[str]) -> list[Judge]:
    """All of them, each with a name of its own."""
    judges = [load_judge(name) for name in names]
    seen: dict[str, int] = {}
    for judge in judges:
        seen[judge.name] = seen.get(judge.name, 0) + 1
        if seen[judge.name] > 1:
            judge.name = f"{judge.name} ({seen[judge.name]})"
    return judges


def _short(path: Path) -> str:
    """A run's folder says more than best.pt."""
    return path.resolve().parent.name if path.name in ("best.pt", "last.pt") else path.stem
