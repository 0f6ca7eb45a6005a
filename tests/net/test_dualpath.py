"""The learnt filter bank and the separator."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ctcasr.net import GlobalNorm, Separator, WaveDecoder, WaveEncoder
from ctcasr.seq import Seq


@pytest.mark.parametrize(
    ("samples", "frames"), [(16, 1), (17, 2), (24, 2), (25, 3), (48_000, 5_999), (40_800, 5_099)]
)
def test_no_sample_is_left_out(samples: int, frames: int) -> None:
    encoder = WaveEncoder(4)
    out = encoder(Seq.stack([torch.ones(samples)], 16000))
    assert out.lengths == (frames,) == (out.data.shape[1],) and out.rate == 2000


def test_encoder_and_decoder_are_the_plain_convolutions() -> None:
    torch.manual_seed(0)
    encoder, decoder, x = WaveEncoder(6), WaveDecoder(6), torch.randn(2, 160)
    samples = Seq(x, (160, 160), Seq.stack([x[0]], 16000).rate)
    frames = encoder(samples)
    torch.testing.assert_close(frames.data, encoder.conv(x[:, None]).relu().transpose(1, 2))
    theirs = nn.functional.conv_transpose1d(frames.data.transpose(1, 2), decoder.weight, stride=8)[
        :, 0
    ]
    torch.testing.assert_close(decoder(frames, samples).data, theirs)


def test_a_mask_is_never_negative_and_its_padding_is_zero() -> None:
    torch.manual_seed(0)
    separator = Separator(5, 7, 4, 3, chunk=6).eval()
    out = separator(Seq.stack([torch.randn(20, 5), torch.randn(9, 5)], 2000))
    assert out.data.shape == (2, 20, 7) and bool((out.data >= 0).all()) and bool(out.data.any())
    assert not bool(out.data[1, 9:].any())


def test_a_causal_separator_has_one_direction_and_no_global_statistics() -> None:
    separator = Separator(5, 7, 4, 3, chunk=6, causal=True)
    assert not any(isinstance(m, GlobalNorm) for m in separator.modules())
    assert separator.along.rnn.backwards is None and separator.across.rnn.backwards is None
