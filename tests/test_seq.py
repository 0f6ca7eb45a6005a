"""Framing against real convolutions and torch.stft; Seq's lengths, masks and clock."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import conv1d, pad

from ctcasr.seq import IDENTITY, Framing, Seq

FRAMINGS = st.builds(
    Framing, st.integers(1, 9), st.integers(1, 5), st.integers(0, 6), st.integers(0, 6)
)
LENGTHS = st.lists(st.integers(0, 12), min_size=1, max_size=5)


def frames_seen(framing: Framing, inputs: int) -> list[tuple[float, float]]:
    """First and last input of every frame of a real convolution; padding is -1 and `inputs`."""
    index = pad(torch.arange(inputs, dtype=torch.float64), (framing.before, 0), value=-1.0)
    index = pad(index, (0, framing.after), value=float(inputs))
    if len(index) < framing.size:
        return []
    ends = torch.zeros(2, 1, framing.size, dtype=torch.float64)
    ends[0, 0, 0] = ends[1, 0, -1] = 1
    out = conv1d(index[None, None], ends, stride=framing.hop)[0]
    return [(first, last) for first, last in out.T.tolist()]


def sequence(lengths: list[int], width: int = 2, rate: Fraction | int = 100) -> Seq:
    generator = torch.Generator().manual_seed(len(lengths))
    return Seq.stack([torch.rand(n, width, generator=generator) + 1 for n in lengths], rate)


@given(FRAMINGS, st.integers(1, 40))
def test_count_and_span_are_those_of_a_convolution(framing: Framing, inputs: int) -> None:
    seen = frames_seen(framing, inputs)
    assert framing.count(inputs) == len(seen)
    for frame, (first, last) in enumerate(seen):
        start, stop = framing.span(frame)
        assert [min(max(end, -1), inputs) for end in (start, stop - 1)] == [first, last]
        assert framing.centre(frame) == Fraction(start + stop, 2)


@given(st.sampled_from([16, 32, 64]), st.integers(1, 40), st.integers(1, 400), st.booleans())
def test_count_is_that_of_torch_stft(n_fft: int, hop: int, inputs: int, centred: bool) -> None:
    framing = Framing(n_fft, hop, n_fft // 2, n_fft // 2) if centred else Framing(n_fft, hop)
    if framing.count(inputs) == 0:
        return
    spectrum = torch.stft(
        torch.zeros(inputs),
        n_fft,
        hop,
        window=torch.ones(n_fft),
        center=centred,
        pad_mode="constant",
        return_complex=True,
    )
    assert framing.count(inputs) == spectrum.shape[-1]


@given(FRAMINGS, FRAMINGS, st.integers(1, 60))
def test_composition_counts_and_sees_what_both_do_in_turn(
    first: Framing, second: Framing, inputs: int
) -> None:
    both = first.then(second)
    between = first.count(inputs)
    if between == 0:
        return
    assert both.count(inputs) == second.count(between)
    for frame in range(both.count(inputs)):
        start, stop = second.span(frame)
        assert both.span(frame) == (first.span(start)[0], first.span(stop - 1)[1])


@given(FRAMINGS, FRAMINGS, FRAMINGS)
def test_composition_is_associative_and_has_an_identity(a: Framing, b: Framing, c: Framing) -> None:
    assert a.then(b).then(c) == a.then(b.then(c))
    assert a.then(IDENTITY) == a == IDENTITY.then(a)


@given(FRAMINGS, st.integers(0, 60))
def test_more_input_never_gives_fewer_frames(framing: Framing, inputs: int) -> None:
    assert 0 <= framing.count(inputs) <= framing.count(inputs + 1)
    assert framing.count(0) == 0


@pytest.mark.parametrize("values", [(0, 1), (1, 0), (1, 1, -1), (1, 1, 0, -1)])
def test_impossible_framings(values: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="size >= 1"):
        Framing(*values)


@given(LENGTHS)
def test_stacked_rows_come_back(lengths: list[int]) -> None:
    seq = sequence(lengths)
    assert (
        seq.lengths == tuple(lengths)
        and seq.data.shape == (len(lengths), max(lengths), 2)
        and len(seq) == len(lengths)
    )
    for row, length in enumerate(lengths):
        assert seq.row(row).shape == (length, 2) and bool((seq.row(row) >= 1).all())
    assert seq.seconds == pytest.approx(sum(lengths) / 100)
    assert seq.full == (len(set(lengths)) == 1)


@given(LENGTHS)
def test_the_mask_is_true_on_real_elements(lengths: list[int]) -> None:
    seq = sequence(lengths)
    assert torch.equal(seq.mask, (seq.data > 0).all(dim=-1) if max(lengths) else seq.mask)
    assert seq.mask.sum(dim=1).tolist() == lengths == seq.device_lengths.tolist()
    assert seq.mask is seq.mask and seq.with_data(seq.data + 1).mask is seq.mask


@given(LENGTHS)
def test_real_elements_alone_and_back(lengths: list[int]) -> None:
    seq = sequence(lengths)
    assert seq.places.tolist() == seq.mask.flatten().nonzero().flatten().tolist()
    data = seq.data.clone().requires_grad_()
    real = seq.with_data(data).real()
    assert torch.equal(real, seq.data[seq.mask])
    back = seq.with_data(torch.full_like(data, 7.0)).with_real(2 * real).data
    assert torch.equal(back, 2 * seq.zero_padding().data)
    if any(lengths):
        back.sum().backward()
        assert data.grad is not None
        assert torch.equal(data.grad, 2.0 * seq.mask[:, :, None].expand_as(data))


@given(LENGTHS)
def test_zero_padding_touches_padding_only(lengths: list[int]) -> None:
    seq = sequence(lengths)
    dirty = seq.with_data(torch.where(seq.mask[..., None], seq.data, torch.nan))
    assert torch.equal(dirty.zero_padding().data, seq.data)


@given(LENGTHS, FRAMINGS)
def test_framed_lengths_and_rate(lengths: list[int], framing: Framing) -> None:
    seq = sequence(lengths, rate=Fraction(16000))
    counts = [framing.count(n) for n in lengths]
    framed = seq.framed(torch.zeros(len(lengths), max(counts), 3), framing)
    assert framed.lengths == tuple(counts) and framed.rate == Fraction(16000, framing.hop)


@given(LENGTHS, st.data())
def test_rows_are_cut_to_the_longest_of_them(lengths: list[int], data: st.DataObject) -> None:
    seq = sequence(lengths)
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, unique=True))
    part = seq.rows(chosen)
    assert part.data.shape[1] == max(lengths[i] for i in chosen)
    assert all(torch.equal(part.row(k), seq.row(i)) for k, i in enumerate(chosen))


def test_frames_are_not_samples() -> None:
    seq = sequence([5, 3])
    with pytest.raises(ValueError, match=r"framed\(\)"):
        seq.with_data(torch.zeros(2, 4, 2))
    with pytest.raises(ValueError, match="lengths"):
        Seq(torch.zeros(2, 4), (5, 1), Fraction(1))
    with pytest.raises(ValueError, match="lengths"):
        Seq(torch.zeros(2, 4), (-1, 1), Fraction(1))
    for share in (0.5, np.float32(0.5)):
        with pytest.raises(ValueError, match="lengths in whole elements, not shares"):
            Seq(torch.zeros(2, 4), (1, share), Fraction(1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="B = 1"):
        Seq(torch.zeros(2, 4), (4,), Fraction(1))
    with pytest.raises(ValueError, match="B, T"):
        Seq(torch.zeros(2), (1, 1), Fraction(1))
    with pytest.raises(ValueError, match="at least one row"):
        Seq.stack([], 1)


def test_to_keeps_lengths_and_clock() -> None:
    seq = sequence([2, 1]).to("meta")
    assert seq.device.type == "meta" and seq.lengths == (2, 1) and seq.rate == 100
