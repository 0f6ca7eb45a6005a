"""One thread within, as before without."""

from __future__ import annotations

import pytest
import torch

from ctcasr.export.threads import one_thread


def test_threads_come_back_even_after_an_error() -> None:
    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError), one_thread():
            assert torch.get_num_threads() == 1
            raise RuntimeError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
