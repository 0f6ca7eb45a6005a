"""The error of the loss is what users of either kind of error catch."""

from __future__ import annotations

import pytest
import torch

from ctcasr.ctc import InputError, ctc_loss


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, InputError])
def test_is_caught_as_a_value_error_and_as_torchs_own(kind):
    with pytest.raises(kind, match="row 0 has length 9"):
        ctc_loss(torch.zeros(1, 4, 3), torch.tensor([[1]]), [9], [1])
