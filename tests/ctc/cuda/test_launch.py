"""What becomes of the driver's error codes. Needs no GPU: the driver is a stand-in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ctcasr.ctc.cuda import launch
from ctcasr.ctc.cuda.geometry import Args
from ctcasr.ctc.errors import KernelError
from ctcasr.train.memory import out_of_memory

TEXTS = {2: b"out of memory", 200: b"device kernel image is invalid", 701: b"too many resources"}


class Driver:
    """Answers 0, or an error code to one function, and notes what is called."""

    def __init__(self, failing: str = "", code: int = 0) -> None:
        self.failing = failing
        self.code = code
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def function(*arguments: Any) -> int:
            self.called.append(name)
            return self.code if name == self.failing else 0

        return function

    def cuGetErrorString(self, code: int, text: Any) -> int:
        text._obj.value = TEXTS[code]
        return 0


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the kernels of a device whose driver fails as told."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    stream = SimpleNamespace(cuda_stream=7)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(launch.nvrtc, "binary", lambda capability, defines: b"code")

    def make(failing: str = "", code: int = 0) -> launch.Kernels:
        driver = Driver(failing, code)
        monkeypatch.setattr(launch, "driver", lambda: driver)
        made = launch.Kernels(0)
        made.driver = driver  # type: ignore[attr-defined]
        return made

    return make


def test_a_kernel_is_found_once_and_launched_each_time(kernels: Any) -> None:
    made = kernels()
    for _ in range(3):
        made.on_current_stream()("prepare", 2, 1, 256, 0, Args())
    assert made.driver.called.count("cuModuleGetFunction") == 1
    assert made.driver.called.count("cuLaunchKernel") == 3


def test_what_does_not_load_or_launch_is_a_kernel_error(kernels: Any) -> None:
    with pytest.raises(KernelError, match="load the CTC kernels: error 200, device kernel image"):
        kernels("cuModuleLoadData", 200).on_current_stream()("prepare", 2, 1, 256, 0, Args())
    made = kernels("cuLaunchKernel", 701)
    with pytest.raises(KernelError, match="launch prepare: error 701"):
        made.on_current_stream()("prepare", 2, 1, 256, 0, Args())


def test_memory_that_runs_out_is_no_fault_of_the_kernel(kernels: Any) -> None:
    with pytest.raises(RuntimeError, match="error 2, out of memory") as caught:
        kernels("cuModuleLoadData", 2).on_current_stream()("prepare", 2, 1, 256, 0, Args())
    assert not isinstance(caught.value, KernelError) and out_of_memory(caught.value)
