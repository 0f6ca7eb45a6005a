"""Normalisation: statistics of real frames only, streamed, and whitening that whitens."""

from __future__ import annotations

import pytest
import torch

from ctcasr.front import CorpusNorm, FrontEnd, LiftedNorm, Spectrogram, Unnormalised, UtteranceNorm
from ctcasr.seq import Seq

BINS = 6


def frames(*lengths: int, seed: int = 0, pad: float = 0.0) -> Seq:
    """Correlated features with a mean; padding filled with `pad`."""
    draw = torch.Generator().manual_seed(seed)
    mix = torch.randn(BINS, BINS, generator=draw) + 2 * torch.eye(BINS)
    rows = [torch.randn(n, BINS, generator=draw) @ mix + torch.arange(BINS) for n in lengths]
    batch = Seq.stack(rows, 100)
    return batch.with_data(batch.data.masked_fill(~batch.mask[..., None], pad))


def covariance(x: torch.Tensor) -> torch.Tensor:
    centred = x.double() - x.double().mean(0)
    return centred.T @ centred / len(x)


def test_utterance_norm_gives_each_row_mean_zero_and_variance_one() -> None:
    out = UtteranceNorm()(frames(50, 30, 7, pad=1e3))
    for index in range(3):
        row = out.row(index)
        assert torch.allclose(row.mean(0), torch.zeros(BINS), atol=1e-5)
        assert torch.allclose(row.var(0, correction=0), torch.ones(BINS), atol=1e-3)
    assert not bool(out.data[~out.mask].any())


def test_one_variance_of_all_bins_leaves_their_proportions() -> None:
    features = frames(50, 30, 7, pad=1e3)
    scales = torch.arange(1.0, BINS + 1)
    out = UtteranceNorm(each_bin=False)(features.with_data(features.data * scales))
    for index in range(3):
        row = out.row(index)
        assert torch.allclose(row.mean(0), torch.zeros(BINS), atol=1e-4)
        variances = row.var(0, correction=0)
        assert float(variances.mean()) == pytest.approx(1, abs=1e-3)
        before = (features.row(index) * scales).var(0, correction=0)
        assert torch.allclose(variances / variances[0], before / before[0], rtol=1e-3)
    assert not bool(out.data[~out.mask].any())


def test_utterance_norm_turns_silence_and_a_single_frame_into_zeros() -> None:
    constant = Seq.stack([torch.full((9, BINS), -13.8), torch.full((1, BINS), 4.0)], 100)
    assert torch.allclose(UtteranceNorm()(constant).data, torch.zeros(2, 9, BINS), atol=1e-3)


def test_unnormalised_hands_on() -> None:
    x = frames(5, 3)
    assert Unnormalised()(x) is x


def test_corpus_norm_gives_the_corpus_mean_zero_and_variance_one() -> None:
    x, norm = frames(500, 300, 7), CorpusNorm(BINS)
    norm.fit([x])
    out = norm(x)
    real = out.data[out.mask]
    assert torch.allclose(real.mean(0), torch.zeros(BINS), atol=1e-4)
    assert torch.allclose(real.var(0, correction=0), torch.ones(BINS), atol=1e-3)


@pytest.mark.parametrize("whitening", ["pca", "zca"])
def test_whitening_makes_the_covariance_the_identity(whitening: str) -> None:
    x, norm = frames(500, 300, 40), CorpusNorm(BINS, whitening, shrinkage=0.0)
    norm.fit([x])
    out = norm(x)
    real = out.data[out.mask]
    assert torch.allclose(real.mean(0), torch.zeros(BINS), atol=1e-3)
    assert torch.allclose(covariance(real), torch.eye(BINS).double(), atol=1e-3)


@pytest.mark.parametrize("whitening", [None, "pca", "zca"])
def test_by_utterance_a_row_may_be_shifted_by_anything(whitening: str | None) -> None:
    x = frames(500, 300, 40, pad=1e3)
    norm = CorpusNorm(BINS, whitening, shrinkage=0.0, by_utterance=True)
    norm.fit([x])
    out = norm(x)
    shift = torch.linspace(-5, 20, 3 * BINS).view(3, 1, BINS)
    shifted = norm(x.with_data(x.data + shift))
    torch.testing.assert_close(shifted.data, out.data, atol=2e-3, rtol=1e-3)
    assert not bool(out.data[~out.mask].any())
    real = out.data[out.mask]
    wanted = torch.eye(BINS).double()
    measured = covariance(real)
    if whitening is None:
        measured = measured * wanted
    assert torch.allclose(measured, wanted, atol=1e-3)
    for row in range(3):
        assert torch.allclose(out.row(row).mean(0), torch.zeros(BINS), atol=1e-3)


@pytest.mark.parametrize("each_bin", [False, True])
def test_lifted_features_lie_between_those_of_the_utterance_and_whitened_ones(
    each_bin: bool,
) -> None:
    x = frames(500, 300, 40, pad=1e3)
    norm = LiftedNorm(BINS, shrinkage=0.0, lift=0.25, each_bin=each_bin)
    norm.fit([x])
    whitening = CorpusNorm(BINS, "zca", shrinkage=0.0, by_utterance=True)
    whitening.fit([x])
    out = norm(x)
    between = 0.75 * UtteranceNorm(each_bin)(x).data + 0.25 * whitening(x).data
    torch.testing.assert_close(out.data, between)
    assert not bool(out.data[~out.mask].any())
    torch.testing.assert_close(norm.state_dict(), whitening.state_dict())


