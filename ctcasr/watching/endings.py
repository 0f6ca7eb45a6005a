"""Why a loop ended before its time, by what it raised."""

from __future__ import annotations

import traceback

import torch

from ctcasr.records import Reason

LOSS = "ctc_loss"  # how the names of the functions begin, of torch and of ours


def why_it_broke_off(error: BaseException) -> tuple[Reason, str]:
    """The reason for a record of what a loop raised, and the words for people.

    Example:
        >>> why_it_broke_off(FileNotFoundError("a.wav"))
        (<Reason.OTHER: 'other'>, "training ended by FileNotFoundError('a.wav')")
    """
    told = f"training ended by {error!r}"
    if isinstance(error, KeyboardInterrupt):
        return Reason.INTERRUPTED, told
    if isinstance(error, torch.OutOfMemoryError):
        return Reason.OUT_OF_MEMORY, told
    if came_out_of_loss(error):
        return Reason.LOSS_FAILED, told
    return Reason.OTHER, told


def came_out_of_loss(error: BaseException) -> bool:
    """Whether an error was raised within a CTC loss."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_name.startswith(LOSS) for frame, _ in frames)
