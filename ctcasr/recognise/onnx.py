"""A recogniser from an ONNX file: the same words, by onnxruntime instead of torch."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from ctcasr.checkpoint import CheckpointError
from ctcasr.recognise.onnx_metadata import OnnxMetadata
from ctcasr.recognise.protocols import NotOffered
from ctcasr.recognise.transcribing import TranscribingLogits
from ctcasr.seq import Seq

_NEEDS_TORCH = ("model", "stream")
_ERRORS_ONLY = 3  # onnxruntime's severity


class OnnxRecogniser(TranscribingLogits):
    """Runs an exported file: transcribes and gives logits, without gradients; it cannot stream."""

    def __init__(self, path: str | Path) -> None:
        """Raises ImportError without onnxruntime, CheckpointError for a file that is none."""
        self.path = Path(path)
        self._session = _session(self.path)
        properties = self._session.get_modelmeta().custom_metadata_map
        self._metadata = OnnxMetadata.from_properties(properties, path)
        self.tokenizer = self._metadata.tokenizer
        self.spec = self._metadata.spec
        self.notes = self._metadata.notes
        self.blank_penalty = 0.0
        self.word_models = self._metadata.word_models
        if self._metadata.commands is not None:
            self.understand(self._metadata.commands)

    if not TYPE_CHECKING:  # to a type checker there is no such method at all

        def __getattr__(self, name: str) -> Any:
            if name in _NEEDS_TORCH:
                raise NotOffered(
                    f"{self.path}: expected a checkpoint (.pt) for .{name}; an ONNX file "
                    "transcribes and gives logits, but holds no network that torch knows"
                )
            raise AttributeError(f"an ONNX recogniser has no attribute {name!r}")

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        return self._metadata.rate_hz

    @property
    def frame_s(self) -> float:
        """Seconds from one frame of logits to the next."""
        return self._metadata.hop / self._metadata.rate_hz

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    def logits(self, samples: Seq) -> Seq:
        """Log-posteriors [B, T, symbols] of samples [B, N] at `rate_hz`.

        Raises ValueError for samples that want a gradient or of another rate.
        """
        self._check(samples)
        lacking = max(0, self._metadata.least - samples.data.shape[1])
        padded = functional.pad(samples.data, (0, lacking))
        inputs = {
            "samples": padded.float().numpy(),
            "lengths": np.asarray(samples.lengths, np.int64),
        }
        log_probs, frames = self._session.run(["log_probs", "frames"], inputs)
        frame_rate = Fraction(self._metadata.rate_hz, self._metadata.hop)
        return Seq(torch.from_numpy(log_probs), tuple(frames.tolist()), frame_rate)

    def _check(self, samples: Seq) -> None:
        if samples.data.requires_grad:
            raise ValueError(
                f"{self.path}: an ONNX file gives no gradients; take the checkpoint (.pt)"
            )
        if samples.data.dim() != 2 or samples.rate != self.rate_hz:
            raise ValueError(
                f"expected samples [B, N] at {self.rate_hz} Hz; "
                f"got {tuple(samples.data.shape)} at {float(samples.rate):g} Hz"
            )


def _session(path: Path) -> Any:
    """The file in onnxruntime, on the CPU, with as many threads as torch has."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            f"{path}: an ONNX file is run by onnxruntime: pip install 'ctcasr[onnx]', "
            "or load the checkpoint"
        ) from error
    if not path.is_file():
        raise CheckpointError(f"expected an ONNX file at {path}; there is no such file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    providers = ["CPUExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's own classes, none of which it makes public
        raise CheckpointError(
            f"{path}: expected an ONNX file; onnxruntime could not read it as one ({error})"
        ) from error
