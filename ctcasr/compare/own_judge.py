"""Recognisers of this library as judges: a checkpoint, an ONNX file, or several as one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ctcasr.compare.judge import JudgeError
from ctcasr.data.provenance import fingerprint
from ctcasr.recognise.ensemble import Ensemble
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.text import Reference

if TYPE_CHECKING:
    from ctcasr.recognise.protocols import Transcriber

NO_HASHES = (
    "keeps no hashes of its training audio: whether it was trained on these scenes is not known",
)
FINGERPRINT_DIGITS = 16


@dataclass
class OwnJudge:
    """A recogniser of this library."""

    name: str
    recogniser: Transcriber
    fingerprint: str
    heard: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()

    @staticmethod
    def load(path: Path | str, name: str = "", device: str | torch.device = "cpu") -> OwnJudge:
        """A checkpoint or an ONNX file, by the name of its run's folder where none is given.

        Raises:
            JudgeError: where its notes say that it was trained on enhanced files.
            CheckpointError: where it is no recogniser.
        """
        path = Path(path)
        recogniser = Recogniser.load(path, device)
        name = name or short_name(path)
        heard = _heard(path, recogniser.notes)
        if heard is None:
            return OwnJudge(name, recogniser, fingerprint(path), remarks=NO_HASHES)
        return OwnJudge(name, recogniser, fingerprint(path), heard)

    @staticmethod
    def together(
        paths: Sequence[Path], name: str = "", device: str | torch.device = "cpu"
    ) -> OwnJudge:
        """Several recognisers of one alphabet as one: the mean of all ranks what any of them finds.

        Raises:
            JudgeError: as `load`, for any of them.
            CheckpointError: where one is no recogniser.
            ValueError: where they do not fit together.
        """
        members = []
        heard: set[str] = set()
        remarks: tuple[str, ...] = ()
        for path in paths:
            recogniser = Recogniser.load(path, device)
            members.append(recogniser)
            own = _heard(path, recogniser.notes)
            if own is None:
                remarks = NO_HASHES
            heard |= own or set()
        marks = " ".join(fingerprint(path) for path in paths).encode()
        mark = hashlib.sha1(marks, usedforsecurity=False).hexdigest()[:FINGERPRINT_DIGITS]
        name = name or " + ".join(short_name(path) for path in paths)
        return OwnJudge(name, Ensemble(members), mark, frozenset(heard), remarks)

    def reference(self, text: str) -> Reference:
        """What its tokenizer can write of a text."""
        return self.recogniser.tokenizer.reference(text)

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Texts of samples [N]."""
        hypotheses = self.recogniser.transcribe(list(sounds), rate_hz)
        return [hypothesis.text for hypothesis in hypotheses]


def _heard(path: Path, notes: Mapping[str, Any]) -> frozenset[str] | None:
    """Hashes of its training audio; None where none were kept. JudgeError for enhanced audio."""
    heard = notes.get("heard")
    if not isinstance(heard, dict):
        return None
    if heard.get("enhanced"):
        examples = ", ".join(heard.get("enhanced_examples", []))
        raise JudgeError(
            f"{path}: expected a recogniser that was never trained on enhanced speech; "
            f"{heard['enhanced']} of its training files are enhanced ({examples} ...). Train "
            "one on clean or noisy speech: ctcasr train judges"
        )
    return frozenset(heard.get("files", ()))


def short_name(path: Path) -> str:
    """A run's folder says more than best.pt."""
    if path.name in ("best.pt", "last.pt"):
        return path.resolve().parent.name
    return path.stem
