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
from ctcasr.data import fit_length
from ctcasr.data.clip import Pad
from ctcasr.data.sound import Sound, clips_of, samples_of
from ctcasr.net.prune import add_mask_buffers
from ctcasr.seq import Seq


@dataclass(frozen=True)
class Classification:
    """The class that was found, and the probability of each.

    Example:
        >>> Classification("yes", {"no": 0.25, "yes": 0.75}).probability
        0.75
    """

    label: str
    probabilities: Mapping[str, float]

    @property
    def probability(self) -> float:
        """Of the class that was found, 0..1."""
        return self.probabilities[self.label]


class Classifier:
    """A trained classifier with the names of its classes.

    `Classifier.load(path)` reads any checkpoint of one.

    Example:
        >>> from ctcasr.classify.model import ClassifierSpec, classifier_to
        >>> from ctcasr.specs import ConvSpec
        >>> spec = ClassifierSpec(conv=(ConvSpec(2, (3, 3), (2, 2)),))
        >>> classifier = Classifier(build_classifier(spec, 2), ["no", "yes"], classifier_to(spec))
        >>> result, = classifier.classify(torch.zeros(8000), rate_hz=16000)
        >>> result.label in classifier.classes
        True
    """

    KIND = "classifier"

    def __init__(
        self,
        model: SoundClassifier,
        classes: Sequence[str],
        spec: Mapping[str, Any],
        pad: Pad = "silence",
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model.eval()
        self.classes = tuple(classes)
        self.spec = spec
        self.pad = pad
        self.notes = dict(notes or {})

    @staticmethod
    def payload(
        model: SoundClassifier,
        spec: Mapping[str, Any],
        classes: Sequence[str],
        pad: Pad,
        notes: Mapping[str, Any],
    ) -> dict[str, Any]:
        """What a checkpoint holds so that `load` can make the classifier anew."""
        return checkpoint.network_payload(
            Classifier.KIND, model, spec, notes, classes=list(classes), pad=pad
        )

    @staticmethod
    def load(path: str | Path, device: str | torch.device = "cpu") -> Classifier:
        """Read a checkpoint; raises CheckpointError where it is not a classifier's."""
        payload = checkpoint.load_kind(path, Classifier.KIND)
        classes = payload["classes"]
        model = build_classifier(classifier_from(payload["spec"]), len(classes))
        add_mask_buffers(model, payload["network"])
        model.load_state_dict(payload["network"])
        return Classifier(
            model.to(device), classes, payload["spec"], payload["pad"], payload["notes"]
        )

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        return self.model.front.extract.rate_hz

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.model.parameters()).device

    def clip(self, sound: Sound, rate_hz: int | None = None) -> Tensor:
        """Samples [N] of the length that the network wants; samples need their rate.

        Raises AudioError for a bad file, and for samples that cannot be sound.
        """
        return self.fitted(samples_of(sound, rate_hz, self.rate_hz))

    def fitted(self, samples: Tensor) -> Tensor:
        """Samples [N] at `rate_hz`, padded or cut to the length that the network wants."""
        return fit_length(samples, self.model.samples, self.pad)

    @torch.no_grad()
    def features(self, clips: Tensor) -> Tensor:
        """What the network sees of clips [B, N]: features [B, 1, F, T] or pictures [B, 3, H, W]."""
        return self.model.features(Seq.stack(list(clips), self.rate_hz).to(self.device))

    @torch.no_grad()
    def logits(self, clips: Tensor) -> Tensor:
        """Logits [B, classes] of clips [B, N]."""
        samples = Seq.stack(list(clips), self.rate_hz).to(self.device)
        logits, _ = self.model(samples)
        return logits.cpu()

    def classify(
        self, audio: Sound | Sequence[Sound], rate_hz: int | None = None, batch: int = 64
    ) -> list[Classification]:
        """Classes of files, or of samples at `rate_hz`, so many at a time.

        Only the first `clip_s` seconds of each are heard.
        Raises AudioError for a bad file, and for samples that cannot be sound.
        """
        clips = [self.fitted(samples) for samples in clips_of(audio, rate_hz, self.rate_hz)]
        results: list[Classification] = []
        for start in range(0, len(clips), batch):
            logits = self.logits(torch.stack(clips[start : start + batch]))
            for probabilities in logits.softmax(1).tolist():
                by_class = dict(zip(self.classes, probabilities, strict=True))
                label = max(by_class, key=by_class.__getitem__)
                results.append(Classification(label, by_class))
        return results
