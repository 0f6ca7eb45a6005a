"""What the diagnosis reads of a stranger's network: from scores and targets alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ctcasr.ctc import ctc_loss, greedy, penalised
from ctcasr.diagnose import DeafModel, output_stats, rolled
from ctcasr.scoring import ErrorRates
from ctcasr.watching.care import warn
from ctcasr.watching.loss_call import SeenRows, edit_distance

TARGETS_KEPT = 2048  # rows whose targets the deaf model may be fitted on
TARGETS_FITTED = 256  # and how many it is fitted on
CELLS_FITTED = 2_000_000  # frames times labels of them: what fitting may cost
FALLS_FAST = 0.8  # of the loss at the last check: below it, learning goes on
ROUNDING = 1e-3  # by which a probability may be below zero
LIKELY = 0.7  # mean probability of the best symbol of what was surely a softmax
BLANK_PENALTIES = (2, 5)  # nats that the blank is lowered by, on trial

Decode = Callable[[Sequence[int]], str]
"""From labels to text: a function, or a tokenizer's `decode`."""


class DecodeError(Exception):
    """What somebody's `decode` made of labels is no text."""


def text_of(labels: Sequence[int], decode: Decode) -> str:
    """The text of labels.

    Raises:
        DecodeError: where `decode` raises, or returns something else.
    """
    told = f"decode({list(labels)})"
    try:
        text = decode(labels)
    except Exception as error:
        raise DecodeError(f"{told} raises {error!r}") from error
    if not isinstance(text, str):
        raise DecodeError(f"{told} returns a {type(text).__name__}")
    return text


@dataclass
class LabelErrors:
    """Errors over label sequences, and over words and characters where they can be decoded."""

    labels: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    texts: ErrorRates = field(default_factory=ErrorRates)
    decoded: bool = False

    def add(
        self, reference: Sequence[int], hypothesis: Sequence[int], decode: Decode | None
    ) -> None:
        """Count one row."""
        substitutions, deletions, insertions = edit_distance(reference, hypothesis)
        self.labels += len(reference)
        self.substitutions += substitutions
        self.deletions += deletions
        self.insertions += insertions
        if decode is not None:
            self.decoded = True
            self.texts += ErrorRates.of(text_of(reference, decode), text_of(hypothesis, decode))

    @property
    def label_error_rate(self) -> float:
        """Errors over labels; NaN without labels."""
        if not self.labels:
            return math.nan
        errors = self.substitutions + self.deletions + self.insertions
        return errors / self.labels

    @property
    def cer(self) -> float:
        """Error rate of characters where labels can be decoded, else of labels; NaN without."""
        if self.decoded and self.texts.chars.total:
            return self.texts.chars.errors / self.texts.chars.total
        return self.label_error_rate

    @property
    def wer(self) -> float:
        """Word error rate; NaN where labels cannot be decoded."""
        if self.decoded and self.texts.words.total:
            return self.texts.words.errors / self.texts.words.total
        return math.nan


def errors_of(
    rows: SeenRows, decode: Decode | None = None, blank_penalty: float = 0.0
) -> LabelErrors:
    """Errors of greedy decoding; DecodeError where `decode` fails."""
    scores = penalised(rows.scores.float(), rows.blank, blank_penalty)
    errors = LabelErrors()
    best_paths = greedy(scores, rows.input_lengths, rows.blank)
    for labels, path in zip(rows.targets, best_paths, strict=True):
        errors.add(labels.tolist(), path.tokens, decode)
    return errors


def written_differs(rows: SeenRows, decoder_blank: int) -> float:
    """Share of the rows that a decoder with another blank reads otherwise."""
    best_paths = greedy(rows.scores.float(), rows.input_lengths, rows.blank)
    other_paths = greedy(rows.scores.float(), rows.input_lengths, decoder_blank)
    differing = 0
    for path, other in zip(best_paths, other_paths, strict=True):
        differing += path.tokens != other.tokens
    return differing / max(len(rows), 1)


def mean_nll(rows: SeenRows) -> float:
    """Mean loss in nats of the rows that have an alignment; NaN where none has."""
    losses = ctc_loss(
        rows.scores.float(),
        rows.flat_targets,
        rows.input_lengths,
        rows.target_lengths,
        blank=rows.blank,
        reduction="none",
    )
    return mean_feasible(losses)


def mean_feasible(losses: Tensor) -> float:
    """Mean of the losses [B] that are not infinite; NaN where none is."""
    feasible = losses[~losses.isposinf()]
    if not len(feasible):
        return math.nan
    return float(feasible.mean())


def holds_probabilities(rows: SeenRows) -> bool:
    """Whether these are log_softmax of what was a softmax already: probabilities p less a constant.

    So they are where a constant added to each frame gives what sums to one and is nowhere negative,
    with one symbol likely: scores of a network differ by more, or hardly at all.
    """
    real = torch.arange(rows.scores.shape[1]) < torch.tensor(rows.input_lengths)[:, None]
    frames = rows.scores.float().cpu()[real]  # [sum T, C]
    if not len(frames) or not bool(frames.isfinite().all()):
        return False
    probabilities = frames - frames.mean(1, keepdim=True) + 1 / rows.classes
    nowhere_negative = float(probabilities.amin()) > -ROUNDING
    return nowhere_negative and float(probabilities.amax(1).mean()) > LIKELY


