"""Score a classifier on a manifest, and write down what it took for what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.classify.classifier import Classifier
from ctcasr.data import AudioError, read_audio
from ctcasr.data.skipped import refuse_nothing, skip_warning, skips_as_json
from ctcasr.scoring.confusion import Confusion
from ctcasr.text.spelling import did_you_mean

_DIGITS = 6  # of probabilities in predictions.jsonl


class ScoredClip(NamedTuple):
    """One clip, the class that was found, and its probability."""

    utterance: Utterance
    label: str
    probability: float


@dataclass(frozen=True)
class ClassEvaluation:
    """What it was and what was found, clip by clip, and the tally of it all."""

    tally: Confusion
    rows: Sequence[ScoredClip]
    skipped: Sequence[Skip]

    def scores(self) -> dict[str, Any]:
        """Plain data: the keys of `Confusion.as_json`, and "skipped" (where, reason)."""
        return {**self.tally.as_json(), "skipped": skips_as_json(self.skipped)}

    def __str__(self) -> str:
        """The figures in a line, with a warning where too much was skipped."""
        warning = skip_warning(self.skipped, len(self.rows))
        return f"{self.tally}, {len(self.skipped)} skipped{warning}"

    def refuse_nothing(self) -> None:
        """Raises NothingScoredError with the first reasons where no clip was scored."""
        refuse_nothing(self.skipped, len(self.rows))

    def write(self, out: Path) -> Path:
        """scores.json and predictions.jsonl (a manifest too) in folder `out`; returns it."""
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.scores(), indent=2, ensure_ascii=False) + "\n"
        (out / "scores.json").write_text(text, encoding="utf-8")
        with open(out / "predictions.jsonl", "w", encoding="utf-8") as lines:
            for row in self.rows:
                lines.write(json.dumps(_line(row), ensure_ascii=False) + "\n")
        return out


def _line(row: ScoredClip) -> dict[str, Any]:
    """A manifest line with what was found."""
    utterance = row.utterance
    line: dict[str, Any] = {
        "id": utterance.id,
        "audio_filepath": str(utterance.audio_filepath.resolve()),
    }
    if utterance.offset:
        line["offset"] = utterance.offset
    if utterance.duration is not None:
        line["duration"] = utterance.duration
    line["label"] = utterance.label
    line["found"] = row.label
    line["probability"] = round(row.probability, _DIGITS)
    return line


def evaluate_classes(
    classifier: Classifier, utterances: Sequence[Utterance], batch: int = 64
) -> ClassEvaluation:
    """Classify and score, so many clips at a time.

    A clip that cannot be read, or whose label is none of the classes, is skipped and named.
    """
    classes = classifier.classes
    tally = Confusion.of(classes)
    rows: list[ScoredClip] = []
    reading = LabelledReading(classifier)
    for start in range(0, len(utterances), batch):
        clips = list(reading.clips(utterances[start : start + batch]))
        if not clips:
            continue
        logits = classifier.logits(torch.stack([clip.samples for clip in clips]))
        best = logits.softmax(1).max(1)
        found = best.indices.tolist()
        labels = [clip.label for clip in clips]
        tally += Confusion.of(classes, zip(labels, found, strict=True))
        for clip, index, probability in zip(clips, found, best.values.tolist(), strict=True):
            rows.append(ScoredClip(clip.utterance, classes[index], probability))
    return ClassEvaluation(tally, rows, reading.skipped)


class LabelledClip(NamedTuple):
    """A clip [N] of the length that the network wants, and the number of its class."""

    utterance: Utterance
    samples: Tensor
    label: int


@dataclass
class LabelledReading:
    """Reads clips whose labels a classifier knows; what it cannot is named."""

    classifier: Classifier
    skipped: list[Skip] = field(default_factory=list)

    def clips(self, utterances: Sequence[Utterance]) -> Iterator[LabelledClip]:
        """Clips with the numbers of their classes."""
        for utterance in utterances:
            try:
                label = self._label(utterance)
                samples = read_audio(utterance, self.classifier.rate_hz)
            except AudioError as error:
                self.skipped.append(Skip(utterance.where or utterance.id, str(error)))
            else:
                yield LabelledClip(utterance, self.classifier.fitted(samples), label)

    def _label(self, utterance: Utterance) -> int:
        classes = self.classifier.classes
        if utterance.label not in classes:
            raise AudioError(unknown_label(utterance.label, classes))
        return classes.index(utterance.label)


def unknown_label(label: str | None, classes: Sequence[str]) -> str:
    """What to say of a label that is no class; nothing is guessed.

    Example:
        >>> unknown_label("YES", ["no", "yes"])
        "label 'YES' is none of the 2 classes (no, yes); did you mean 'yes'?"
    """
    text = f"label {label!r} is none of the {len(classes)} classes ({', '.join(classes)})"
    if label is None:
        return "expected a label to compare with; the line has none"
    hint = did_you_mean(label, classes)
    if hint:
        return text + hint
    if label.isdecimal():
        return f"{text}; a label is the name of a class, not its number"
    return text


def read_round(run: Path) -> Confusion | None:
    """The tally of a run that was scored before; None where it was not, or nothing was scored."""
    scores_file = run / "test" / "scores.json"
    if not scores_file.is_file() or not (run / "best.pt").is_file():
        return None
    tally = Confusion.from_json(json.loads(scores_file.read_text(encoding="utf-8")))
    return tally if tally.total else None
