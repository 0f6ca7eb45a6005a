"""What engines of synthetic speech share."""

from __future__ import annotations

import os
import threading

import pytest
import torch

from ctcasr.data.speaker import ProcessLock, as_another_speaker, in_english_letters


@pytest.mark.parametrize("rate_hz", [16000, 22050])
@pytest.mark.parametrize("size", [0.88, 1.0, 1.004, 1.12])
def test_a_smaller_speaker_takes_less_time(rate_hz: int, size: float) -> None:
    played = as_another_speaker(torch.zeros(rate_hz), rate_hz, size)
    assert len(played) == pytest.approx(rate_hz / size, rel=0.002)


def test_letters_are_read_by_english_spelling() -> None:
    assert in_english_letters("place eh by  eh zed") == "place ay by ay zed"


def test_one_thread_at_a_time_holds_the_lock() -> None:
    lock = ProcessLock()
    entered = threading.Event()

    def enter() -> None:
        with lock:
            entered.set()

    with lock:
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(10)
    thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_does_not_wait_for_a_thread_of_its_parent() -> None:
    lock = ProcessLock()
    with lock:
        child = os.fork()
        if not child:
            os._exit(0 if lock._lock.acquire(timeout=10) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