class RowEvidence:
    """Evidence from rows of scores; keeps the targets of training to fit the deaf model on."""

    def __init__(self, decode: Decode | None = None, decoder_blank: int | None = None) -> None:
        self.decode = decode
        self.decoder_blank = decoder_blank  # the blank that the decoder drops, where it is known
        self._targets: list[Tensor] = []
        self._frames: list[int] = []
        self._deaf: DeafModel | None = None
        self._held_probabilities = False  # as far as could be seen at the last look

    @property
    def wants_targets(self) -> bool:
        """Whether the deaf model needs more targets."""
        return self._deaf is None and len(self._targets) < TARGETS_KEPT

    def learn_targets(self, rows: SeenRows) -> None:
        """Targets of a training call, for the deaf model."""
        if not self.wants_targets:
            return
        self._targets.extend(rows.targets)
        self._frames.extend(rows.input_lengths)

    def of(
        self, rows: SeenRows, earlier_nll: float = math.nan, try_penalties: bool = True
    ) -> dict[str, Any]:
        """The evidence of one part (`dev` or `train`), under the names that the causes know.

        As long as the loss falls fast (from `earlier_nll`), missing symbols are on their way: no
        lower blank is tried.
        """
        if not len(rows):
            return {"rows": 0, "nll": math.nan, "cer": math.nan, "wer": math.nan}
        errors = self._errors_of(rows)
        wrong_pairs = rolled(
            rows.scores,
            rows.input_lengths,
            rows.flat_targets,
            rows.target_lengths,
            blank=rows.blank,
        )
        count = len(rows)
        frames = sum(rows.input_lengths) / count
        empty = [labels for labels in rows.targets if not len(labels)]
        evidence: dict[str, Any] = {
            "rows": len(rows),
            "nll": mean_nll(rows),
            "deaf": self._deaf_nll(rows),
            "own": wrong_pairs.own,
            "other": wrong_pairs.other,
            "pairs": wrong_pairs.pairs,
            "gap_error": wrong_pairs.error,
            "cer": errors.cer,
            "wer": errors.wer,
            "deletions": errors.deletions / max(errors.labels, 1),
            "insertions": errors.insertions / max(errors.labels, 1),
            "uniform": frames * math.log(max(rows.classes, 2)),
            "labels": errors.labels / count,
            "empty": len(empty) / count,
        }
        evidence.update(output_stats(rows.scores, rows.input_lengths))
        if self.decoder_blank is not None and self.decoder_blank != rows.blank:
            evidence["written_differs"] = written_differs(rows, self.decoder_blank)
        # Small scores may look so once, by chance.
        looks_so = holds_probabilities(rows)
        if looks_so and self._held_probabilities:
            evidence["already_softmax"] = 1.0
        self._held_probabilities = looks_so
        if not try_penalties or evidence["nll"] < FALLS_FAST * earlier_nll:
            return evidence
        for nats in BLANK_PENALTIES:
            penalised_errors = self._errors_of(rows, nats)
            evidence[f"cer_blank_minus_{nats}"] = penalised_errors.cer
        return evidence

    def _errors_of(self, rows: SeenRows, blank_penalty: float = 0.0) -> LabelErrors:
        """Errors of texts; of labels from where on they cannot be decoded."""
        try:
            return errors_of(rows, self.decode, blank_penalty)
        except DecodeError as error:
            self.decode = None
            warn(
                f"error rates are of labels from here on, for {error}; expected a text for any "
                "labels, also for none"
            )
            return errors_of(rows, None, blank_penalty)

    def _deaf_nll(self, rows: SeenRows) -> float:
        """Mean loss of the best deaf model on these targets; NaN as long as it cannot be fitted."""
        if self._deaf is None and self._targets:
            self._deaf = self._fitted(rows.classes, rows.blank)
        if self._deaf is None:
            return math.nan
        losses = self._deaf.nll(rows.flat_targets, rows.input_lengths, rows.target_lengths)
        return mean_feasible(losses)

    def _fitted(self, classes: int, blank: int) -> DeafModel | None:
        """The deaf model of the targets kept; None where no row has an alignment."""
        # Spread over all that was seen: an epoch may come sorted.
        cells = 0
        for labels, row_frames in zip(self._targets, self._frames, strict=True):
            cells += max(len(labels), 1) * row_frames
        stride = math.ceil(max(len(self._targets) / TARGETS_FITTED, cells / CELLS_FITTED))
        targets = self._targets[::stride]
        frames = tuple(self._frames[::stride])
        lengths = tuple(len(labels) for labels in targets)
        try:
            return DeafModel.fit(torch.cat(targets), frames, lengths, classes, blank=blank)
        except ValueError:
            return None
