"""What is seen once is what the trunk sees in evaluation, and is not computed again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.enhance import Enhancer, SeenOnce, load_ears, load_trunk
from ctcasr.enhance.model import AvMaskEnhancer, DualPathEnhancer, build_enhancer
from ctcasr.enhance.spec import enhancer_to, read_enhancer
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.seq import Seq
from ctcasr.text import Alphabet
from ctcasr.video import VideoReader, VisualTrunk

SPEC = read_enhancer("av_mask")


class Camera(VideoReader):
    """Frames drawn from the utterance's name; counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__(pictures=SPEC.pictures)
        self.asked = 0

    def __call__(self, utterance: Utterance, seed: int = 0) -> Tensor:
        self.asked += 1
        draw = torch.Generator().manual_seed(len(utterance.id))
        return torch.randint(0, 256, (6, 28, 40), generator=draw, dtype=torch.uint8)


def test_features_are_those_of_evaluation_and_computed_once() -> None:
    torch.manual_seed(0)
    model = build_enhancer(SPEC).train()
    camera = Camera()
    seen = SeenOnce(camera, model)
    line = Utterance(Path("a.wav"))
    features = seen(line, 1)
    assert model.training
    model.eval()
    with torch.no_grad():
        expected = model.see(Seq.stack([camera(line)], 25)).row(0)
    torch.testing.assert_close(features, expected)
    asked = camera.asked
    assert torch.equal(seen(line, 2), features)
    assert camera.asked == asked


def test_pieces_of_a_clip_are_kept_apart() -> None:
    seen = SeenOnce(Camera(), build_enhancer(SPEC))
    for offset in (0.0, 1.2):
        seen(Utterance(Path("a.wav"), 1.2, offset=offset), 0)
    assert isinstance(seen.reader, Camera) and seen.reader.asked == 2


def test_a_trunk_learns_from_pictures_and_not_from_what_was_seen_before() -> None:
    model = build_enhancer(read_enhancer("av_mask av_mask.mask.hidden=32")).train()
    assert isinstance(model, AvMaskEnhancer)
    draw = torch.Generator().manual_seed(0)
    samples = Seq.stack([0.1 * torch.randn(4000, generator=draw) for _ in range(2)], 16000)
    shape = (6, 28, 40)
    pictures = Seq.stack(
        [torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8) for _ in range(2)], 25
    )
    model(samples, pictures).data.square().mean().backward()
    grad = model.trunk.linear.weight.grad
    assert grad is not None and bool(grad.any())
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        seen = model.see(pictures)
    model(samples, seen).data.square().mean().backward()
    assert model.trunk.linear.weight.grad is None


def test_what_begins_as_an_enhancer_that_hears_does_the_same_without_a_video(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    hearing = read_enhancer("mask mask.hidden=32")
    ears = build_enhancer(hearing)
    path = tmp_path / "ears.pt"
    checkpoint.save(path, Enhancer.payload(ears, enhancer_to(hearing), {}))
    model = build_enhancer(read_enhancer("av_mask av_mask.mask.hidden=32"))
    load_ears(model, path)
    samples = Seq.stack([torch.randn(8000, generator=torch.Generator().manual_seed(1))], 16000)
    ears.eval()
    model.eval()
    with torch.no_grad():
        expected = ears(samples).data
        blind = model(samples).data
    torch.testing.assert_close(blind, expected)


def test_ears_of_another_size_are_refused(tmp_path: Path) -> None:
    spec = read_enhancer("mask_tiny")
    path = tmp_path / "ears.pt"
    checkpoint.save(path, Enhancer.payload(build_enhancer(spec), enhancer_to(spec), {}))
    with pytest.raises(ValueError, match=r"hears as this network does; body\.rnn"):
        load_ears(build_enhancer(SPEC), path)


def test_a_filter_bank_is_not_drowned_by_a_lent_trunk(tmp_path: Path) -> None:
    """A lip reader takes features of any level; they are brought to that of sound."""
    torch.manual_seed(0)
    spec = read_spec("lips lips.convs=1 lips.features=256 layers=1 hidden=4")
    reader = build(spec, 38)
    trunk = reader.body.conv
    pictures = torch.randint(0, 256, (2, 12, 28, 40), dtype=torch.uint8)
    video = Seq.stack(list(pictures), 25)
    with torch.no_grad():
        assert isinstance(trunk, VisualTrunk)
        trunk.linear.weight.mul_(40.0)
        for _ in range(80):  # BatchNorm learns their level
            reader(video)
    tokenizer = Alphabet.english38()
    path = tmp_path / "reader.pt"
    checkpoint.save(path, Recogniser.payload(reader, spec_to(spec), tokenizer, {}))
    model = build_enhancer(read_enhancer("avse_lstm8 dualpath.pictures=mouth"))
    model.see(video)  # its own trunk's statistics are replaced
    load_trunk(model, path)
    assert isinstance(model, DualPathEnhancer) and isinstance(model.trunk, VisualTrunk)
    reader.eval()
    model.eval()
    with torch.no_grad():
        loud = trunk(reader.front(video)).data
        seen = model.see(video).data
    torch.testing.assert_close(seen / seen.norm(), loud / loud.norm())
    with torch.no_grad():
        level = model.train().see(video).data.square().mean().sqrt()
    assert level == pytest.approx(0.1, rel=0.2)
    assert loud.square().mean().sqrt() > 1.0
