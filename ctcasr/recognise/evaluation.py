"""Score a recogniser on a manifest, and write down what it heard."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TextIO, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.ctc import greedy
from ctcasr.data import AudioError, read_audio
from ctcasr.data.skipped import refuse_nothing, skip_warning, skips_as_json
from ctcasr.decoding.decoder import Decoder
from ctcasr.decoding.hypothesis import Hypothesis, finite_or_none
from ctcasr.recognise.ensemble import Ensemble
from ctcasr.recognise.protocols import Reader, Transcriber
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.scoring.errors import ErrorRates, alignment, word_errors
from ctcasr.seq import Seq
from ctcasr.text import TakenOut

_CONFUSIONS = 20  # the most frequent ones that scores.json names
_BATCHES_AT_ONCE = 10  # so much sound is read before it is sorted by length and let go


class ScoredUtterance(NamedTuple):
    """One utterance with its normalised reference and what was written."""

    utterance: Utterance
    reference: str
    hypothesis: Hypothesis


@dataclass(frozen=True)
class Evaluation:
    """References and hypotheses, utterance by utterance, and the tally of them all."""

    tally: ErrorRates
    rows: Sequence[ScoredUtterance]
    skipped: Sequence[Skip]
    taken_out: TakenOut = field(default_factory=TakenOut)  # of the texts, as no output can hold it

    def scores(self) -> dict[str, Any]:
        """Plain data: the keys of `ErrorRates.metrics`, "skipped", "confusions" and "taken_out".

        Each skip has "where" and "reason"; each confusion "reference", "hypothesis" and "count";
        taken out are characters with their counts.
        """
        confusions = []
        for pair, count in self.tally.words.confusions.most_common(_CONFUSIONS):
            reference, hypothesis = pair
            line = {"reference": reference, "hypothesis": hypothesis, "count": count}
            confusions.append(line)
        return {
            **self.tally.metrics(),
            "skipped": skips_as_json(self.skipped),
            "confusions": confusions,
            "taken_out": dict(self.taken_out.characters.most_common()),
        }

    def __str__(self) -> str:
        """The figures in a line, with a warning where too much was skipped."""
        words = self.tally.words
        return (
            f"{self.tally} ({words.substitutions} substitutions, {words.deletions} deletions, "
            f"{words.insertions} insertions in {words.total} words), "
            f"{self.tally.utterances} utterances, {len(self.skipped)} skipped"
            f"{skip_warning(self.skipped, len(self.rows))}"
        )

    def refuse_nothing(self) -> None:
        """Raises NothingScoredError with the first reasons where no utterance was scored."""
        refuse_nothing(self.skipped, len(self.rows))

    def write(self, out: Path) -> Path:
        """scores.json, hypotheses.jsonl and alignments.txt in folder `out`; returns it."""
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.scores(), indent=2, ensure_ascii=False, allow_nan=False)
        (out / "scores.json").write_text(text + "\n", encoding="utf-8")
        with (
            open(out / "hypotheses.jsonl", "w", encoding="utf-8") as hypotheses,
            open(out / "alignments.txt", "w", encoding="utf-8") as alignments,
        ):
            for row in self.rows:
                _write_row(row, hypotheses, alignments)
        return out


def _write_row(row: ScoredUtterance, hypotheses: TextIO, alignments: TextIO) -> None:
    errors = word_errors(row.reference, row.hypothesis.text)
    times = []
    for word in row.hypothesis.words:
        times.append([word.text, round(word.start_s, 3), round(word.end_s, 3)])
    line = {
        "id": row.utterance.id,
        "audio_filepath": str(row.utterance.audio_filepath),
        "reference": row.reference,
        "hypothesis": row.hypothesis.text,
        "score": finite_or_none(row.hypothesis.score),  # no hypothesis has -inf
        **errors.counts(),
        "words": times,
    }
    hypotheses.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
    head = f"{row.utterance.id}: {errors.errors} of {errors.total} words wrong"
    alignments.write(f"{head}\n{alignment(row.reference, row.hypothesis.text)}\n")


def evaluate(
    recogniser: Transcriber,
    utterances: Sequence[Utterance],
    batch_seconds: float = 120.0,
    decoder: Decoder | None = None,
) -> Evaluation:
    """Transcribe (greedily, or by a decoder) and score.

    An utterance that cannot be read, has no text, or one of which the alphabet can write nothing,
    is skipped and named.
    """
    reading = Reading(recogniser)
    rows: list[ScoredUtterance] = []
    tally = ErrorRates()
    for part in reading.parts(utterances, _BATCHES_AT_ONCE * batch_seconds):
        clips = [clip.samples for clip in part]
        hypotheses = recogniser.transcribe(clips, recogniser.rate_hz, batch_seconds, decoder)
        for clip, hypothesis in zip(part, hypotheses, strict=True):
            rows.append(ScoredUtterance(clip.utterance, clip.reference, hypothesis))
            tally += ErrorRates.of(clip.reference, hypothesis.text)
    return Evaluation(tally, rows, reading.skipped, reading.taken_out)


class ReadClip(NamedTuple):
    """An utterance with its reference and its samples [N]."""

    utterance: Utterance
    reference: str
    samples: Tensor


@dataclass
class Reading:
    """Reads utterances one after the other; what cannot be scored is skipped and named."""

    recogniser: Reader
    skipped: list[Skip] = field(default_factory=list)
    taken_out: TakenOut = field(default_factory=TakenOut)

    def clips(self, utterances: Iterable[Utterance]) -> Iterator[ReadClip]:
        """Utterances with references and samples."""
        for utterance in utterances:
            try:
                yield self._read(utterance)
            except AudioError as error:
                self.skipped.append(Skip(utterance.where or utterance.id, str(error)))

    def parts(
        self, utterances: Iterable[Utterance], part_seconds: float
    ) -> Iterator[list[ReadClip]]:
        """So many seconds at a time, so that a corpus need not fit into memory."""
        part: list[ReadClip] = []
        samples = 0
        for clip in self.clips(utterances):
            part.append(clip)
            samples += clip.samples.shape[0]
            if samples >= part_seconds * self.recogniser.rate_hz:
                yield part
                part = []
                samples = 0
        if part:
            yield part

    def _read(self, utterance: Utterance) -> ReadClip:
        text = utterance.text
        if text is None:
            raise AudioError("expected a text to compare with; the line has none")
        reference = self.recogniser.tokenizer.reference(text)
        if text.strip() and not reference.text:
            raise AudioError(f"expected a text that the alphabet can write; got {text!r}")
        samples = read_of(self.recogniser, utterance)
        return ReadClip(utterance, self.taken_out.add(reference), samples)


def read_of(recogniser: Reader, utterance: Utterance) -> Tensor:
    """What a recogniser, or an ensemble, reads of a manifest line: samples [N], or frames of lips.

    Raises:
        AudioError: where it cannot be read.
    """
    if isinstance(recogniser, Ensemble):
        return read_of(recogniser.members[0], utterance)
    if isinstance(recogniser, Recogniser):
        return recogniser.read(utterance)
    return read_audio(utterance, recogniser.rate_hz)


def _drawn(features: Tensor) -> Tensor:
    """Features [T, F] as they are drawn; of pictures [T, H, W] the rows' means: nobody is shown."""
    if features.dim() > 2:
        return features.mean(2)
    return features