def test_lifting_keeps_the_order_of_directions_and_brings_them_nearer() -> None:
    x, norm = frames(500, 300, 400), LiftedNorm(BINS, shrinkage=0.0)
    norm.fit([x])
    own, lifted = UtteranceNorm()(x), norm(x)

    def spread(features: Seq) -> float:
        values = torch.linalg.eigvalsh(covariance(features.data[features.mask]))
        return float(values[-1] / values[0])

    assert 1 < spread(lifted) < spread(own)


@pytest.mark.parametrize("lift", [-0.1, 1.1])
def test_no_more_than_all_is_whitened(lift: float) -> None:
    with pytest.raises(ValueError, match=r"lift in 0\.\.1"):
        LiftedNorm(BINS, lift=lift)


def test_zca_is_symmetric_and_stays_nearest_to_the_features() -> None:
    x = frames(500, 300)
    pca, zca = CorpusNorm(BINS, "pca", 0.0), CorpusNorm(BINS, "zca", 0.0)
    pca.fit([x])
    zca.fit([x])
    assert torch.allclose(zca.matrix, zca.matrix.T, atol=1e-5)
    centred = x.data[x.mask] - zca.mean
    assert float((centred @ zca.matrix - centred).square().sum()) < float(
        (centred @ pca.matrix - centred).square().sum()
    )


def test_shrinkage_moves_the_covariance_to_the_mean_variance() -> None:
    x = frames(500, 300)
    sample = covariance(x.data[x.mask])
    for share in (0.1, 0.5, 1.0):
        norm = CorpusNorm(BINS, "zca", share)
        norm.fit([x])
        shrunk = (1 - share) * sample + share * sample.diagonal().mean() * torch.eye(BINS)
        assert torch.allclose(
            norm.matrix.double() @ shrunk @ norm.matrix.double(),
            torch.eye(BINS).double(),
            atol=1e-3,
        )
    assert torch.allclose(
        norm.matrix, norm.matrix[0, 0] * torch.eye(BINS), atol=1e-5
    )  # share 1: a plain scale


def test_shrinkage_keeps_an_empty_direction_small() -> None:
    x = frames(500)
    x.data[..., 3] = x.data[..., 2]  # singular
    norms = {share: CorpusNorm(BINS, "zca", share) for share in (0.0, 0.01)}
    for norm in norms.values():
        norm.fit([x])
        assert bool(torch.isfinite(norm.matrix).all())
    assert float(norms[0.01].matrix.abs().max()) < 100 < float(norms[0.0].matrix.abs().max())


@pytest.mark.parametrize("whitening", [None, "pca", "zca"])
def test_statistics_streamed_in_batches_are_those_of_the_whole(whitening: str | None) -> None:
    lengths = (40, 3, 77, 120, 9, 60)
    whole = frames(*lengths)
    parts = [whole.rows([0, 1]), whole.rows([2]), whole.rows([5, 3, 4])]
    at_once, streamed = CorpusNorm(BINS, whitening), CorpusNorm(BINS, whitening)
    at_once.fit([whole])
    streamed.fit(iter(parts))
    assert torch.allclose(at_once.mean, streamed.mean, atol=1e-6)
    # PCA's directions have no sign of their own.
    a, b = (n.matrix.abs() if whitening == "pca" else n.matrix for n in (at_once, streamed))
    assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("whitening", [None, "pca", "zca"])
def test_padding_is_neither_measured_nor_touched(whitening: str | None) -> None:
    norms = [CorpusNorm(BINS, whitening) for _ in range(2)]
    for norm, pad in zip(norms, (0.0, 1e4), strict=True):
        norm.fit([frames(50, 20, pad=pad)])
    assert torch.equal(norms[0].mean, norms[1].mean) and torch.equal(
        norms[0].matrix, norms[1].matrix
    )
    out = norms[0](frames(50, 20, pad=1e4))
    assert not bool(out.data[~out.mask].any())


def test_unfitted_statistics_raise_and_are_loaded_with_the_state() -> None:
    x, norm, other = frames(50), CorpusNorm(BINS, "zca"), CorpusNorm(BINS, "zca")
    with pytest.raises(RuntimeError, match=r"statistics are missing.*fit"):
        norm(x)
    norm.fit([x])
    other.load_state_dict(norm.state_dict())
    assert torch.equal(other(x).data, norm(x).data)


@pytest.mark.parametrize("batches", [[], [Seq(torch.zeros(1, 1, BINS), (1,), frames(1).rate)]])
def test_too_few_frames_to_measure_raise(batches: list[Seq]) -> None:
    with pytest.raises(ValueError, match="at least 2 frames"):
        CorpusNorm(BINS).fit(batches)


@pytest.mark.parametrize(
    "bad", [{"whitening": "cholesky"}, {"shrinkage": -0.1}, {"shrinkage": 1.5}]
)
def test_impossible_settings_raise(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        CorpusNorm(BINS, **bad)  # type: ignore[arg-type]


def test_front_end_measures_what_it_extracts() -> None:
    front = FrontEnd(Spectrogram(8000, n_fft=64, window_s=0.008), CorpusNorm(33))
    draw = torch.Generator().manual_seed(1)
    audio = Seq.stack([torch.randn(n, generator=draw) for n in (4000, 900)], 8000)
    assert front.needs_statistics
    front.fit([audio])
    assert not front.needs_statistics
    out = front(audio)
    assert torch.allclose(out.data[out.mask].mean(0), torch.zeros(33), atol=1e-4)
    assert (
        out.lengths == tuple(front.framing.count(n) for n in audio.lengths)
        and out.data.shape[2] == front.bins
    )
