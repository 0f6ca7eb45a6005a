"""The checkpoint format: plain data and tensors, written whole, read without executing anything.

Knows no optimiser.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ctcasr.kernels.atomic import replacing

FORMAT = 1
_REASON_LETTERS = 200  # of torch's own words about a file that it cannot read


class CheckpointError(ValueError):
    """A file that is no checkpoint of ours, or of a version that this library does not read."""


def save(path: Path | str, payload: Mapping[str, Any]) -> Path:
    """Write `payload` to `path`; a crash or a full disk leaves the old file whole.

    Raises:
        OSError: where the disk refuses, with what to do.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "best.pt"
        >>> load(save(path, {"kind": "toy", "weight": torch.ones(2)}))["weight"]
        tensor([1., 1.])
    """
    path = Path(path)
    # Packed in memory: torch's zip writer, stopped by a full disk, hides the cause.
    packed = io.BytesIO()
    torch.save({"format": FORMAT, **payload}, packed)
    try:
        with replacing(path) as part, open(part, "wb") as file:
            file.write(packed.getbuffer())
    except OSError as error:
        untouched = f"; the last one at {path} is untouched" if path.exists() else ""
        raise OSError(
            error.errno,
            f"could not write the checkpoint {path} ({error}){untouched}. "
            "Free some space and resume the run from its last checkpoint",
        ) from error
    return path


def _reason(error: Exception) -> str:
    """Why torch cannot read a file; its advice to execute what the file says is left out."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    if "weights_only" in first or "Weights only" in first:
        return "it is none of torch's files, or holds more than tensors and plain data"
    return first[:_REASON_LETTERS]


def load(path: Path | str, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint by torch's `weights_only=True`: nothing in it is executed.

    Raises:
        CheckpointError: where there is no such file, or none of ours.
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(
            f"expected a checkpoint at {path}; it is a folder. That of a run holds best.pt and "
            f"last.pt: {path / 'best.pt'}"
        )
    if not path.is_file():
        raise CheckpointError(
            f"expected a checkpoint at {path}; there is no such file. "
            "A run directory holds best.pt and last.pt"
        )
    try:
        payload = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # the restricted unpickler stumbles in every way there is
        raise CheckpointError(
            f"{path}: expected a ctcasr checkpoint, as best.pt of a run; torch cannot read it "
            f"({_reason(error)})"
        ) from error
    if not isinstance(payload, dict) or "format" not in payload:
        raise CheckpointError(
            f"{path}: expected a ctcasr checkpoint; this file has no format number"
        )
    if payload["format"] != FORMAT:
        raise CheckpointError(
            f"{path}: checkpoint format {payload['format']}; this ctcasr reads format {FORMAT}. "
            "Use the version of ctcasr that wrote it, or train again"
        )
    return payload


def load_kind(path: Path | str, kind: str) -> dict[str, Any]:
    """`load` for what must hold a "recogniser", "classifier" or "enhancer".

    Raises:
        CheckpointError: as `load`, and where it holds something else.
    """
    payload = load(path)
    if payload.get("kind") != kind:
        article = "an" if kind[0] in "aeiou" else "a"
        raise CheckpointError(
            f"{path}: expected {article} {kind}; this checkpoint holds: {payload.get('kind')}"
        )
    return payload


def network_payload(
    kind: str,
    network: nn.Module,
    spec: Mapping[str, Any],
    notes: Mapping[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """What a checkpoint of a trained network holds; `more` is what its kind needs beside.

    Example:
        >>> list(network_payload("classifier", nn.Linear(1, 1), {}, {}, classes=["no", "yes"]))
        ['kind', 'spec', 'classes', 'notes', 'network']
    """
    weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
    return {"kind": kind, "spec": dict(spec), **more, "notes": dict(notes), "network": weights}
