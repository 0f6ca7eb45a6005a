"""How far the picture is behind the sound, by what is heard and what is seen.

Shape letters: T frames, S symbols.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.seq import Seq

STEP_S = 0.01  # the clock on which both are compared
MOST_S = 0.48  # offsets that are looked for, both ways
WARN_S = 0.08  # from here on viewers notice, and enhancers suffer
# Two recognisers of the same recordings have 0.05 and more, one and an untrained lip reader 0.01.
_LEAST_MARGIN = 0.02
_SPREAD_S = 0.08  # deviation of the window by which spikes are made wide, so that near ones meet
_REACH = 3  # deviations that the window reaches


@dataclass(frozen=True)
class Offset:
    """How far the picture is behind the sound (negative: before it), and how sure that is."""

    seconds: float
    resemblance: float  # correlation at that offset, -1..1
    margin: float  # by which it is above the best more than WARN_S away

    @property
    def is_sure(self) -> bool:
        """Whether anything can be said: of networks that spell nothing alike, nothing can."""
        return self.margin >= _LEAST_MARGIN

    @property
    def is_late(self) -> bool:
        """Whether somebody should be warned."""
        return self.is_sure and round(abs(self.seconds), 3) >= WARN_S


def estimate_offset(heard: Tensor, seen: Tensor, bias_s: float = 0.0) -> Offset:
    """The offset at which two spellings resemble each other most.

    `heard` and `seen` are probabilities [T, S] of symbols other than the blank, both with STEP_S
    from frame to frame. Both networks write a symbol somewhere within it, each in its own place:
    `bias_s` is the offset of clips that are in time.

    Raises:
        ValueError: for alphabets of different sizes.

    Example:
        >>> heard = torch.zeros(300, 3)
        >>> heard[100, 0] = heard[150, 1] = heard[200, 2] = 1.0
        >>> offset = estimate_offset(heard, heard.roll(12, dims=0))
        >>> round(offset.seconds, 2), offset.is_late
        (0.12, True)
    """
    if heard.shape[1] != seen.shape[1]:
        raise ValueError(
            "expected a recogniser and a lip reader of one alphabet; they have "
            f"{heard.shape[1]} and {seen.shape[1]} symbols beside the blank"
        )
    count = min(len(heard), len(seen))
    first = _smoothed(heard[:count])
    second = _smoothed(seen[:count])
    most = round(MOST_S / STEP_S)
    lags = range(-most, most + 1)
    likeness = torch.tensor([_correlation(first, second, lag) for lag in lags])
    best = int(likeness.argmax())
    apart = (torch.arange(len(likeness)) - best).abs() * STEP_S > WARN_S
    return Offset(
        seconds=(best - most) * STEP_S - bias_s,
        resemblance=float(likeness[best]),
        margin=float(likeness[best] - likeness[apart].max()),
    )


@torch.no_grad()
def spelling(recogniser: Recogniser, utterance: Utterance) -> Tensor:
    """Probabilities [T, S] of symbols other than the blank, STEP_S from frame to frame.

    Raises:
        AudioError: where the utterance cannot be read.
    """
    clip = recogniser.read(utterance)
    samples = Seq.stack([clip], recogniser.rate_hz).to(recogniser.device)
    posteriors = recogniser.logits(samples).row(0).float().softmax(-1).cpu()
    symbols = [index for index in range(posteriors.shape[1]) if index != recogniser.tokenizer.blank]
    count = round(len(posteriors) * recogniser.frame_s / STEP_S)
    fine = functional.interpolate(posteriors[:, symbols].T[None], size=count, mode="linear")
    return fine[0].T


class Pair:
    """Who hears and who sees the same clips; `bias_s` is the offset of those that are in time.

    Raises:
        ValueError: where the first reads lips, or the second does not.
    """

    def __init__(self, hearing: Recogniser, seeing: Recogniser) -> None:
        if hearing.model.sees:
            raise ValueError("--recogniser: expected a network that hears; this one reads lips")
        if not seeing.model.sees:
            raise ValueError("--lips: expected a network that reads lips; this one hears")
        self.hearing = hearing
        self.seeing = seeing
        self.bias_s = 0.0

    def offset(self, utterance: Utterance) -> Offset:
        """How far the picture of an utterance is behind its sound; AudioError if it is not read."""
        heard = spelling(self.hearing, utterance)
        seen = spelling(self.seeing, utterance)
        return estimate_offset(heard, seen, self.bias_s)

    def set_right(self, utterances: Sequence[Utterance]) -> list[Skip]:
        """Count the median offset of clips that are in time as none; returns those that tell none.

        Raises:
            ValueError: with the first reason, where no clip can be read and told.
        """
        offsets = []
        skipped = []
        for utterance in utterances:
            try:
                offset = self.offset(utterance)
            except AudioError as error:
                skipped.append(Skip(utterance.full_name, str(error)))
                continue
            if offset.is_sure:
                offsets.append(offset)
            else:
                reason = f"its offset cannot be told (margin {offset.margin:.3f})"
                skipped.append(Skip(utterance.full_name, reason))
        if not offsets:
            reason = f"; the first: {skipped[0].where}: {skipped[0].reason}" if skipped else ""
            raise ValueError(
                "expected clips in time that can be read and told; got "
                f"{len(skipped)} that cannot{reason}. Networks that spell little tell nothing: "
                "what does ctcasr evaluate say of both?"
            )
        self.bias_s += median_offset(offsets)
        return skipped


def median_offset(offsets: Sequence[Offset]) -> float:
    """Seconds that half of the clips are above; NaN of none: the bias of two networks."""
    if not offsets:
        return math.nan
    seconds = torch.tensor([offset.seconds for offset in offsets])
    return float(seconds.median())


def _smoothed(spikes: Tensor) -> Tensor:
    """Spikes [T, S] made wide, without their mean."""
    deviation = _SPREAD_S / STEP_S
    reach = round(_REACH * deviation)
    steps = torch.arange(-reach, reach + 1)
    window = torch.exp(-0.5 * (steps / deviation).square())
    kernel = (window / window.sum())[None, None]
    wide = functional.conv1d(spikes.T[:, None], kernel, padding=reach)
    smoothed = wide[:, 0].T
    return smoothed - smoothed.mean(0)


def _correlation(heard: Tensor, seen: Tensor, lag: int) -> float:
    """Correlation of [T, S] with [T, S] that is so many steps late."""
    count = len(heard) - abs(lag)
    if count < 1:
        return -1.0
    first = heard[max(0, -lag) :][:count]
    second = seen[max(0, lag) :][:count]
    size = first.norm() * second.norm()
    return float((first * second).sum() / size.clamp(min=1e-9))
