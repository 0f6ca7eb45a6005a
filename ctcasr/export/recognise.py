"""Export a recogniser with its front-end to ONNX, run the files, and report."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError, read_audio
from ctcasr.export.eight_bits import quantise
from ctcasr.export.graph import Graph
from ctcasr.export.layers import speech
from ctcasr.recognise.onnx import packed
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.scoring.errors import ErrorRates
from ctcasr.seq import Seq

_ROUNDS = 3


@dataclass(frozen=True)
class Runtime:
    """One way to run a recogniser, on a test set; clips one by one, in one thread."""

    name: str  # "torch", or the file
    bytes: int
    difference: float  # of log-posteriors from torch's, the largest
    wer: float | None = None  # None: no test set was given
    cer: float | None = None
    rtf: float | None = (
        None  # processor seconds for one second of sound: from samples to words, greedily
    )


@dataclass(frozen=True)
class ExportedRecogniser:
    """The files of one recogniser, beside torch."""

    files: Sequence[Path]
    runtimes: Sequence[Runtime]
    clips: int
    skipped: Sequence[Skip]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "clips": self.clips,
            "runtimes": [asdict(one) for one in self.runtimes],
            "skipped": [{"where": skip.where, "reason": skip.reason} for skip in self.skipped],
        }

    def __str__(self) -> str:
        lines = [f"{'file':24} {'MB':>7} {'WER':>9} {'CER':>9} {'RTF':>8} {'difference':>11}"]
        for one in self.runtimes:
            rates = [
                f"{'-':>9}" if rate is None else f"{100 * rate:7.2f} %"
                for rate in (one.wer, one.cer)
            ]
            rtf = "-" if one.rtf is None else f"{one.rtf:.4f}"
            lines.append(
                f"{one.name:24} {one.bytes / 1e6:7.2f} {' '.join(rates)} {rtf:>8} {one.difference:11.1e}"
            )
        clips = (
            f"{self.clips} clips" if self.clips else "noise: give --test for error rates and time"
        )
        tail = (
            f"{clips}; RTF: processor time, one thread, clips one by one; "
            "difference: of log-posteriors from torch's, the largest; 1 MB = 1000000 bytes"
        )
        return "\n".join(
            [*lines, tail, *(f"left out: {skip.where}: {skip.reason}" for skip in self.skipped)]
        )


def export_onnx_recogniser(recogniser: Recogniser, path: Path) -> Path:
    """Write a recogniser as an ONNX file: samples [B, N] and lengths [B] to log-posteriors [B, T, symbols] and frames [B].

    What lies beyond a row's length is neither looked at nor, in the output, meant. `Recogniser.load` reads the file.
    """
    graph = Graph()
    scores, frames = speech(graph, recogniser.model, "samples", "lengths")
    path.parent.mkdir(parents=True, exist_ok=True)
    graph.save(
        path,
        {"samples": ("float", ["batch", "time"]), "lengths": ("int64", ["batch"])},
        {
            "log_probs": ("float", ["batch", "steps", recogniser.tokenizer.size]),
            "frames": ("int64", ["batch"]),
        },
        {"log_probs": scores, "frames": frames},
        packed(recogniser),
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
    """Write NAME.onnx and NAME_int8.onnx to folder `out`, compare them with torch (a checkpoint of `size` bytes), score and time them."""
    if to != "onnx":
        raise ValueError(
            f"expected onnx to export a recogniser to; got {to!r}, which takes classifiers only"
        )
    plain = export_onnx_recogniser(recogniser, out / f"{name}.onnx")
    files = [plain, quantise(plain, out / f"{name}_int8.onnx")]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        clips, texts, skipped = _read(recogniser, test)
        readers = [recogniser, *(Recogniser.load(file) for file in files)]
        for reader in readers:
            reader.blank_penalty = recogniser.blank_penalty
        heard = clips or [
            0.1 * torch.randn(n, generator=torch.Generator().manual_seed(n))
            for n in (8000, 16000, 40000)
        ]
        differences = [
            max(_difference(recogniser, reader, clip) for clip in heard) for reader in readers
        ]
        scores = _scores(readers, clips, texts) if clips else [(None, None, None)] * len(readers)
    finally:
        torch.set_num_threads(threads)
    names = ["torch", *(file.name for file in files)]
    sizes = [
        size or sum(t.numel() * t.element_size() for t in recogniser.model.state_dict().values()),
        *(f.stat().st_size for f in files),
    ]
    found = ExportedRecogniser(
        files,
        [
            Runtime(*row, *rates)
            for row, rates in zip(zip(names, sizes, differences, strict=True), scores, strict=True)
        ],
        len(clips),
        skipped,
    )
    (out / f"{name}_onnx.json").write_text(
        json.dumps(found.as_json(), indent=2) + "\n", encoding="utf-8"
    )
    return found


def _read(
    recogniser: Recogniser, test: Sequence[Utterance]
) -> tuple[list[Tensor], list[str], list[Skip]]:
    clips, texts, skipped = [], [], []
    for utterance in test:
        try:
            if utterance.text is None:
                raise AudioError("expected a text to compare with; the line has none")
            clips.append(read_audio(utterance, recogniser.rate_hz))
            texts.append(recogniser.tokenizer.normalise(utterance.text))
        except AudioError as error:
            skipped.append(Skip(utterance.where or utterance.id, str(error)))
    return clips, texts, skipped


@torch.no_grad()
def _difference(torches: Recogniser, other: Recogniser, clip: Tensor) -> float:
    samples = Seq.stack([clip], torches.rate_hz)
    wanted, found = (
        reader.logits(samples.to(reader.device)).row(0).log_softmax(-1).cpu()
        for reader in (torches, other)
    )
    return float((wanted - found).abs().max()) if wanted.numel() else 0.0


def _scores(
    readers: Sequence[Recogniser], clips: Sequence[Tensor], texts: Sequence[str]
) -> list[tuple[float, float, float]]:
    """Word and character error rate and real-time factor of each; they take turns clip by clip, so that the machine is the same for all."""
    seconds = sum(clip.shape[0] for clip in clips) / readers[0].rate_hz
    tallies, spent = [ErrorRates() for _ in readers], [[0.0] * _ROUNDS for _ in readers]
    for turn in range(_ROUNDS):
        for clip, text in zip(clips, texts, strict=True):
            for index, reader in enumerate(readers):
                start = time.process_time()
                (found,) = reader.transcribe(clip, reader.rate_hz)
                spent[index][turn] += time.process_time() - start
                if turn == 0:
                    tallies[index] += ErrorRates.of(text, found.text)
    return [
        (tally.words.rate, tally.chars.rate, statistics.median(times) / seconds)
        for tally, times in zip(tallies, spent, strict=True)
    ]
