"""SpecAugment: all from one seed per utterance, within its widths, blind to the batch."""

from __future__ import annotations

import pytest
import torch

from ctcasr.front import FrontEnd, SpecAugment, Spectrogram, UtteranceNorm
from ctcasr.seq import Seq

BINS = 40


def ones(*lengths: int) -> Seq:
    return Seq.stack([torch.ones(n, BINS) for n in lengths], 100)


def masks(out: torch.Tensor) -> tuple[int, int]:
    """Masked frames and masked bins of one row [T, F] of ones."""
    return int((out == 0).all(1).sum()), int((out == 0).all(0).sum())


def test_the_masks_of_an_utterance_do_not_depend_on_its_batch() -> None:
    augment, lengths, seeds = SpecAugment(), (200, 31, 90), (11, 22, 33)
    together = augment(ones(*lengths), seeds)
    for index, (length, seed) in enumerate(zip(lengths, seeds, strict=True)):
        assert torch.equal(together.row(index), augment(ones(length), (seed,)).row(0))


def test_seeds_decide() -> None:
    augment = SpecAugment()
    first, again, other = (augment(ones(200), (seed,)).data for seed in (5, 5, 6))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_widths_stay_within_their_share_and_are_used_up_to_it() -> None:
    augment = SpecAugment(time_masks=1, time_width=0.1, freq_masks=1, freq_width=0.25)
    sizes = [masks(augment(ones(100), (seed,)).data[0]) for seed in range(300)]
    assert {t for t, _ in sizes} == set(range(11))  # uniform in 0..10 frames
    assert {f for _, f in sizes} == set(range(11))  # and 0..10 bins


def test_masks_reach_both_ends() -> None:
    augment = SpecAugment(time_masks=1, time_width=0.1, freq_masks=0)
    hidden = torch.stack(
        [(augment(ones(100), (seed,)).data[0] == 0).all(1) for seed in range(300)]
    ).any(0)
    assert bool(hidden.all())


def test_several_masks_hide_no_more_than_their_sum() -> None:
    augment = SpecAugment(time_masks=3, time_width=0.05, freq_masks=2, freq_width=0.1)
    for seed in range(50):
        time, freq = masks(augment(ones(100), (seed,)).data[0])
        assert time <= 15 and freq <= 8


def test_time_masks_stay_off_the_padding_and_padding_stays_zero() -> None:
    augment = SpecAugment(time_masks=1, time_width=1.0, freq_masks=0)
    for seed in range(30):
        out = augment(ones(100, 10), (seed, seed))
        assert not bool(out.data[1, 10:].any())
        assert masks(out.row(1))[0] <= 10


@pytest.mark.parametrize("length", [0, 1, 2])
def test_very_short_utterances_pass(length: int) -> None:
    assert SpecAugment()(ones(length, 5), (1, 2)).lengths == (length, 5)


def test_nothing_to_mask_changes_nothing() -> None:
    x = ones(50)
    assert torch.equal(SpecAugment(0, 0.5, 0, 0.5)(x, (1,)).data, x.data)
    assert torch.equal(SpecAugment(2, 0.0, 2, 0.0)(x, (1,)).data, x.data)


def test_a_seed_for_each_row_is_needed() -> None:
    with pytest.raises(ValueError, match="a seed for each of 2 utterances; got 1"):
        SpecAugment()(ones(5, 5), (1,))


@pytest.mark.parametrize(
    "bad", [{"time_masks": -1}, {"freq_masks": -1}, {"time_width": 1.1}, {"freq_width": -0.1}]
)
def test_impossible_settings_raise(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="mask counts >= 0"):
        SpecAugment(**bad)  # type: ignore[arg-type]


def test_masked_features_carry_no_gradient_and_the_others_do() -> None:
    x = ones(60)
    x.data.requires_grad_()
    out = SpecAugment()(x, (3,))
    out.data.sum().backward()
    assert torch.equal(x.data.grad, (out.data != 0).float())


def test_the_front_end_masks_only_when_it_is_asked_to() -> None:
    front = FrontEnd(Spectrogram(8000, n_fft=78, window_s=0.008), UtteranceNorm())
    audio = Seq.stack([torch.randn(8000, generator=torch.Generator().manual_seed(0))], 8000)
    plain, masked = front(audio), front(audio, SpecAugment(freq_masks=2, freq_width=1.0), (4,))
    hidden = masked.data == 0
    assert bool(hidden.any()) and torch.equal(masked.data[~hidden], plain.data[~hidden])


def test_a_text_of_four_numbers_is_masks() -> None:
    masks = SpecAugment.parse("3,0.1,0,0.2", warp=0.1)
    assert (masks.time_masks, masks.time_width, masks.freq_masks, masks.freq_width) == (
        3,
        0.1,
        0,
        0.2,
    )
    assert masks.warp == 0.1


@pytest.mark.parametrize("text", ["", "2,0.05,2", "a,b,c,d", "2.5,0.05,2,0.15", "2,0.05,2,7"])
def test_a_text_that_is_none_says_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"as 2,0\.05,2,0\.15; got"):
        SpecAugment.parse(text)


def test_frequencies_are_warped_where_it_is_asked_for_and_masks_stay_the_same() -> None:
    front = FrontEnd(Spectrogram(8000, n_fft=78, window_s=0.008), UtteranceNorm())
    audio = Seq.stack([torch.randn(8000, generator=torch.Generator().manual_seed(0))], 8000)
    plain, warped = front(audio, SpecAugment(), (4,)), front(audio, SpecAugment(warp=0.2), (4,))
    assert torch.equal(plain.data == 0, warped.data == 0)
    assert not torch.equal(plain.data, warped.data)
    assert SpecAugment().warps((4, 5)) == () and len(SpecAugment(warp=0.2).warps((4, 5))) == 2


def test_a_warp_that_no_talker_has_is_refused() -> None:
    with pytest.raises(ValueError, match=r"warp: expected a share within 0\.\.0\.5; got 2"):
        SpecAugment(warp=2)
