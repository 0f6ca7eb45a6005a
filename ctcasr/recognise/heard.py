"""What is heard of a batch: its logits, or the likeliest sentence at any of several speeds.

Played faster, a voice is higher and its vocal tract shorter: one of the speeds may bring a talker
nearer to those whom the network learnt from (Lee and Rose 1996 choose their warps by likelihood).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ctcasr.ctc import Decoded, penalised
from ctcasr.data.audio import resample
from ctcasr.decoding.commands import CommandDecoder
from ctcasr.recognise.protocols import LogitsSource
from ctcasr.seq import Seq


def penalised_logits(source: LogitsSource, samples: Seq, blank_penalty: float) -> Seq:
    """Logits [B, T, symbols] of samples [B, N], with so many nats taken off the blank."""
    logits = source.logits(samples.to(source.device))
    return logits.with_data(penalised(logits.data, source.tokenizer.blank, blank_penalty))


@dataclass(frozen=True)
class Heard:
    """The best sentence of one row, None where none has room, and where it was heard."""

    sentence: Decoded | None
    certainty: float  # nats a symbol: the median of all speeds
    logits: Tensor  # [T, symbols]
    speed: float


def played(samples: Seq, speed: float) -> Seq:
    """Samples [B, N] played that much faster, pitch included; never less wide than they were.

    Example:
        >>> played(Seq.stack([torch.ones(800)], 8000), 1.25).lengths
        (640,)
    """
    if speed == 1.0:
        return samples
    rate_hz = round(samples.rate)
    rows = []
    for row in range(len(samples)):
        rows.append(resample(samples.row(row), round(rate_hz * speed), rate_hz))
    stacked = Seq.stack(rows, samples.rate)
    missing = max(0, samples.data.shape[1] - stacked.data.shape[1])
    wide = torch.nn.functional.pad(stacked.data, (0, missing))
    return Seq(wide, stacked.lengths, samples.rate)


def heard_best(
    source: LogitsSource, samples: Seq, decoder: CommandDecoder, blank_penalty: float = 0.0
) -> list[Heard]:
    """Of each row of samples [B, N], the sentence that is likeliest at any of the speeds.

    How sure of it the network is, all speeds tell: what is no command is a likely one at some.
    """
    by_speed: list[Seq] = []
    found: list[list[Decoded | None]] = []
    for speed in decoder.speeds:
        logits = penalised_logits(source, played(samples, speed), blank_penalty)
        by_speed.append(logits)
        found.append(decoder.best(logits))
    heard = []
    for row in range(len(samples)):
        likeliest = _likeliest([best[row] for best in found])
        sentence = found[likeliest][row]
        rows = [logits.row(row) for logits in by_speed]
        certainty = decoder.certainty(sentence, rows)
        heard.append(Heard(sentence, certainty, rows[likeliest], decoder.speeds[likeliest]))
    return heard


def _likeliest(sentences: Sequence[Decoded | None]) -> int:
    """The place of the sentence with the highest score."""
    scores = [-math.inf if sentence is None else sentence.score for sentence in sentences]
    return max(range(len(scores)), key=scores.__getitem__)
