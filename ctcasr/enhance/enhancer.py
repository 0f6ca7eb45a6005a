"""Noisy audio in, enhanced audio out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor
from torch.nn import functional

from ctcasr import checkpoint
from ctcasr.data import resample
from ctcasr.data.provenance import fingerprint
from ctcasr.data.sound import Sound, native_samples
from ctcasr.enhance.model import EnhancerModel, build_enhancer
from ctcasr.enhance.spec import enhancer_from, enhancer_to
from ctcasr.seq import Seq
from ctcasr.video import Mouths
from ctcasr.video.frames import RATE_HZ as VIDEO_HZ


class EnhancerName(TypedDict):
    """Who enhanced, as the sidecar beside enhanced files says."""

    checkpoint: str | None
    fingerprint: str | None
    network: str
    listener: str | None  # fingerprint of the recogniser that it was trained with, if any


class Enhancer:
    """A trained enhancer; `Enhancer.load(path)` reads any checkpoint of one.

    Example:
        >>> from ctcasr.enhance.spec import read_enhancer
        >>> spec = read_enhancer("mask_tiny")
        >>> enhancer = Enhancer(build_enhancer(spec), enhancer_to(spec), {})
        >>> enhancer.enhance(torch.zeros(4410), rate_hz=44100).shape
        torch.Size([4410])
    """

    KIND = "enhancer"

    def __init__(
        self,
        model: EnhancerModel,
        spec: Mapping[str, Any],
        notes: Mapping[str, Any],
        path: Path | None = None,
    ) -> None:
        self.model = model.eval()
        self.spec = spec
        self.notes = notes
        self.path = path

    @staticmethod
    def payload(
        model: EnhancerModel, spec: Mapping[str, Any], notes: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What a checkpoint holds so that `load` can make the enhancer anew."""
        return checkpoint.network_payload(Enhancer.KIND, model, spec, notes)

    @staticmethod
    def load(path: str | Path, device: str | torch.device = "cpu") -> Enhancer:
        """Read a checkpoint; raises CheckpointError where it is not an enhancer's."""
        payload = checkpoint.load_kind(path, Enhancer.KIND)
        spec = spec_with_video(payload["spec"], payload["notes"])
        model = build_enhancer(enhancer_from(spec))
        model.load_state_dict(payload["network"])
        return Enhancer(model.to(device), spec, payload["notes"], Path(path))

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        return self.model.rate_hz

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.model.parameters()).device

    @property
    def video(self) -> str:
        """How the network was shown its videos, and is when it is used: one of VIDEO_MODES."""
        return enhancer_from(self.spec).video

    @property
    def pictures(self) -> Mouths | None:
        """What is cut out of its videos; None: they are shown whole."""
        return enhancer_from(self.spec).pictures

    @property
    def name(self) -> EnhancerName:
        """Who enhances: checkpoint and its fingerprint, network, and the listener if any."""
        name = None
        digits = None
        if self.path is not None:
            name = self.path.name
            digits = fingerprint(self.path)
        return {
            "checkpoint": name,
            "fingerprint": digits,
            "network": self.spec["network"],
            "listener": self.notes.get("listener"),
        }

    @torch.no_grad()
    def enhance(
        self, audio: Sound, rate_hz: int | None = None, video: Tensor | None = None
    ) -> Tensor:
        """Samples [N] of the speech in a file, or in samples at `rate_hz`, which these need.

        As long, at the same rate. Channels are averaged. `video` are grey frames [T, H, W], 25 a
        second, as `VideoReader(pictures=enhancer.pictures)` gives them. Raises AudioError for a bad
        file, and for samples that cannot be sound.
        """
        noisy, native_hz = native_samples(audio, rate_hz)
        inside = resample(noisy, native_hz, self.rate_hz)
        samples = Seq.stack([inside], self.rate_hz).to(self.device)
        frames = None
        if video is not None and self.model.sees:
            frames = Seq.stack([video], VIDEO_HZ).to(self.device)
        enhanced = self.model(samples, frames).data[0].cpu()
        count = noisy.shape[0]
        enhanced = resample(enhanced, self.rate_hz, native_hz)[:count]
        return functional.pad(enhanced, (0, count - enhanced.shape[0]))


def spec_with_video(spec: Mapping[str, Any], notes: Mapping[str, Any]) -> Mapping[str, Any]:
    """A checkpoint's spec; older ones have the way of showing videos in the notes' settings only.

    Example:
        >>> old = {"network": "dualpath", "dualpath": {"convs": 1}}
        >>> spec_with_video(old, {"settings": 'video = "zeroed"'})["dualpath"]["video"]
        'zeroed'
    """
    if spec["network"] != "dualpath" or "video" in spec["dualpath"]:
        return spec
    settings = tomllib.loads(str(notes.get("settings", "")))
    mode = str(settings.get("video", "fixed"))
    return enhancer_to(enhancer_from(spec).with_video(mode))
