"""What the decoding tools share: a manifest's logits, computed once, and the score of a decoder on them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from ctcasr.data import read_audio, read_manifest, split_dev
from ctcasr.recognise.decoder import Decoder
from ctcasr.recognise.ensemble import Ensemble
from ctcasr.scoring.errors import ErrorRates
from ctcasr.seq import Seq


@dataclass(frozen=True)
class Heard:
    """References and logits of a manifest, batch by batch, and what that took."""

    batches: list[tuple[list[str], list[Seq]]]  # with the logits of every member
    audio_s: float
    network_s: float


@torch.no_grad()
def hear(
    recogniser: Ensemble,
    manifest: str | Path,
    dev_share: float = 0.0,
    dev_seed: int = 0,
    batch: int = 16,
) -> Heard:
    """Run the network over a manifest, or over the part of it that a recipe with this `dev_share` and seed holds out."""
    utterances = read_manifest(manifest).utterances
    if dev_share:
        _, utterances = split_dev(utterances, dev_share, dev_seed)
    batches, audio_s, network_s = [], 0.0, 0.0
    for at in range(0, len(utterances), batch):
        part = utterances[at : at + batch]
        samples = Seq.stack([read_audio(u, recogniser.rate_hz) for u in part], recogniser.rate_hz)
        begin = time.perf_counter()
        logits = recogniser.member_logits(samples)
        network_s += time.perf_counter() - begin
        audio_s += samples.seconds
        batches.append(([recogniser.tokenizer.reference(u.text or "").text for u in part], logits))
    return Heard(batches, audio_s, network_s)


def score(heard: Heard, recogniser: Ensemble, decoder: Decoder | None) -> tuple[ErrorRates, float]:
    """Errors of a decoder (None: greedy), and the seconds it took; the first batch is done once before, for its compilation."""

    def decode(logits: list[Seq]) -> list[str]:
        return [
            recogniser.tokenizer.decode(row[0].tokens) if row else ""
            for row in recogniser.rank(logits, decoder)
        ]

    decode(heard.batches[0][1])
    total, seconds = ErrorRates(), 0.0
    for references, logits in heard.batches:
        begin = time.perf_counter()
        texts = decode(logits)
        seconds += time.perf_counter() - begin
        for said, written in zip(references, texts, strict=True):
            total += ErrorRates.of(said, written)
    return total, seconds
