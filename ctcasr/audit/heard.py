"""What a recogniser hears in each line: log-probabilities, kept for all that is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ctcasr.audit.sound import Sound
from ctcasr.audit.voice import Floats, voice_of
from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError
from ctcasr.data.names import where_of
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.samples import greedy_texts, spikes_of
from ctcasr.recognise.transcribing import batches_by_length
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer

_BATCH_S = 120.0  # seconds of padded sound in a batch
_NOT_FINITE = "expected scores; the network gives NaN: take another one, or train it longer"
_AT_ONCE = 256  # lines that are read before they are sorted by length


@dataclass(frozen=True, eq=False)
class Heard:
    """One line of the manifest, and what a recogniser that never learnt it hears."""

    utterance: Utterance
    text: str  # as the alphabet writes it
    log_probs: Tensor  # [T, C], on the host
    hypothesis: str  # greedy
    # (Frame, symbol, posterior) of what is heard, for pictures.
    spikes: tuple[tuple[int, str, float], ...] = ()
    blank: tuple[float, ...] = ()  # posterior of the blank in each frame
    voice: Floats | None = None  # how the speaker sounds
    sound: Sound | None = None  # what models of words hear, if there are such

    @property
    def words(self) -> list[str]:
        """The words that are written."""
        return self.text.split()


@torch.no_grad()
def listen(
    recogniser: Recogniser, utterances: Sequence[Utterance]
) -> tuple[list[Heard], list[Skip]]:
    """What the recogniser hears in each line, in their order, and what could not be read."""
    heard: list[Heard] = []
    skipped: list[Skip] = []
    for start in range(0, len(utterances), _AT_ONCE):
        readable: list[Utterance] = []
        clips: list[Tensor] = []
        for utterance in utterances[start : start + _AT_ONCE]:
            try:
                clips.append(_samples(recogniser, utterance))
            except AudioError as error:
                skipped.append(Skip(where_of(utterance), str(error)))
                continue
            readable.append(utterance)
        for line in _listen_to(recogniser, readable, clips):
            if bool(line.log_probs.isnan().any()):
                skipped.append(Skip(where_of(line.utterance), _NOT_FINITE))
                continue
            heard.append(line)
    return heard, skipped


def unjudgeable(utterance: Utterance, tokenizer: Tokenizer) -> str:
    """Why a line has no text to judge; "" where it has one.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> unjudgeable(Utterance("a.wav", text="..."), Alphabet(" ab"))
        "expected a text that the alphabet can write; got '...'"
    """
    text = (utterance.text or "").strip()
    if not text:
        return "expected a text to judge; the line has none"
    if not tokenizer.reference(text).text:
        return f"expected a text that the alphabet can write; got {text[:40]!r}"
    return ""


def _samples(recogniser: Recogniser, utterance: Utterance) -> Tensor:
    """Samples [N]; AudioError where there is nothing to judge."""
    reason = unjudgeable(utterance, recogniser.tokenizer)
    if reason:
        raise AudioError(reason)
    samples = recogniser.read(utterance)
    if recogniser.model.frames(samples.shape[0]) < 1:
        raise AudioError("expected sound for one frame of the network or more; it is shorter")
    return samples


def _listen_to(
    recogniser: Recogniser, utterances: Sequence[Utterance], clips: Sequence[Tensor]
) -> list[Heard]:
    heard: dict[int, Heard] = {}
    seconds = [clip.shape[0] / recogniser.rate_hz for clip in clips]
    tokenizer = recogniser.tokenizer
    for indices in batches_by_length(seconds, _BATCH_S):
        samples = Seq.stack([clips[index] for index in indices], recogniser.rate_hz)
        logits = recogniser.logits(samples.to(recogniser.device))
        hypotheses = greedy_texts(logits, tokenizer)
        for row, index in enumerate(indices):
            utterance = utterances[index]
            log_probs = logits.row(row).float().log_softmax(1).cpu()
            posteriors = log_probs.exp()
            heard[index] = Heard(
                utterance,
                tokenizer.reference(utterance.text or "").text,
                log_probs,
                hypotheses[row],
                tuple(spikes_of(posteriors, tokenizer)),
                tuple(posteriors[:, tokenizer.blank].tolist()),
                voice_of(clips[index], recogniser.rate_hz),
            )
    return [heard[index] for index in range(len(clips))]
