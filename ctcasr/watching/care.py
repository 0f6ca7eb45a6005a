"""How a watch treats the loop: it costs little, draws nothing, and never raises into it."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch

GENEROUS_S = 1.0  # of looking, until which the first looks are made whatever their share


def warn(message: str) -> None:
    """A warning that does not break the loop, even where nothing can be written any more."""
    with suppress(OSError, ValueError):  # as of a closed stderr
        warnings.warn(f"ctcasr: {message}", stacklevel=4)


@contextmanager
def drawing_nothing() -> Iterator[None]:
    """Within, random numbers are others than the loop's, which go on as if nobody had looked."""
    with torch.random.fork_rng(devices=[]):
        yield


class Care:
    """Does the work of looking so that the loop does not feel it.

    Args:
        share: of the time, at most, that may go by looking.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.broken = False
        self._began_s = time.perf_counter()
        self._spent_s = 0.0
        self._first_look_over = False
        self._thread = threading.local()

    def begin(self) -> None:
        """Time counts from here."""
        self._began_s = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return round(time.perf_counter() - self._began_s, 3)

    @property
    def may_look(self) -> bool:
        """Whether looking has taken less than its share of the time so far."""
        passed_s = time.perf_counter() - self._began_s
        return self._spent_s < self.share * passed_s

    @property
    def is_generous(self) -> bool:
        """Whether the first few looks are made, whatever share of a short training they take."""
        return self._spent_s < GENEROUS_S

    @property
    def looking(self) -> bool:
        """Whether this thread is looking now: losses that it computes are the watch's own."""
        return bool(getattr(self._thread, "looking", False))

    def first_look_is_over(self) -> None:
        """Looks count from the next one on: the first compiles kernels, once for all time."""
        self._first_look_over = True

    @contextmanager
    def own_losses(self) -> Iterator[None]:
        """Within, losses that this thread computes are the watch's own, and are not looked at."""
        before = self.looking
        self._thread.looking = True
        try:
            yield
        finally:
            self._thread.looking = before

    def guarded(self, look: Callable[..., None], *args: Any) -> None:
        """Call `look` with these arguments: no error gets out, and no graph is made."""
        if self.broken or self.looking:
            return
        began_s = time.perf_counter()
        counts = self._first_look_over
        gradients = torch.is_grad_enabled()
        # Not by context managers: this stands in the way of every step.
        self._thread.looking = True
        torch.set_grad_enabled(False)
        try:
            look(*args)
        except Exception as error:
            self.broken = True
            warn(f"the watch has failed and looks no more ({error!r}); training goes on")
        finally:
            torch.set_grad_enabled(gradients)
            self._thread.looking = False
            if counts:
                self._spent_s += time.perf_counter() - began_s
