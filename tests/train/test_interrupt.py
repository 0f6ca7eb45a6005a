"""Signals end a run between two steps; a second Ctrl-C ends it at once."""

from __future__ import annotations

import signal

import pytest

from ctcasr.train.interrupt import Interrupt


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_is_noted_and_the_old_handlers_come_back(name: str) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with Interrupt() as interrupt:
        assert interrupt.asked == ""
        signal.raise_signal(number)
        assert interrupt.asked == name
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupt():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
