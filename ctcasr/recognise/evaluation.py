"""Score a recogniser on a manifest, and write down what it heard."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ctcasr.batch import Skip, Utterance
from ctcasr.ctc import greedy
from ctcasr.data import AudioError, read_audio
from ctcasr.recognise.decoder import Decoder
from ctcasr.recognise.recogniser import Hypothesis, Recogniser
from ctcasr.scoring.errors import ErrorRates, alignment, word_errors
from ctcasr.seq import Seq


@dataclass(frozen=True)
class Evaluation:
    """What was said and what was written, utterance by utterance, and the tally of it all."""

    tally: ErrorRates
    rows: Sequence[tuple[Utterance, str, Hypothesis]]  # utterance, normalised reference, hypothesis
    skipped: Sequence[Skip]

    def scores(self) -> dict[str, Any]:
        """Rates, counts, skips and the most frequent confusions, as plain data."""
        confusions = [
            {"said": said, "written": written, "count": count}
            for (said, written), count in self.tally.words.confusions.most_common(20)
        ]
        skipped = [{"where": skip.where, "reason": skip.reason} for skip in self.skipped]
        return {**self.tally.metrics(), "skipped": skipped, "confusions": confusions}

    def write(self, out: Path) -> Path:
        """scores.json, hypotheses.jsonl and alignments.txt in folder `out`; returns it."""
        out.mkdir(parents=True, exist_ok=True)
        # JSON knows no infinity, which the rate is where nothing was said and something written.
        scores = {
            name: str(value) if value == math.inf else value
            for name, value in self.scores().items()
        }
        (out / "scores.json").write_text(
            json.dumps(scores, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
        )
        with (
            open(out / "hypotheses.jsonl", "w", encoding="utf-8") as lines,
            open(out / "alignments.txt", "w", encoding="utf-8") as text,
        ):
            for utterance, said, found in self.rows:
                words = word_errors(said, found.text)
                times = [[w.text, round(w.start_s, 3), round(w.end_s, 3)] for w in found.words]
                line = {
                    "id": utterance.id,
                    "audio_filepath": str(utterance.audio_filepath),
                    "reference": said,
                    "hypothesis": found.text,
                    "score": found.score,
                    **words.counts(),
                    "words": times,
                }
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")
                text.write(
                    f"{utterance.id}: {words.errors} of {words.total} words wrong\n{alignment(said, found.text)}\n"
                )
        return out


def evaluate(
    recogniser: Recogniser,
    utterances: Sequence[Utterance],
    batch_seconds: float = 120.0,
    decoder: Decoder | None = None,
) -> Evaluation:
    """Transcribe (greedily, or by a decoder) and score; an utterance that cannot be read, or has no text, is skipped and named."""
    skipped, kept, audio = [], [], []
    rows: list[tuple[Utterance, str, Hypothesis]] = []
    total = ErrorRates()
    for last, utterance in ((i == len(utterances) - 1, u) for i, u in enumerate(utterances)):
        try:
            if utterance.text is None:
                raise AudioError("expected a text to compare with; the line has none")
            audio.append(read_audio(utterance, recogniser.rate_hz))
            kept.append(utterance)
        except AudioError as error:
            skipped.append(Skip(utterance.where or utterance.id, str(error)))
        # Sound is let go batch by batch: a corpus need not fit into memory.
        if kept and (
            last or sum(a.shape[0] for a in audio) >= 10 * batch_seconds * recogniser.rate_hz
        ):
            for one, found in zip(
                kept,
                recogniser.transcribe(audio, recogniser.rate_hz, batch_seconds, decoder),
                strict=True,
            ):
                said = recogniser.tokenizer.normalise(one.text or "")
                rows.append((one, said, found))
                total += ErrorRates.of(said, found.text)
            kept, audio = [], []
    return Evaluation(total, rows, skipped)


def examine(recogniser: Recogniser, utterance: Utterance) -> dict[str, Any]:
    """What a picture of one utterance shows: features [T, F], posteriors [T', C], their symbols and clocks, both texts."""
    samples = Seq.stack([read_audio(utterance, recogniser.rate_hz)], recogniser.rate_hz).to(
        recogniser.device
    )
    with torch.no_grad():
        features, logits = recogniser.model.front(samples), recogniser.logits(samples)
    (found,) = greedy(logits.data, logits.lengths, recogniser.tokenizer.blank)
    return {
        "features": features.row(0).cpu().numpy(),
        "posteriors": logits.row(0).float().softmax(-1).cpu().numpy(),
        "symbols": [
            recogniser.tokenizer.symbol(index) for index in range(recogniser.tokenizer.size)
        ],
        "feature_s": float(1 / features.rate),
        "frame_s": recogniser.model.frame_s,
        "title": utterance.id,
        "reference": recogniser.tokenizer.normalise(utterance.text or ""),
        "hypothesis": recogniser.tokenizer.decode(found.tokens),
    }
