"""What a network's scores for a batch are worth: losses, errors, lengths."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ctcasr.batch import Batch
from ctcasr.ctc import ctc_loss
from ctcasr.ctc.observers import unobserved
from ctcasr.diagnose.deaf import rolled
from ctcasr.diagnose.share import share_set
from ctcasr.diagnose.yardstick import DeafYardstick, finite_mean
from ctcasr.scoring.errors import ErrorRates
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer

_KNOWN = 0.5  # of the deaf model's loss
_PENALTIES = (2, 5)  # nats that the blank is lowered by, on trial
_LOSS_PENALTIES = (2, 5, 8)  # the same, for the loss
_HARDLY_SAID = 0.02  # of the labels: a class that no text holds

Read = Callable[[Seq, float], list[str]]
"""Logits [B, T, C], and nats to take off the blank, to hypotheses."""


@dataclass(frozen=True)
class ScoreStats:
    """Means over the rows of a batch."""

    nll: float  # nats an utterance
    deaf: float  # of the deaf model
    own: float  # nats where the texts differ from another row's: with their own audio,
    other: float  # and with that of the other row
    pairs: int
    gap_error: float  # nats: standard error of `other` - `own`
    wer: float
    cer: float
    deletions: float  # a character of the references
    insertions: float
    written_differs: float  # share of hypotheses unlike the best path read with the loss's blank
    wrong_lengths: float  # share of rows whose frames are not what the network makes of the audio
    uniform: float  # nats of equal chances for all symbols, at most
    rows_worse: float  # share of the rows that cost more than the deaf model asks for them
    rows_known: float  # share of the rows that cost less than half of that


def score_stats(
    network: nn.Module,
    batch: Batch,
    logits: Seq,
    hypotheses: Sequence[str],
    best_paths: Sequence[str],
    tokenizer: Tokenizer,
    deaf: DeafYardstick,
) -> ScoreStats:
    """Statistics of logits [B, T, C]; `best_paths` are read with the blank of the loss."""
    blank = tokenizer.blank
    rows = max(len(batch), 1)
    wrong_audio = rolled(
        logits.data, logits.lengths, batch.targets, batch.target_lengths, blank=blank
    )
    errors = error_rates(batch, hypotheses, tokenizer)
    characters = max(errors.chars.total, 1)
    differing = 0
    for hypothesis, best_path in zip(hypotheses, best_paths, strict=True):
        differing += hypothesis != best_path
    row_nlls = nlls(batch, logits, blank)
    deaf_nlls = deaf.nlls(batch, logits.lengths)
    over_deaf = row_nlls.cpu() / deaf_nlls
    over_deaf = over_deaf[over_deaf.isfinite()]
    return ScoreStats(
        nll=finite_mean(row_nlls),
        deaf=finite_mean(deaf_nlls),
        own=wrong_audio.own,
        other=wrong_audio.other,
        pairs=wrong_audio.pairs,
        gap_error=wrong_audio.error,
        wer=errors.words.rate_or(math.nan),
        cer=errors.chars.rate_or(math.nan),
        deletions=errors.chars.deletions / characters,
        insertions=errors.chars.insertions / characters,
        written_differs=differing / max(len(best_paths), 1),
        wrong_lengths=_wrong_lengths(network, batch, logits) / rows,
        rows_worse=share_set(over_deaf > 1),
        rows_known=share_set(over_deaf < _KNOWN),
        uniform=sum(logits.lengths) / rows * math.log(max(tokenizer.size, 2)),
    )


def mean_nll(batch: Batch, logits: Seq, blank: int) -> float:
    """Mean loss in nats over the rows that have a path; NaN where none has one."""
    return finite_mean(nlls(batch, logits, blank))


def nlls(batch: Batch, logits: Seq, blank: int) -> Tensor:
    """Losses [B] in nats; inf where a row has no path."""
    with unobserved():  # whoever watches the training is not told
        losses: Tensor = ctc_loss(
            logits.data,
            batch.targets,
            logits.lengths,
            batch.target_lengths,
            blank=blank,
            reduction="none",
        )
    return losses


def error_rates(batch: Batch, hypotheses: Sequence[str], tokenizer: Tokenizer) -> ErrorRates:
    """Errors of hypotheses against the texts of a batch."""
    errors = ErrorRates()
    for utterance, hypothesis in zip(batch.utterances, hypotheses, strict=True):
        reference = tokenizer.reference(utterance.text or "").text
        errors += ErrorRates.of(reference, hypothesis)
    return errors


def penalised_cers(
    batch: Batch, logits: Seq, read: Read, tokenizer: Tokenizer
) -> Mapping[str, float]:
    """CER with the blank made less likely, `cer_blank_minus_N` for N nats.

    Lower than the CER where the blank takes what belongs to symbols.
    """
    cers = {}
    for nats in _PENALTIES:
        errors = error_rates(batch, read(logits, nats), tokenizer)
        cers[f"cer_blank_minus_{nats}"] = errors.chars.rate_or(math.nan)
    return cers


def penalised_nlls(batch: Batch, logits: Seq, blank: int) -> dict[str, float]:
    """Mean loss in nats with the blank made less likely, `nll_few_blank_minus_N` for N nats.

    What training has fitted is no better with another blank score; where it is much better,
    evaluation adds something to it.
    """
    means = {}
    for nats in _LOSS_PENALTIES:
        penalised = logits.data.detach().clone()
        penalised[..., blank] -= nats
        means[f"nll_few_blank_minus_{nats}"] = mean_nll(batch, logits.with_data(penalised), blank)
    return means


def unsaid_class(frames: Tensor, labels: Tensor, blank: int) -> int:
    """The class likeliest most often among those that labels hardly hold, but for the blank.

    `frames` and `labels` are counts [C]; -1 where there is none.

    Example:
        >>> import torch
        >>> unsaid_class(torch.tensor([5, 3, 9, 7]), torch.tensor([0, 9, 90, 0]), blank=0)
        3
    """
    hardly_said = labels <= _HARDLY_SAID * labels.sum()
    hardly_said[blank] = False
    candidates = frames.masked_fill(~hardly_said, 0)
    return int(candidates.argmax()) if int(candidates.max()) > 0 else -1


def _wrong_lengths(network: nn.Module, batch: Batch, logits: Seq) -> int:
    """Rows of logits whose length is not what the network makes of their audio."""
    frames_of = getattr(network, "frames", None)
    if frames_of is None:
        return 0
    wrong = 0
    for frames, samples in zip(logits.lengths, batch.audio.lengths, strict=True):
        wrong += frames_of(samples) != frames
    return wrong
