"""Enhancers: exact sizes, the same alone and in a batch, and causal ones that know no future."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from ctcasr.enhance.model import (
    AvMaskEnhancer,
    DualPathEnhancer,
    EnhancerModel,
    MaskEnhancer,
    build_enhancer,
)
from ctcasr.enhance.spec import ENHANCERS, EnhanceSpec, read_enhancer
from ctcasr.recognise.spec import PRESETS
from ctcasr.seq import Seq

CAUSAL = [name for name in ENHANCERS if "causal" in name or name == "mask_tiny"]


def made(name: str) -> EnhancerModel:
    torch.manual_seed(0)
    return build_enhancer(read_enhancer(name)).eval()


def sound(*lengths: int) -> Seq:
    draw = torch.Generator().manual_seed(1)
    return Seq.stack([0.1 * torch.randn(n, generator=draw) for n in lengths], 16000)


def sight(model: EnhancerModel, *lengths: int) -> Seq | None:
    if not model.sees:
        return None
    draw = torch.Generator().manual_seed(2)
    shape = (28, 40) if isinstance(model, AvMaskEnhancer) else (32, 32)
    return Seq.stack(
        [torch.randint(0, 256, (n, *shape), generator=draw, dtype=torch.uint8) for n in lengths], 25
    )


def size(module: torch.nn.Module | None) -> int:
    assert module is not None
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("name", "total", "stages"),
    [
        ("avse_lstm12", 5_122_401, (78_208, 230_144, 919_040, 3_673_088)),
        ("avse_lstm8", 1_987_041, (41_216, 82_432, 328_704, 1_312_768)),
    ],
)
def test_exact_parameters_of_the_published_systems(
    name: str, total: int, stages: tuple[int, ...]
) -> None:
    model = made(name)
    assert isinstance(model, DualPathEnhancer) and model.trunk is not None
    assert size(model) == total
    assert tuple(size(stage) for stage in model.trunk.stages) == stages
    assert size(model.trunk.front) + size(model.trunk.front_norm) == 15_808
    assert size(model.trunk.linear) == 131_072
    assert size(model.separator) == 66_849
    assert size(model.encoder) + size(model.decoder) == 8_192


def test_the_tiny_one_is_tiny() -> None:
    assert size(made("mask_tiny")) <= 50_000


@pytest.mark.parametrize("name", list(ENHANCERS))
def test_a_row_is_the_same_alone_and_in_a_batch(name: str) -> None:
    model = made(name)
    with torch.no_grad():
        together = model(sound(3001, 2000), sight(model, 5, 3))
        alone = Seq.stack([sound(3001, 2000).row(1)], 16000)
        seen = sight(model, 5, 3)
        single = model(alone, None if seen is None else Seq.stack([seen.row(1)], 25))
    assert together.data.shape == (2, 3001) and together.lengths == (3001, 2000)
    torch.testing.assert_close(together.row(1), single.row(0), atol=1e-5, rtol=1e-4)
    assert not bool(together.data[1, 2000:].any()) and bool(together.data.any())


@pytest.mark.parametrize("name", CAUSAL)
def test_causal_networks_do_not_know_the_future(name: str) -> None:
    model, first = made(name), 2000
    # The window (or the filter) that holds a sample is all that is waited for.
    wait = model.front.extract.n_fft if isinstance(model, MaskEnhancer) else 16
    x, seen = sound(4000), sight(model, 6)
    changed = x.data.clone()
    changed[:, first:] = 1.0
    with torch.no_grad():
        before, after = model(x, seen).data, model(x.with_data(changed), seen).data
    torch.testing.assert_close(
        before[:, : first - wait], after[:, : first - wait], atol=1e-6, rtol=1e-5
    )
    assert not torch.allclose(before[:, first:], after[:, first:], atol=1e-3)


def test_a_causal_network_sees_no_later_frame_and_the_other_one_does() -> None:
    causal = {"avse_lstm8_causal": True, "avse_lstm8": False}
    causal |= {"av_mask_causal": True, "av_mask": False}
    for name, blind in causal.items():
        model = made(name)
        # The window (or the filter) that holds a sample is all that is waited for.
        window = model.front.extract.n_fft if isinstance(model, MaskEnhancer) else 16
        x, seen = sound(6400), sight(model, 10)
        assert seen is not None
        changed = seen.data.clone()
        changed[:, 6:] = 255 - changed[:, 6:]
        with torch.no_grad():
            before, after = model(x, seen).data, model(x, seen.with_data(changed)).data
        start = 6 * 640 - window
        assert torch.allclose(before[:, :start], after[:, :start], atol=1e-6) == blind
        assert not torch.allclose(before[:, 6 * 640 :], after[:, 6 * 640 :], atol=1e-6)


@pytest.mark.parametrize("name", ["mask", "dualpath"])
def test_the_others_do(name: str) -> None:
    model, x = made(name), sound(4000)
    changed = x.data.clone()
    changed[:, 3500:] = 1.0
    with torch.no_grad():
        assert not torch.allclose(
            model(x).data[:, :2000], model(x.with_data(changed)).data[:, :2000], atol=1e-5
        )


def test_a_mask_of_ones_gives_back_the_sound() -> None:
    model = made("mask")
    assert isinstance(model, MaskEnhancer)
    x = sound(5003, 700)
    spectrum = model.analyse(x)
    ones = spectrum.with_data(torch.ones_like(spectrum.data.real))
    torch.testing.assert_close(
        model.synthesise(spectrum, ones, x).data, x.data, atol=1e-5, rtol=1e-4
    )


def test_without_video_a_network_that_sees_takes_zeros() -> None:
    model, x = made("avse_lstm8"), sound(2000, 900)
    empty = Seq.stack([torch.zeros((0, 32, 32), dtype=torch.uint8)] * 2, 25)
    with torch.no_grad():
        torch.testing.assert_close(model(x).data, model(x, empty).data)


@pytest.mark.parametrize("name", ["mask_tiny", "avse_lstm8"])
def test_everything_learns(name: str) -> None:
    model = made(name).train()
    model(sound(3000), sight(model, 5)).data.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


def test_features_of_another_rate_are_refused() -> None:
    with pytest.raises(ValueError, match="16000 Hz"):
        made("dualpath")(Seq.stack([torch.randn(100)], 8000))


def test_a_mask_needs_every_frame() -> None:
    spec = EnhanceSpec(mask=PRESETS["default"])
    with pytest.raises(ValueError, match="no conv layers"):
        build_enhancer(spec)


def test_windows_with_silence_between_them_are_refused() -> None:
    window_s = read_enhancer("mask").mask.front.window_s
    build_enhancer(read_enhancer(f"mask mask.front.hop_s={window_s}"))
    with pytest.raises(ValueError, match="a hop within the window"):
        build_enhancer(read_enhancer(f"mask mask.front.hop_s={window_s + 0.001}"))


@pytest.mark.parametrize(
    ("name", "most_parameters"), [("av_mask", 1_500_000), ("av_mask_causal", 1_500_000)]
)
def test_the_mask_that_sees_is_small(name: str, most_parameters: int) -> None:
    assert size(made(name)) <= most_parameters


def test_what_was_seen_before_is_as_good_as_the_pictures() -> None:
    model = made("av_mask")
    samples = sound(3000, 2000)
    pictures = sight(model, 5, 3)
    assert pictures is not None
    with torch.no_grad():
        seen = model.see(pictures)
        torch.testing.assert_close(model(samples, seen).data, model(samples, pictures).data)


def test_absent_lips_are_zeros_and_present_ones_change_what_is_heard() -> None:
    model = made("av_mask")
    samples = sound(8000)
    nothing = Seq(torch.zeros(1, 0, 28, 40, dtype=torch.uint8), (0,), Fraction(25))
    with torch.no_grad():
        deaf = model(samples).data
        assert torch.equal(model(samples, nothing).data, deaf)
        assert not torch.allclose(model(samples, sight(model, 12)).data, deaf, atol=1e-6)


def test_lips_that_end_early_are_held() -> None:
    model = made("av_mask")
    samples = sound(16000)
    pictures = sight(model, 25)
    assert pictures is not None
    with torch.no_grad():
        seen = model.see(pictures).data
        short = Seq(seen[:, :10], (10,), Fraction(25))
        held = torch.cat((seen[:, :10], seen[:, 9:10].expand(-1, 15, -1)), dim=1)
        long = Seq(held, (25,), Fraction(25))
        torch.testing.assert_close(model(samples, short).data, model(samples, long).data)
        whole = Seq(seen, (25,), Fraction(25))
        assert not torch.allclose(model(samples, whole).data, model(samples, long).data, atol=1e-6)
