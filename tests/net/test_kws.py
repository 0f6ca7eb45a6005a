"""The plain convolutional classifier: its kernels and what it refuses."""

from __future__ import annotations

import pytest
import torch

from ctcasr.net import ConvClassifier


def test_conv_kernels_and_strides_are_time_then_frequency() -> None:
    network = ConvClassifier([(4, (5, 3), (3, 1)), (2, (1, 1), (1, 2))], 3)
    assert network.conv(torch.zeros(1, 1, 20, 30)).shape == (1, 2, 10, 10)
    with pytest.raises(ValueError, match="at least one conv layer"):
        ConvClassifier([], 3)
