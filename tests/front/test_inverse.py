"""The transform and its inverse: what went in comes out."""

from __future__ import annotations

import pytest
import torch

from ctcasr.front import Mel, Spectrogram
from ctcasr.seq import Seq


@pytest.mark.parametrize(
    "extract",
    [
        Spectrogram(8000, 256),
        Spectrogram(8000, 256, 0.032, 0.008),
        Mel(8000, 20, n_fft=256, window_s=0.02),
    ],
    ids=["spectrogram", "half", "mel"],
)
def test_round_trip_row_by_row(extract: Spectrogram) -> None:
    draw = torch.Generator().manual_seed(0)
    samples = Seq.stack([torch.randn(n, generator=draw) for n in (3001, 1000, 517)], 8000)
    spectrum = extract.transform(samples)
    assert spectrum.data.is_complex() and spectrum.data.shape[2] == 129
    found = extract.inverse(spectrum, samples)
    assert found.lengths == samples.lengths
    for row in range(3):
        # Behind the middle of the last frame a sample lies at the rim of one window only.
        last = (samples.lengths[row] // extract.hop) * extract.hop
        torch.testing.assert_close(
            found.row(row)[:last], samples.row(row)[:last], atol=1e-4, rtol=1e-3
        )
        alone = Seq.stack([samples.row(row)], 8000)
        torch.testing.assert_close(
            extract.inverse(extract.transform(alone), alone).row(0),
            found.row(row),
            atol=1e-5,
            rtol=1e-4,
        )


def test_features_of_the_transform_are_those_of_the_samples() -> None:
    extract = Mel(8000, 20, n_fft=256)
    samples = Seq.stack([torch.randn(2000)], 8000)
    torch.testing.assert_close(
        extract.features(extract.transform(samples)).data, extract(samples).data
    )
