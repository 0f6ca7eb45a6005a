"""Classification of clips: cross-entropy in training (auxiliary heads included), accuracy and confusions in checks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.batch import Batch
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.model import SoundClassifier, classifier_from, describe_classifier
from ctcasr.data.clip import Pad
from ctcasr.front import SpecAugment
from ctcasr.net import Pruner
from ctcasr.records import Record
from ctcasr.scoring.confusion import Confusion
from ctcasr.task import Gather, Loss, Score, added, alone


class Classify:
    """Trains a SoundClassifier to name the class of a clip; `augment` masks features, `pruner` empties its smallest weights."""

    def __init__(
        self,
        model: SoundClassifier,
        classes: Sequence[str],
        spec: Mapping[str, Any],
        augment: SpecAugment | None = None,
        pruner: Pruner | None = None,
        pad: Pad = "silence",
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        self.network, self.classes, self.spec = model, tuple(classes), dict(spec)
        self.augment, self.pruner, self.pad, self.notes = augment, pruner, pad, dict(notes or {})

    @property
    def title(self) -> str:
        """The network in a few words."""
        return describe_classifier(classifier_from(self.spec))

    def parameters(self) -> Iterable[nn.Parameter]:
        """Everything in the network."""
        return self.network.parameters()

    def step(self, batch: Batch, step: int) -> Loss:
        """Cross-entropy of every clip, and of the auxiliary heads by their weights."""
        labels = _labels(batch)
        logits, side = self.network(batch.audio, self.augment, batch.seeds)
        main = rows = functional.cross_entropy(logits, labels, reduction="none")
        for weight, other in side:
            rows = rows + weight * functional.cross_entropy(other, labels, reduction="none")

        def evidence() -> dict[str, float]:
            return {
                "accuracy": float((logits.argmax(1) == labels).float().mean()),
                "main_loss": float(main.detach().mean()),
            }

        return Loss(rows.sum(), len(batch), rows.detach(), (), evidence)

    def after_step(self, step: int, total: int) -> None:
        """Prune, where it was asked for."""
        if self.pruner is not None:
            self.pruner.after_step(step, total)

    @torch.no_grad()
    def check(self, batches: Iterable[Batch], gather: Gather = alone) -> Score:
        """Error rate (the key), loss, F1 and the confusion matrix over all batches."""
        was_training = self.network.training
        self.network.eval()
        tally, total, samples = Confusion.of(self.classes), 0.0, []
        for batch in batches:
            labels = _labels(batch)
            logits, _ = self.network(batch.audio)
            total += float(functional.cross_entropy(logits, labels, reduction="sum"))
            pairs = list(zip(labels.tolist(), logits.argmax(1).tolist(), strict=True))
            tally += Confusion.of(self.classes, pairs)
            samples += [
                {"id": u.id, "reference": self.classes[true], "hypothesis": self.classes[found]}
                for u, (true, found) in zip(batch.utterances, pairs, strict=True)
            ]
        self.network.train(was_training)
        tally, total, samples = added(gather((tally, total, samples)))
        loss = total / tally.total if tally.total else math.inf
        few = [samples[len(samples) * k // 6] for k in (1, 3, 5)] if samples else []
        # A network that is not yet as sparse as it shall be is never the best one.
        lacking = 0.0 if self.pruner is None else self.pruner.lacking
        figures = {"loss": loss, **tally.metrics()}
        return Score(
            (lacking + 1 - tally.accuracy, loss),
            figures,
            few,
            evidence={"confusion": tally.counts.tolist()},
        )

    def judge(self, history: Sequence[Record]) -> Mapping[str, Any] | None:
        """Nothing: there is no verdict on classifiers."""
        return None

    def export(self) -> dict[str, Any]:
        """What `Classifier.load` reads."""
        return Classifier.payload(self.network, self.spec, self.classes, self.pad, self.notes)


def _labels(batch: Batch) -> Tensor:
    if batch.labels is None:
        raise ValueError(
            f"{batch.ids[0]}: expected the numbers of the classes; the batch has none: give the Corpus its labels"
        )
    return batch.labels
