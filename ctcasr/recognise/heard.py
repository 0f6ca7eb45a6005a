"""What is heard of a batch: its logits, or the likeliest sentence at any of several speeds.

Played faster, a voice is higher and its vocal tract shorter: one of the speeds may bring a talker
nearer to those whom the network learnt from (Lee and Rose 1996 choose their warps by likelihood).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ctcasr.ctc import Decoded, penalised
from ctcasr.data.audio import played_faster
from ctcasr.data.corpus import FASTEST, SLOWEST
from ctcasr.decoding.commands import CommandDecoder
from ctcasr.recognise.protocols import LogitsSource
from ctcasr.seq import Seq

SPEEDS = (0.9, 0.95, 1.0, 1.05, 1.1)  # as recordings are played in training, and between


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


def check_speed(speed: float) -> None:
    """ValueError for a speed outside 0.5..2."""
    if not SLOWEST <= speed <= FASTEST:
        raise ValueError(f"speed: expected a factor within {SLOWEST}..{FASTEST}; got {speed}")


def played(samples: Seq, speed: float) -> Seq:
    """Samples [B, N] played that much faster, pitch included; never less wide than they were.

    ValueError for frames of a video.

    Example:
        >>> played(Seq.stack([torch.ones(800)], 8000), 1.25).lengths
        (640,)
    """
    if samples.data.dim() != 2:
        shape = tuple(samples.data.shape)
        raise ValueError(f"speeds: expected sound, samples [B, N]; got {shape}, as of a video")
    if speed == 1.0:
        return samples
    rate_hz = round(samples.rate)
    rows = []
    for row in range(len(samples)):
        rows.append(played_faster(samples.row(row), rate_hz, speed))
    stacked = Seq.stack(rows, samples.rate)
    missing = max(0, samples.data.shape[1] - stacked.data.shape[1])
    wide = torch.nn.functional.pad(stacked.data, (0, missing))
    return Seq(wide, stacked.lengths, samples.rate)


def heard_best(
    source: LogitsSource, samples: Seq, decoder: CommandDecoder, blank_penalty: float = 0.0
) -> list[Heard]:
    """Of each row of samples [B, N], the sentence that is likeliest where any speed may suit.

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
        sentences = [best[row] for best in found]
        rows = [logits.row(row) for logits in by_speed]
        heard.append(_surest(sentences, rows, decoder))
    return heard


def _surest(
    sentences: Sequence[Decoded | None], rows: Sequence[Tensor], decoder: CommandDecoder
) -> Heard:
    """Of what was found at each speed in its logits [T, symbols], what has most probability."""
    texts = dict.fromkeys(sentence.tokens for sentence in sentences if sentence is not None)
    if not texts:
        return Heard(None, -math.inf, rows[0], decoder.speeds[0])
    spelled_at = [decoder.spelled(tokens, rows) for tokens in texts]
    at_speeds = max(spelled_at, key=_log_sum)
    likeliest = max(range(len(rows)), key=lambda speed: at_speeds[speed].score)
    certainty = decoder.certainty(at_speeds)
    return Heard(at_speeds[likeliest], certainty, rows[likeliest], decoder.speeds[likeliest])


def _log_sum(at_speeds: Sequence[Decoded]) -> float:
    """Log of the sum of the probabilities that a sentence has at each speed."""
    return float(np.logaddexp.reduce([sentence.score for sentence in at_speeds]))
