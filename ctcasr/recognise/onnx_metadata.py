"""All of a recogniser but its network, as metadata of an ONNX file: plain JSON under one key."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctcasr.checkpoint import CheckpointError
from ctcasr.decoding.commands import Commands
from ctcasr.text import Tokenizer, tokenizer_from_state
from ctcasr.word_times.word_models import WordModels

KIND = "recogniser"  # of checkpoints and of ONNX files
KEY = "ctcasr"
WORD_MODELS = "word_models"  # what was learnt about words, where something was
COMMANDS = "commands"  # the sentences that are understood, where only these are
FORMAT = 1


@dataclass(frozen=True)
class OnnxMetadata:
    """What an ONNX file says of itself."""

    spec: Mapping[str, Any]
    tokenizer: Tokenizer
    notes: Mapping[str, Any]
    rate_hz: int
    hop: int  # samples from one frame of logits to the next
    least: int  # samples that a batch is padded to: one window
    word_models: WordModels = field(default_factory=WordModels)
    commands: Commands | None = None

    def to_properties(self) -> dict[str, str]:
        """The metadata as the file holds them; bytes (of pieces) travel as base64."""
        data = {
            "format": FORMAT,
            "kind": KIND,
            "spec": self.spec,
            "tokenizer": self.tokenizer.to_state(),
            "notes": self.notes,
            "rate_hz": self.rate_hz,
            "hop": self.hop,
            "least": self.least,
            WORD_MODELS: self.word_models.to_state(),
        }
        if self.commands is not None:
            data[COMMANDS] = self.commands.to_state()
        return {KEY: json.dumps(data, default=_to_base64)}

    @staticmethod
    def from_properties(properties: Mapping[str, str], path: str | Path) -> OnnxMetadata:
        """What `to_properties` wrote; raises CheckpointError where it is not ours."""
        if KEY not in properties:
            raise CheckpointError(
                f"{path}: expected an ONNX file that `ctcasr export` wrote of a recogniser; "
                f"its metadata lack {KEY!r}"
            )
        data: dict[str, Any] = json.loads(properties[KEY], object_hook=_from_base64)
        kind = data.get("kind")
        version = data.get("format")
        if kind != KIND or version != FORMAT:
            raise CheckpointError(
                f"{path}: expected a recogniser of format {FORMAT}; got {kind} of format {version}"
            )
        commands = None
        if COMMANDS in data:
            commands = Commands.from_state(data[COMMANDS])
        return OnnxMetadata(
            spec=data["spec"],
            tokenizer=tokenizer_from_state(data["tokenizer"]),
            notes=data["notes"],
            rate_hz=int(data["rate_hz"]),
            hop=int(data["hop"]),
            least=int(data["least"]),
            word_models=WordModels.from_state(data.get(WORD_MODELS, {})),
            commands=commands,
        )


def _to_base64(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode("ascii")}


def _from_base64(table: dict[str, Any]) -> Any:
    if table.keys() == {"base64"}:
        return base64.b64decode(table["base64"])
    return table
