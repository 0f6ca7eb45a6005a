"""What engines of synthetic speech share: the size of a speaker, names of letters, a lock."""

from __future__ import annotations

import os
import threading
from types import TracebackType

from torch import Tensor

from ctcasr.data.audio import resample

MIDDLE_PITCH = 50
_RATE_STEP_HZ = 50  # a ratio of small whole numbers, whose filter is short
_NAMES = {"eh": "ay"}  # the name of the letter a, as texts for eSpeak NG have it


def as_another_speaker(samples: Tensor, rate_hz: int, size: float) -> Tensor:
    """Samples [N] played `size` times as fast: a smaller speaker, with a higher voice.

    Example:
        >>> import torch
        >>> as_another_speaker(torch.zeros(1600), 16000, 1.25).shape
        torch.Size([1280])
    """
    played_hz = round(rate_hz * size / _RATE_STEP_HZ) * _RATE_STEP_HZ
    return resample(samples, played_hz, rate_hz)


def in_english_letters(text: str) -> str:
    """A text for eSpeak NG as engines that read by English spelling say it rightly.

    Example:
        >>> in_english_letters("place eh four")
        'place ay four'
    """
    return " ".join(_NAMES.get(word, word) for word in text.split())


class ProcessLock:
    """A lock that is new in a process that was forked: another thread may have held it there."""

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()
