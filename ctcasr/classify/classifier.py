"""Audio in, classes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctcasr import checkpoint
from ctcasr.classify.model import SoundClassifier, build_classifier, classifier_from
from ctcasr.data import fit_length, read_audio, resample
from ctcasr.data.clip import Pad
from ctcasr.net.prune import make_room
from ctcasr.seq import Seq

Audio = str | Path | Tensor


@dataclass(frozen=True)
class Classification:
    """The class that was found, and the probability of each."""

    label: str
    probabilities: Mapping[str, float]

    @property
    def probability(self) -> float:
        """Of the class that was found, 0..1."""
        return self.probabilities[self.label]


class Classifier:
    """A trained classifier with the names of its classes; `Classifier.load(path)` reads any checkpoint of one."""

    KIND = "classifier"

    def __init__(
        self,
        model: SoundClassifier,
        classes: Sequence[str],
        spec: Mapping[str, Any],
        pad: Pad = "silence",
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.classes, self.spec, self.pad, self.notes = (
            model.eval(),
            tuple(classes),
            spec,
            pad,
            dict(notes or {}),
        )

    @staticmethod
    def payload(
        model: SoundClassifier,
        spec: Mapping[str, Any],
        classes: Sequence[str],
        pad: Pad,
        notes: Mapping[str, Any],
    ) -> dict[str, Any]:
        """What a checkpoint holds so that `load` can make the classifier anew."""
        return {
            "kind": Classifier.KIND,
            "spec": dict(spec),
            "classes": list(classes),
            "pad": pad,
            "notes": dict(notes),
            "network": {
                name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()
            },
        }

    @staticmethod
    def load(path: str | Path, device: str | torch.device = "cpu") -> Classifier:
        """Read a checkpoint; raises CheckpointError where it is not a classifier's."""
        payload = checkpoint.load_kind(path, Classifier.KIND)
        model = build_classifier(classifier_from(payload["spec"]), len(payload["classes"]))
        make_room(model, payload["network"])
        model.load_state_dict(payload["network"])
        return Classifier(
            model.to(device), payload["classes"], payload["spec"], payload["pad"], payload["notes"]
        )

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        return self.model.front.extract.rate_hz

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def clip(self, audio: Audio, rate_hz: int | None = None) -> Tensor:
        """Samples [N] of the length that the network wants; samples (float, -1..1) need their rate. AudioError for a bad file."""
        if isinstance(audio, Tensor):
            if rate_hz is None:
                raise ValueError(
                    "expected rate_hz with samples; a tensor does not know its sample rate"
                )
            if audio.dim() != 1 or audio.numel() == 0 or not bool(torch.isfinite(audio).all()):
                raise ValueError(
                    f"expected finite samples [N], one channel, at least one; got {tuple(audio.shape)}"
                )
            samples = resample(audio.float(), rate_hz, self.rate_hz)
        else:
            samples = read_audio(audio, self.rate_hz)
        return fit_length(samples, self.model.samples, self.pad)

    @torch.no_grad()
    def features(self, clips: Tensor) -> Tensor:
        """What the network sees of clips [B, N]: features [B, 1, F, T], or pictures [B, 3, H, W]."""
        return self.model.features(Seq.stack(list(clips), self.rate_hz).to(self.device))

    @torch.no_grad()
    def logits(self, clips: Tensor) -> Tensor:
        """Logits [B, classes] of clips [B, N]."""
        return self.model(Seq.stack(list(clips), self.rate_hz).to(self.device))[0].cpu()

    def classify(
        self, audio: Audio | Sequence[Audio], rate_hz: int | None = None, batch: int = 64
    ) -> list[Classification]:
        """Classes of files or of samples [N] at `rate_hz`; only the first `clip_s` seconds of each are heard."""
        items = [audio] if isinstance(audio, str | Path | Tensor) else list(audio)
        found: list[Classification] = []
        for start in range(0, len(items), batch):
            clips = torch.stack([self.clip(item, rate_hz) for item in items[start : start + batch]])
            for row in self.logits(clips).softmax(1).tolist():
                shares = dict(zip(self.classes, row, strict=True))
                found.append(Classification(max(shares, key=shares.__getitem__), shares))
        return found
