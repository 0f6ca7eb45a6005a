"""Ctrl-C and SIGTERM end a run between two steps, when its state is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1")  # Windows lacks the last


class Interrupt:
    """While entered, the first signal only sets `asked`; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.asked = ""
        self._old: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        # Only the main thread may set handlers; elsewhere a signal does what it always did.
        if threading.current_thread() is threading.main_thread():
            for name in _SIGNALS:
                number = getattr(signal, name, None)
                if number is not None:
                    self._old[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        self._old.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name