class UtteranceView(TypedDict):
    """What a picture of one utterance shows: the arguments of `ctcasr.show.draw_utterance`."""

    features: NDArray[np.float32]  # [T, F]
    posteriors: NDArray[np.float32]  # [T', symbols]
    symbols: list[str]
    feature_s: float  # seconds from one frame of features to the next
    frame_s: float  # of posteriors
    title: str
    reference: str
    hypothesis: str


@torch.no_grad()
def examine(recogniser: Recogniser, utterance: Utterance) -> UtteranceView:
    """What a picture of one utterance shows; raises AudioError where it cannot be read."""
    tokenizer = recogniser.tokenizer
    clip = recogniser.read(utterance)
    samples = Seq.stack([clip], recogniser.rate_hz).to(recogniser.device)
    features = recogniser.model.front(samples)
    logits = recogniser.logits(samples)
    (decoded,) = greedy(logits.data, logits.lengths, tokenizer.blank)
    return {
        "features": _drawn(features.row(0)).cpu().numpy(),
        "posteriors": logits.row(0).float().softmax(-1).cpu().numpy(),
        "symbols": [tokenizer.symbol(index) for index in range(tokenizer.size)],
        "feature_s": float(1 / features.rate),
        "frame_s": recogniser.model.frame_s,
        "title": utterance.id,
        "reference": tokenizer.reference(utterance.text or "").text,
        "hypothesis": tokenizer.decode(decoded.tokens),
    }
