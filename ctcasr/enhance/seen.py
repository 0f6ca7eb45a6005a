"""What a network sees: by a trunk that a lip reader has trained, once for each clip.

A step then costs little more than hearing alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.model import EnhancerModel
from ctcasr.seq import Seq
from ctcasr.video import VideoReader, VisualTrunk
from ctcasr.video.frames import RATE_HZ

Frames = Callable[[Utterance, int], Tensor]  # [T, ...] of an utterance and its seed

_LIP_READER = "recogniser"  # the kind of its checkpoints
_MATRIX_DIMS = 2  # of weights [out, in]
_ITS_TRUNK = "body.conv."  # names of its trunk's tensors begin with this
_BEHIND_ITS_TRUNK = "body.rnn.norms.0"  # BatchNorm of what its trunk sees
_HEARD_RMS = 0.1  # of the frames of a trained filter bank, of speech that is a tenth of full scale


@dataclass(frozen=True)
class Eyes:
    """What a network is shown: while it learns, and where it is scored; None: nothing."""

    learning: Frames | None = None
    scoring: Frames | None = None

    @staticmethod
    def closed(model: EnhancerModel) -> Eyes:
        """What a network that only hears is shown."""
        return Eyes()


Show = Callable[[EnhancerModel], Eyes]  # what a network is shown, once it is built


def load_trunk(model: EnhancerModel, path: Path | str) -> None:
    """Let an enhancer see with the trunk of a lip reader's checkpoint.

    Raises:
        CheckpointError: where it is no recogniser's.
        ValueError: where the recogniser has another trunk, or none.
    """
    trunk = getattr(model, "trunk", None)
    assert isinstance(trunk, nn.Module), "only networks that see have a trunk to load"
    saved = checkpoint.load_kind(path, _LIP_READER)["network"]
    tensors = {}
    for name, tensor in saved.items():
        if name.startswith(_ITS_TRUNK):
            tensors[name.removeprefix(_ITS_TRUNK)] = tensor
    own = {name: tuple(tensor.shape) for name, tensor in trunk.state_dict().items()}
    theirs = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if own != theirs:
        different = sorted(set(own.items()) ^ set(theirs.items()))
        name, shape = different[0]
        raise ValueError(
            f"{path}: expected the checkpoint of a lip reader with the trunk of this network; "
            f"{len(different)} tensors differ, the first is {name} {list(shape)}: train one by "
            "recipes/lips.py with the same lips.* of its spec"
        )
    trunk.load_state_dict(tensors)
    if isinstance(trunk, VisualTrunk):
        _bring_to_level(trunk, saved)


@torch.no_grad()
def _bring_to_level(trunk: VisualTrunk, saved: Mapping[str, Tensor]) -> None:
    """Make what the trunk sees as loud as the frames of a filter bank.

    Both are normalised together (GlobalNorm over all features): 20 times as loud as the sound, as a
    lip reader has it, whose layers take any level, the eyes would leave the network hardly any
    sound. The level is known from the reader's first BatchNorm.
    """
    mean = saved[f"{_BEHIND_ITS_TRUNK}.running_mean"]
    variance = saved[f"{_BEHIND_ITS_TRUNK}.running_var"]
    rms = float((variance + mean.square()).mean().sqrt())
    trunk.linear.weight.mul_(_HEARD_RMS / max(rms, _HEARD_RMS))


@torch.no_grad()
def load_ears(model: EnhancerModel, path: Path | str) -> None:
    """Let an enhancer that sees begin as one that only hears, which a checkpoint has.

    What is seen weighs nothing at first: without a video it does at once what the other does.

    Raises:
        CheckpointError: where it is no enhancer's.
        ValueError: where that enhancer hears by another network.
    """
    saved = checkpoint.load_kind(path, Enhancer.KIND)["network"]
    own = model.state_dict()
    for name, heard in saved.items():
        tensor = own.get(name)
        if tensor is None or not _is_part(heard, tensor):
            raise ValueError(
                f"{path}: expected the checkpoint of an enhancer that hears as this network does; "
                f"{name} {list(heard.shape)} has no counterpart: take one of the same network "
                "without lips"
            )
        if tensor.dim() == _MATRIX_DIMS:
            tensor.zero_()
        tensor[tuple(slice(size) for size in heard.shape)] = heard


def _is_part(heard: Tensor, tensor: Tensor) -> bool:
    """Whether the one is the other's beginning: as many outputs, of inputs perhaps fewer."""
    same_outputs = heard.shape[:-1] == tensor.shape[:-1]
    return same_outputs and heard.shape[-1:] <= tensor.shape[-1:]


class SeenOnce:
    """`seen(utterance, seed)` gives features [T, F] of its video, by a trunk that is not trained.

    Computed in evaluation mode when they are asked for first, and kept in memory. [0, F] where
    there is no video.

    Example:
        >>> from pathlib import Path
        >>> from ctcasr.enhance.model import build_enhancer
        >>> from ctcasr.enhance.spec import read_enhancer
        >>> spec = read_enhancer("av_mask")
        >>> seen = SeenOnce(VideoReader(pictures=spec.pictures), build_enhancer(spec))
        >>> seen(Utterance(Path("unseen.wav")), 0).shape
        torch.Size([0, 128])
    """

    def __init__(self, reader: VideoReader, model: EnhancerModel) -> None:
        self.reader = reader
        self.model = model
        self._kept: dict[tuple[str, float, float | None], Tensor] = {}

    def __call__(self, utterance: Utterance, seed: int) -> Tensor:
        """Features [T, F] of the video."""
        key = (utterance.id + str(utterance.video_filepath), utterance.offset, utterance.duration)
        if key not in self._kept:
            self._kept[key] = self._features(self.reader(utterance, seed))
        return self._kept[key]

    @torch.no_grad()
    def _features(self, frames: Tensor) -> Tensor:
        """Features [T, F] of frames [T, H, W], as in evaluation."""
        was_training = self.model.training
        device = next(self.model.parameters()).device
        self.model.eval()
        seen = self.model.see(Seq.stack([frames], RATE_HZ).to(device))
        self.model.train(was_training)
        return seen.row(0).float().cpu()
