"""What a loop raised says why it ended."""

from __future__ import annotations

import pytest
import torch

from ctcasr.ctc import ctc_loss
from ctcasr.records import Reason
from ctcasr.watching.endings import why_it_broke_off


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyboardInterrupt(), Reason.INTERRUPTED),
        (torch.OutOfMemoryError("CUDA out of memory"), Reason.OUT_OF_MEMORY),
        (FileNotFoundError("a.wav"), Reason.OTHER),
    ],
)
def test_each_kind_of_end_has_its_reason(error: BaseException, reason: Reason) -> None:
    told, message = why_it_broke_off(error)
    assert told == reason
    assert type(error).__name__ in message


def test_an_error_of_a_loss_is_told_from_others_by_where_it_was_raised() -> None:
    scores = torch.zeros(4, 1, 3)
    for loss in (torch.nn.CTCLoss(), lambda *args: ctc_loss(scores.transpose(0, 1), *args[1:])):
        with pytest.raises((RuntimeError, ValueError)) as raised:
            loss(scores, torch.tensor([[1, 2]]), [4, 4], [2])
        assert why_it_broke_off(raised.value)[0] == Reason.LOSS_FAILED
