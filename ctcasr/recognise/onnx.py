"""A recogniser from an ONNX file: the same words, by onnxruntime instead of torch."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch

from ctcasr.checkpoint import CheckpointError
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.seq import Seq
from ctcasr.text import tokenizer_from_state

KEY, FORMAT = "ctcasr", 1  # of the metadata


class OnnxRecogniser(Recogniser):
    """A `Recogniser` that runs an exported file; what needs the network itself (gradients, streams, features) raises ValueError."""

    def __init__(self, path: str | Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError(
                f"{path}: an ONNX file is run by onnxruntime: pip install 'ctcasr[onnx]', or load the checkpoint"
            ) from error
        if not Path(path).is_file():
            raise CheckpointError(f"expected an ONNX file at {path}; there is no such file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
        options.log_severity_level = 3  # errors only
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own classes, none of which it makes public
            raise CheckpointError(
                f"{path}: expected an ONNX file; onnxruntime could not read it as one ({error})"
            ) from error
        found = unpacked(self._session.get_modelmeta().custom_metadata_map, path)
        self.path, self.spec, self.notes, self.blank_penalty = (
            Path(path),
            found["spec"],
            found["notes"],
            0.0,
        )
        self.tokenizer = tokenizer_from_state(found["tokenizer"])
        self._rate_hz, self._hop, self._least = (
            int(found["rate_hz"]),
            int(found["hop"]),
            int(found["least"]),
        )

    @property
    def model(self) -> NoReturn:  # type: ignore[override]
        """There is none: raises ValueError."""
        raise ValueError(
            f"{self.path}: expected a checkpoint (.pt) here; an ONNX file transcribes, but holds no network that torch knows"
        )

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        return self._rate_hz

    @property
    def frame_s(self) -> float:
        """Seconds from one frame of logits to the next."""
        return self._hop / self._rate_hz

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def logits(self, samples: Seq) -> Seq:
        """Log-posteriors [B, T, symbols] of samples [B, N] at `rate_hz`; not differentiable: samples that want a gradient raise."""
        if samples.data.requires_grad:
            raise ValueError(
                f"{self.path}: an ONNX file gives no gradients; take the checkpoint (.pt)"
            )
        if samples.data.dim() != 2 or samples.rate != self.rate_hz:
            raise ValueError(
                f"expected samples [B, N] at {self.rate_hz} Hz; got {tuple(samples.data.shape)} at {float(samples.rate):g} Hz"
            )
        if samples.data.shape[1] < self._least:
            raise ValueError(
                f"expected clips of at least {self._least} samples (one window); the longest has {samples.data.shape[1]}"
            )
        given = {
            "samples": samples.data.float().numpy(),
            "lengths": np.asarray(samples.lengths, np.int64),
        }
        scores, lengths = self._session.run(["log_probs", "frames"], given)
        return Seq(
            torch.from_numpy(scores), tuple(lengths.tolist()), Fraction(self._rate_hz, self._hop)
        )


def packed(recogniser: Recogniser) -> dict[str, str]:
    """All but the network, as metadata of an ONNX file: plain JSON."""
    front, framing = recogniser.model.front.framing, recogniser.model.framing
    found = {
        "format": FORMAT,
        "kind": Recogniser.KIND,
        "spec": recogniser.spec,
        "tokenizer": recogniser.tokenizer.to_state(),
        "notes": recogniser.notes,
        "rate_hz": recogniser.rate_hz,
        "hop": framing.hop,
        "least": max(1, front.size - front.before - front.after),
    }
    return {
        KEY: json.dumps(
            found, default=lambda data: {"base64": base64.b64encode(data).decode("ascii")}
        )
    }


def unpacked(metadata: Mapping[str, str], path: str | Path) -> dict[str, Any]:
    """What `packed` wrote; CheckpointError where it is not ours."""
    if KEY not in metadata:
        raise CheckpointError(
            f"{path}: expected an ONNX file that `ctcasr export` wrote of a recogniser; its metadata lack {KEY!r}"
        )
    found: dict[str, Any] = json.loads(
        metadata[KEY],
        object_hook=lambda table: (
            base64.b64decode(table["base64"]) if table.keys() == {"base64"} else table
        ),
    )
    if found.get("kind") != Recogniser.KIND or found.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: expected a recogniser of format {FORMAT}; got {found.get('kind')} of format {found.get('format')}"
        )
    return found
