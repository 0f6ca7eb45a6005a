"""Where speech pauses: places at which a long recording may be cut."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_STEP_S = 0.01
_SMOOTHED_S = 0.2  # shorter dips lie within words
_LOWEST = 1e-10  # of power: digital silence has a level too
_LONG_PAUSE_S = 0.5  # ends a piece early; the longer the piece, the shorter a pause will do
_QUIETEST = 0.03  # quantile of the levels that is called the background
_LOUDEST = 0.9  # and the loudest
_MOST_RANGE_DB = 45.0  # by which a background may lie below the loudest: digital silence lies lower
_DEPTH = 0.5  # of the way from the background to the loudest: below it is a pause
_LEAST_RANGE_DB = 9.0  # between background and loudest: with less there are no pauses to see
INAUDIBLE_DB = -70.0  # re full scale: below it nothing was said


@dataclass(frozen=True)
class Cut:
    """A place to cut at, in samples, and whether it lies in a pause."""

    sample: int
    in_pause: bool


def levels_db(samples: Tensor, rate_hz: int) -> Tensor:
    """Level of samples [N] in dB re full scale, each 10 ms, over 0.2 s around: [N / step].

    What is shorter than a step, but one sample, has one level.
    """
    step = min(max(1, round(_STEP_S * rate_hz)), samples.shape[0])
    steps = samples.shape[0] // step
    pieces = samples[: steps * step].view(steps, step)
    power = pieces.square().mean(1)
    around = round(_SMOOTHED_S / _STEP_S) // 2
    window = 2 * around + 1
    padded = torch.nn.functional.pad(power[None, None], (around, around))
    is_there = torch.nn.functional.pad(torch.ones(1, 1, steps), (around, around))
    means = torch.nn.functional.avg_pool1d(padded, window, stride=1)
    # At the ends a window holds less than its size: its mean is of what is there.
    shares = torch.nn.functional.avg_pool1d(is_there, window, stride=1)
    smooth = (means / shares)[0, 0]
    return 10 * smooth.clamp_min(_LOWEST).log10()


def find_cut(samples: Tensor, rate_hz: int, shortest_s: float, longest_s: float) -> Cut:
    """Where to cut samples [N] at last: in the middle of the first long pause after `shortest_s`.

    In the longest, where all are short. Without one before `longest_s`: where it is quietest.

    Example:
        >>> speech = torch.sin(torch.arange(16000 * 3) / 5)
        >>> recording = torch.cat((speech, torch.zeros(16000), speech))
        >>> cut = find_cut(recording, 16000, shortest_s=2.0, longest_s=6.0)
        >>> cut.in_pause, round(cut.sample / 16000, 1)
        (True, 3.5)
    """
    step = max(1, round(_STEP_S * rate_hz))
    last_sample = round(longest_s * rate_hz)
    levels = levels_db(samples[:last_sample], rate_hz)
    first = min(round(shortest_s / _STEP_S), levels.shape[0] - 1)
    loudest = float(levels.quantile(_LOUDEST))
    quietest_db = float(levels.quantile(_QUIETEST))
    background = max(quietest_db, loudest - _MOST_RANGE_DB)
    range_db = loudest - background
    if range_db >= _LEAST_RANGE_DB:
        is_quiet = levels < background + _DEPTH * range_db
        pause = _best_pause(is_quiet, first)
        if pause is not None:
            start, end = pause
            middle = (start + end) // 2
            return Cut(middle * step, True)
    quietest = first + int(levels[first:].argmin())
    return Cut(quietest * step, False)


def _best_pause(is_quiet: Tensor, first: int) -> tuple[int, int] | None:
    """Start and end of the quiet run to cut in, of those whose middle lies behind step `first`.

    The first that is as long as is wanted there, else the longest; None without any. A run must
    end: what follows the last step is not known.
    """
    flags = is_quiet.tolist()
    longest = None
    start = None
    for place, flag in enumerate(flags):
        if flag and start is None:
            start = place
        if flag or start is None:
            continue
        length = place - start
        middle = (start + place) // 2
        if middle >= first:
            if length >= _LONG_PAUSE_S / _STEP_S * (1 - middle / len(flags)):
                return start, place
            if longest is None or length > longest[1] - longest[0]:
                longest = (start, place)
        start = None
    return longest
