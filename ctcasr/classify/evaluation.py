"""Score a classifier on a manifest, and write down what it took for what."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ctcasr.batch import Skip, Utterance
from ctcasr.classify.classifier import Classifier
from ctcasr.data import AudioError, fit_length, read_audio
from ctcasr.scoring.confusion import Confusion


@dataclass(frozen=True)
class ClassEvaluation:
    """What it was and what was found, clip by clip, and the tally of it all."""

    tally: Confusion
    rows: Sequence[tuple[Utterance, str, float]]  # clip, class that was found, its probability
    skipped: Sequence[Skip]

    def scores(self) -> dict[str, Any]:
        """Accuracy with its interval, F1, each class, the confusion matrix and what was left out, as plain data."""
        return {
            **self.tally.as_json(),
            "skipped": [{"where": skip.where, "reason": skip.reason} for skip in self.skipped],
        }

    def __str__(self) -> str:
        return f"{self.tally}, {len(self.skipped)} skipped"

    def write(self, out: Path) -> Path:
        """scores.json and predictions.jsonl (which is a manifest too) in folder `out`; returns it."""
        out.mkdir(parents=True, exist_ok=True)
        (out / "scores.json").write_text(
            json.dumps(self.scores(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        with open(out / "predictions.jsonl", "w", encoding="utf-8") as lines:
            for utterance, found, probability in self.rows:
                part = {"offset": utterance.offset} if utterance.offset else {}
                if utterance.duration is not None:
                    part["duration"] = utterance.duration
                line = {
                    "id": utterance.id,
                    "audio_filepath": str(utterance.audio_filepath.resolve()),
                    **part,
                    "label": utterance.label,
                    "found": found,
                    "probability": round(probability, 6),
                }
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")
        return out


def evaluate_classes(
    classifier: Classifier, utterances: Sequence[Utterance], batch: int = 64
) -> ClassEvaluation:
    """Classify and score; a clip that cannot be read, or whose label is none of the classes, is skipped and named."""
    numbers = {name: index for index, name in enumerate(classifier.classes)}
    tally, rows, skipped = (
        Confusion.of(classifier.classes),
        list[tuple[Utterance, str, float]](),
        list[Skip](),
    )
    for start in range(0, len(utterances), batch):
        kept, clips = [], []
        for utterance in utterances[start : start + batch]:
            try:
                if utterance.label not in numbers:
                    raise AudioError(
                        f"label {utterance.label!r} is none of the {len(numbers)} classes ({', '.join(numbers)})"
                    )
                clips.append(
                    fit_length(
                        read_audio(utterance, classifier.rate_hz),
                        classifier.model.samples,
                        classifier.pad,
                    )
                )
                kept.append(utterance)
            except AudioError as error:
                skipped.append(Skip(utterance.where or utterance.id, str(error)))
        if not kept:
            continue
        shares = classifier.logits(torch.stack(clips)).softmax(1)
        best = shares.max(1)
        tally += Confusion.of(
            classifier.classes,
            [(numbers[u.label or ""], int(i)) for u, i in zip(kept, best.indices, strict=True)],
        )
        rows += [
            (u, classifier.classes[int(i)], float(p))
            for u, i, p in zip(kept, best.indices, best.values, strict=True)
        ]
    return ClassEvaluation(tally, rows, skipped)


def read_round(run: Path, settings: Mapping[str, Any]) -> Confusion | None:
    """The tally of a run that was scored before; None where it was not. ValueError where it had other settings than these
    (`out` and `resume` aside)."""
    scores, kept = run / "test" / "scores.json", run / "settings.toml"
    if not scores.is_file():
        return None
    then = tomllib.loads(kept.read_text(encoding="utf-8"))
    if other := sorted(
        name
        for name in {*then, *settings} - {"out", "resume"}
        if then.get(name) != settings.get(name)
    ):
        raise ValueError(
            f"{run}: expected a run with the same settings to go on with; it had other {', '.join(other)} ({kept}): "
            "name another folder, or begin anew"
        )
    return Confusion.from_json(json.loads(scores.read_text(encoding="utf-8")))
