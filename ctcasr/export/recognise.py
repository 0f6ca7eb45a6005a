"""Export a recogniser with its front-end to ONNX, run the files, and report."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.data.skipped import refuse_nothing, skips_as_json
from ctcasr.decoding.hypothesis import finite_or_none
from ctcasr.export.eight_bits import quantise
from ctcasr.export.graph import Graph
from ctcasr.export.layers import speech
from ctcasr.export.threads import one_thread
from ctcasr.recognise.evaluation import ReadClip, Reading
from ctcasr.recognise.onnx_metadata import OnnxMetadata
from ctcasr.recognise.recogniser import OnnxRecogniser, Recogniser
from ctcasr.scoring.errors import ErrorRates
from ctcasr.seq import Seq

_ROUNDS = 3  # each clip is timed so often
_NOISES = (8000, 16000, 40000)  # samples of the clips that stand in for a test set
_NOISE_LEVEL = 0.1

Runnable = Recogniser | OnnxRecogniser


@dataclass(frozen=True)
class Runtime:
    """One way to run a recogniser, on a test set; clips one by one, in one thread."""

    name: str  # "torch", or the file
    bytes: int
    difference: float  # of log-posteriors from torch's, the largest
    wer: float | None = None  # None: no test set was given
    cer: float | None = None
    rtf: float | None = None  # processor seconds, samples to words, for one second of sound

    def as_json(self) -> dict[str, Any]:
        """The fields; a difference that is no number is null."""
        return {**asdict(self), "difference": finite_or_none(self.difference)}

    def __str__(self) -> str:
        rtf = "-" if self.rtf is None else f"{self.rtf:.4f}"
        return (
            f"{self.name:24} {self.bytes / 1e6:7.2f} {_percent(self.wer)} {_percent(self.cer)} "
            f"{rtf:>8} {self.difference:11.1e}"
        )


def _percent(rate: float | None) -> str:
    if rate is None:
        return f"{'-':>9}"
    return f"{100 * rate:7.2f} %"


@dataclass(frozen=True)
class ExportedRecogniser:
    """The files of one recogniser, beside torch."""

    files: Sequence[Path]
    runtimes: Sequence[Runtime]
    clips: int
    skipped: Sequence[Skip]

    def as_json(self) -> dict[str, Any]:
        """Plain data: "clips", "runtimes" (fields of `Runtime`) and "skipped" (where, reason)."""
        return {
            "clips": self.clips,
            "runtimes": [runtime.as_json() for runtime in self.runtimes],
            "skipped": skips_as_json(self.skipped),
        }

    def __str__(self) -> str:
        head = f"{'file':24} {'MB':>7} {'WER':>9} {'CER':>9} {'RTF':>8} {'difference':>11}"
        clips = "noise: give --test for error rates and time"
        if self.clips:
            clips = f"{self.clips} clips"
        tail = (
            f"{clips}; RTF: processor time, one thread, clips one by one; "
            "difference: of log-posteriors from torch's, the largest; 1 MB = 1000000 bytes"
        )
        left_out = [f"left out: {skip.where}: {skip.reason}" for skip in self.skipped]
        return "\n".join([head, *map(str, self.runtimes), tail, *left_out])


def export_onnx_recogniser(recogniser: Recogniser, path: Path) -> Path:
    """Write a recogniser as an ONNX file, which `Recogniser.load` reads.

    Samples [B, N] and lengths [B] become log-posteriors [B, T, symbols] and frames [B]. What lies
    beyond a row's length is neither looked at nor, in the output, meant.
    Raises ImportError that names the extra to install.
    """
    model = recogniser.model
    graph = Graph()
    log_probs, frames = speech(model, graph.input("samples"), graph.input("lengths"))
    path.parent.mkdir(parents=True, exist_ok=True)
    front = model.front.framing
    metadata = OnnxMetadata(
        spec=recogniser.spec,
        tokenizer=recogniser.tokenizer,
        notes=recogniser.notes,
        rate_hz=recogniser.rate_hz,
        hop=model.framing.hop,
        least=max(1, front.size - front.before - front.after),
        word_models=recogniser.word_models,
        commands=recogniser.commands,
    )
    graph.save(
        path,
        inputs={"samples": ("float", ["batch", "time"]), "lengths": ("int64", ["batch"])},
        outputs={
            "log_probs": ("float", ["batch", "steps", recogniser.tokenizer.size]),
            "frames": ("int64", ["batch"]),
        },
        values={"log_probs": log_probs, "frames": frames},
        metadata=metadata.to_properties(),
    )
    return path


def export_recogniser(
    recogniser: Recogniser,
    to: str,
    out: Path,
    test: Sequence[Utterance] = (),
    name: str = "recogniser",
    size: int = 0,
) -> ExportedRecogniser:
    """Write NAME.onnx and NAME_int8.onnx to folder `out`, compare them with torch, time them.

    `size` are the bytes of the checkpoint. With a `test` set, the files are scored on it.
    Raises ValueError for another format than "onnx" and for a test set of which nothing can be
    read, ImportError that names what to install.
    """
    if to != "onnx":
        raise ValueError(
            f"expected onnx to export a recogniser to; got {to!r}, which takes classifiers only"
        )
    plain = export_onnx_recogniser(recogniser, out / f"{name}.onnx")
    small = quantise(plain, out / f"{name}_int8.onnx")
    with one_thread():
        reading = Reading(recogniser)
        clips = list(reading.clips(test))
        if test:
            refuse_nothing(reading.skipped, len(clips))
        runtimes = [Trial("torch", size or _bytes_of(recogniser), recogniser)]
        for file in (plain, small):
            runtime = OnnxRecogniser(file)
            runtime.blank_penalty = recogniser.blank_penalty
            runtimes.append(Trial(file.name, file.stat().st_size, runtime))
        result = ExportedRecogniser(
            [plain, small], _measured(runtimes, clips), len(clips), reading.skipped
        )
    text = json.dumps(result.as_json(), indent=2, allow_nan=False) + "\n"
    (out / f"{name}_onnx.json").write_text(text, encoding="utf-8")
    return result


@dataclass
class Trial:
    """A runtime while it is measured."""

    name: str
    bytes: int
    recogniser: Runnable
    errors: ErrorRates = field(default_factory=ErrorRates)
    seconds: list[float] = field(default_factory=lambda: [0.0] * _ROUNDS)  # of each round

    def runtime(self, difference: float, audio_s: float) -> Runtime:
        """The result, error rates and speed where there was sound to measure on."""
        if not audio_s:
            return Runtime(self.name, self.bytes, difference)
        return Runtime(
            self.name,
            self.bytes,
            difference,
            self.errors.words.rate,
            self.errors.chars.rate,
            statistics.median(self.seconds) / audio_s,
        )


def _measured(trials: Sequence[Trial], clips: Sequence[ReadClip]) -> list[Runtime]:
    """The first of them is torch, from which the others differ."""
    torches = trials[0].recogniser
    heard = [clip.samples for clip in clips] or [_noise(count) for count in _NOISES]
    differences = []
    for trial in trials:
        differences.append(max(_difference(torches, trial.recogniser, clip) for clip in heard))
    _run(trials, clips)
    audio_s = sum(clip.samples.shape[0] for clip in clips) / torches.rate_hz
    return [
        trial.runtime(difference, audio_s)
        for trial, difference in zip(trials, differences, strict=True)
    ]


def _run(trials: Sequence[Trial], clips: Sequence[ReadClip]) -> None:
    """Transcribe every clip with each; they take turns, so that the machine is the same for all."""
    for turn in range(_ROUNDS):
        for clip in clips:
            for trial in trials:
                start = time.process_time()
                (hypothesis,) = trial.recogniser.transcribe(clip.samples, trial.recogniser.rate_hz)
                trial.seconds[turn] += time.process_time() - start
                if turn == 0:
                    trial.errors += ErrorRates.of(clip.reference, hypothesis.text)


@torch.no_grad()
def _difference(torches: Runnable, other: Runnable, clip: Tensor) -> float:
    """The largest difference of log-posteriors on samples [N]."""
    samples = Seq.stack([clip], torches.rate_hz)
    wanted = _log_posteriors(torches, samples)
    computed = _log_posteriors(other, samples)
    if not wanted.numel():
        return 0.0
    return float((wanted - computed).abs().max())


def _log_posteriors(recogniser: Runnable, samples: Seq) -> Tensor:
    logits = recogniser.logits(samples.to(recogniser.device))
    return logits.row(0).log_softmax(-1).cpu()


def _noise(samples: int) -> Tensor:
    generator = torch.Generator().manual_seed(samples)
    return _NOISE_LEVEL * torch.randn(samples, generator=generator)


def _bytes_of(recogniser: Recogniser) -> int:
    tensors = recogniser.model.state_dict().values()
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
