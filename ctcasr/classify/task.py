"""Classification of clips: cross-entropy in training, accuracy and confusions in checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.batch import Batch
from ctcasr.classify.check_tally import CheckTally
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.model import SoundClassifier, classifier_from, describe_classifier
from ctcasr.data.clip import Pad
from ctcasr.front import SpecAugment
from ctcasr.net import Pruner
from ctcasr.records import Record
from ctcasr.scoring.confusion import Confusion
from ctcasr.task import Gather, Loss, Score, alone, three_of


class Classify:
    """Trains a SoundClassifier to name the class of a clip.

    `augment` masks features, `pruner` empties the smallest weights.
    """

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
        self.network = model
        self.classes = tuple(classes)
        self.spec = dict(spec)
        self.augment = augment
        self.pruner = pruner
        self.pad = pad
        self.notes = dict(notes or {})

    @property
    def title(self) -> str:
        """The network in a few words."""
        return describe_classifier(classifier_from(self.spec))

    def parameters(self) -> Iterable[nn.Parameter]:
        """Everything in the network."""
        return self.network.parameters()

    def step(self, batch: Batch, step: int) -> Loss:
        """Cross-entropy of every clip, and of the auxiliary heads by their weights."""
        labels = labels_of(batch)
        logits, auxiliary = self.network(batch.audio, self.augment, batch.seeds)
        main_losses = functional.cross_entropy(logits, labels, reduction="none")
        losses = main_losses
        for weight, other_logits in auxiliary:
            others = functional.cross_entropy(other_logits, labels, reduction="none")
            losses = losses + weight * others

        def evidence() -> dict[str, float]:
            hits = logits.argmax(1) == labels
            return {
                "accuracy": float(hits.float().mean()),
                "main_loss": float(main_losses.detach().mean()),
            }

        return Loss(losses.sum(), len(batch), losses.detach(), (), evidence)

    def after_step(self, step: int, total: int) -> None:
        """Prune, where it was asked for."""
        if self.pruner is not None:
            self.pruner.after_step(step, total)

    @torch.no_grad()
    def check(self, batches: Iterable[Batch], gather: Gather = alone) -> Score:
        """Error rate (the key), loss, F1 and the confusion matrix over all batches."""
        was_training = self.network.training
        self.network.eval()
        tally = CheckTally(Confusion.of(self.classes))
        for batch in batches:
            labels = labels_of(batch)
            logits, _ = self.network(batch.audio)
            loss_sum = float(functional.cross_entropy(logits, labels, reduction="sum"))
            tally += CheckTally.of(self.classes, batch.utterances, labels, logits, loss_sum)
        self.network.train(was_training)
        tally = tally.merged(gather)
        # A network that is not yet as sparse as it shall be is never the best one.
        lacking = 0.0 if self.pruner is None else self.pruner.lacking
        return Score(
            key=(lacking + tally.error_rate, tally.loss),
            metrics={"loss": tally.loss, **tally.confusion.metrics()},
            samples=three_of(tally.samples),
            evidence={"confusion": tally.confusion.counts.tolist()},
        )

    def judge(self, history: Sequence[Record]) -> Mapping[str, Any] | None:
        """Nothing: there is no verdict on classifiers."""
        return None

    def export(self) -> dict[str, Any]:
        """What `Classifier.load` reads."""
        return Classifier.payload(self.network, self.spec, self.classes, self.pad, self.notes)


def labels_of(batch: Batch) -> Tensor:
    """Numbers of the classes [B]; ValueError where the batch has none."""
    if batch.labels is None:
        raise ValueError(
            f"{batch.ids[0]}: expected the numbers of the classes; the batch has none: "
            "give the Corpus its labels"
        )
    return batch.labels
