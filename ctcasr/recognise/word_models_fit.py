"""A trained recogniser learns when words are said and how sure they are, for its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.data import Corpus
from ctcasr.recognise.evaluation import evaluate
from ctcasr.recognise.onnx_metadata import KIND, WORD_MODELS
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.word_times.aligner import WordAligner
from ctcasr.word_times.confidence import Calibration, fit_calibration, right_words
from ctcasr.word_times.fit import learn_aligner
from ctcasr.word_times.spliced import SplicedCorpus
from ctcasr.word_times.word_models import WordModels


def add_word_models(
    path: Path | str,
    train: Corpus | Sequence[Utterance],
    dev: Sequence[Utterance],
    device: str | torch.device = "cpu",
) -> Recogniser:
    """Learn from `train` when words are said, from `dev` how sure they are; write it to `path`.

    A corpus that was spliced by an aligner has learnt the first already. Returns the recogniser,
    on the device. It should not have learnt from `dev`: confidences
    become probabilities by what it does there. Raises CheckpointError where the file is not a
    recogniser's.
    """
    recogniser = Recogniser.load_checkpoint(path, device)
    recogniser.word_models = WordModels()
    aligner = _aligner_of(train, recogniser)
    recogniser.word_models = WordModels(aligner, learn_calibration(recogniser, dev))
    payload = checkpoint.load_kind(path, KIND)
    payload[WORD_MODELS] = recogniser.word_models.to_state()
    checkpoint.save(path, payload)
    return recogniser


def _aligner_of(train: Corpus | Sequence[Utterance], recogniser: Recogniser) -> WordAligner | None:
    """The aligner that a corpus was spliced by, or one that learns from it."""
    if isinstance(train, SplicedCorpus) and train.aligner is not None:
        return train.aligner
    if isinstance(train, Corpus):
        train = train.utterances
    return learn_aligner(train, recogniser.tokenizer, recogniser.rate_hz)


def learn_calibration(recogniser: Recogniser, dev: Sequence[Utterance]) -> Calibration | None:
    """The curve from posteriors to probabilities; None where too few words are wrong."""
    posteriors: list[float] = []
    right: list[bool] = []
    for row in evaluate(recogniser, dev).rows:
        posteriors += [word.confidence or 0.0 for word in row.hypothesis.words]
        right += right_words(row.reference, row.hypothesis)
    return fit_calibration(posteriors, right)
