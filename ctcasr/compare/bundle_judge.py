"""CTC pipelines of torchaudio as judges."""

from __future__ import annotations

import importlib
import string
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ctcasr.compare.judge import THIRD_PARTY, JudgeError
from ctcasr.data import resample
from ctcasr.text import Alphabet, Reference


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

    def __init__(self, name: str, bundle: Any = None, device: str | torch.device = "cpu") -> None:
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
        self.device = torch.device(device)
        self.model = _downloaded(bundle, name).to(self.device)
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
            logits = self.model(samples[None].to(self.device))[0]
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


def _alphabet_of(labels: Sequence[str]) -> Alphabet:
    """What a bundle can write; English letters without digits write numbers as words."""
    letters = {label.lower() for label in labels[1:] if len(label) == 1} - {"|", " "}
    english = letters - {"'"} == set(string.ascii_lowercase)
    return Alphabet(" " + "".join(sorted(letters)), digits="spell" if english else "keep")
