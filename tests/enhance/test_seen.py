"""What is seen once is what the trunk sees in evaluation, and is not computed again."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.enhance import SeenOnce
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import read_enhancer
from ctcasr.seq import Seq
from ctcasr.video import VideoReader

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
