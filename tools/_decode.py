"""What the decoding tools share: a manifest's logits, computed once, and a decoder's score."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch

from ctcasr.batch import Skip, Utterance
from ctcasr.data import read_manifest, split_dev
from ctcasr.data.skipped import refuse_nothing
from ctcasr.decoding.decoder import Decoder
from ctcasr.recognise.ensemble import Ensemble
from ctcasr.recognise.evaluation import Reading
from ctcasr.scoring.errors import ErrorRates
from ctcasr.seq import Seq

BATCH = 16


@dataclass(frozen=True)
class ScoredBatch:
    """References of a batch, and the logits of every member."""

    references: list[str]
    logits: list[Seq]


@dataclass
class ManifestLogits:
    """References and logits of a manifest, batch by batch, and what that took."""

    batches: list[ScoredBatch] = field(default_factory=list)
    audio_s: float = 0.0
    network_s: float = 0.0
    skipped: list[Skip] = field(default_factory=list)

    @property
    def utterances(self) -> int:
        """How many there are."""
        return sum(len(batch.references) for batch in self.batches)

    def __str__(self) -> str:
        """How much there is, with a line for each utterance that was skipped."""
        figures = f"{self.utterances} utterances, {self.audio_s:.1f} s of audio"
        lines = [f"{figures}, {len(self.skipped)} skipped"]
        lines += [f"  skipped: {skip.where}: {skip.reason}" for skip in self.skipped]
        return "\n".join(lines)


def add_dev_flags(parser: argparse.ArgumentParser) -> None:
    """The flags by which only the held-out part of a manifest is used."""
    parser.add_argument(
        "--dev-share",
        type=float,
        default=0.0,
        metavar="X",
        help="only what a recipe with this share and --dev-seed holds out",
    )
    parser.add_argument("--dev-seed", type=int, default=0, metavar="N")


@torch.no_grad()
def run_network(
    recogniser: Ensemble, manifest: str | Path, dev_share: float = 0.0, dev_seed: int = 0
) -> ManifestLogits:
    """Run the network over a manifest, or over the part of it that a recipe holds out.

    What `ctcasr evaluate` would skip is skipped. Raises NothingScoredError where nothing is left.
    """
    utterances: Sequence[Utterance] = read_manifest(manifest).utterances
    if dev_share:
        _, utterances = split_dev(utterances, dev_share, dev_seed)
    result = ManifestLogits()
    reading = Reading(recogniser)
    clips = reading.clips(utterances)
    while batch := list(islice(clips, BATCH)):
        samples = Seq.stack([clip.samples for clip in batch], recogniser.rate_hz)
        started = time.perf_counter()
        logits = recogniser.member_logits(samples)
        result.network_s += time.perf_counter() - started
        result.audio_s += samples.seconds
        result.batches.append(ScoredBatch([clip.reference for clip in batch], logits))
    refuse_nothing(reading.skipped, result.utterances)
    result.skipped = reading.skipped
    return result


def score(
    logits: ManifestLogits, recogniser: Ensemble, decoder: Decoder | None
) -> tuple[ErrorRates, float]:
    """Errors of a decoder (None: greedy), and the seconds it took.

    The first batch is done once before, for its compilation.
    """
    decode(recogniser, logits.batches[0].logits, decoder)
    errors = ErrorRates()
    seconds = 0.0
    for batch in logits.batches:
        started = time.perf_counter()
        hypotheses = decode(recogniser, batch.logits, decoder)
        seconds += time.perf_counter() - started
        for reference, hypothesis in zip(batch.references, hypotheses, strict=True):
            errors += ErrorRates.of(reference, hypothesis)
    return errors, seconds


def decode(recogniser: Ensemble, logits: list[Seq], decoder: Decoder | None) -> list[str]:
    """The best hypothesis of each row; "" for none."""
    texts = []
    for ranked in recogniser.rank(logits, decoder):
        texts.append(recogniser.tokenizer.decode(ranked[0].tokens) if ranked else "")
    return texts
