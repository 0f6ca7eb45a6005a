"""A trained recogniser learns which sentences it shall understand, and what it shall refuse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.data import JoinedCorpus, repeats_for, split_dev, take_minutes
from ctcasr.data.clip import fit_length
from ctcasr.data.corpus import Corpus, Item
from ctcasr.decoding.commands import Commands, accepted_share, choose_threshold
from ctcasr.recognise.heard import SPEEDS, heard_best
from ctcasr.recognise.onnx_metadata import COMMANDS, KIND, WORD_MODELS
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer
from ctcasr.word_times import spliced_corpus
from ctcasr.word_times.fit import fit_aligner, spoken_of
from ctcasr.word_times.word_models import WordModels

_SPLICED = 0.7  # of real utterances: their talker's words in other sentences
_SPEEDS = (0.9, 1.0, 1.1)
_MOST_OVER = 3  # times its share that a part of real recordings may be long


@dataclass(frozen=True)
class Taught:
    """What was learnt, and what share of either kind is accepted with it."""

    commands: Commands
    accepted: float  # of sentences of the grammar
    falsely_accepted: float  # of everything else
    nearly_accepted: float | None = None  # of sentences in which a word is another, if any

    def __str__(self) -> str:
        told = (
            f"sentences are accepted from {self.commands.threshold:.2f} nats a symbol on: "
            f"{100 * self.accepted:.1f} % of those of the grammar by voices that were not learnt "
            f"from, {100 * self.falsely_accepted:.1f} % of everything else"
        )
        if self.nearly_accepted is None:
            return told
        return f"{told}, {100 * self.nearly_accepted:.1f} % where some words are others"


def join_real(
    spoken: Corpus,
    own: Sequence[Utterance],
    others: Sequence[Utterance],
    tokenizer: Tokenizer,
    share: float,
    frame_s: float,
    seed: int = 0,
) -> tuple[JoinedCorpus, Corpus]:
    """Synthetic speech joined with real recordings; and some of these, to select by.

    Real ones are `share` of all that is heard, or heard once. Where others speak, too, a tenth of
    theirs selects, the own ones are heard as long as theirs, and of theirs no more is taken than
    three times their share. All talkers say in other sentences, too, what they have said: they are
    spliced together: an aligner of few minutes would know little.
    """
    if others:
        whole_minutes = share / (1 - share) * spoken.seconds / 60
        own_share = 1 / 2 if own else 1
        taken = take_minutes(others, _MOST_OVER * own_share * whole_minutes, seed)
        learnt_others, selecting = split_dev(taken, seed=seed)
        learnt = (*_repeated(own, _seconds(learnt_others)), *learnt_others)
    else:
        learnt, selecting = split_dev(own, seed=seed)
    real = spliced_corpus(learnt, tokenizer, spoken.rate_hz, _SPLICED, _SPEEDS, frame_s)
    times = repeats_for(share, real.seconds, spoken.seconds)
    dev = Corpus(selecting, tokenizer, spoken.rate_hz)
    return JoinedCorpus([spoken, real], [1, times]), dev


def _repeated(utterances: Sequence[Utterance], seconds: float) -> tuple[Utterance, ...]:
    """The utterances as often as makes about so many seconds of them, once at least."""
    once = _seconds(utterances)
    return tuple(utterances) * max(1, round(seconds / once)) if once else tuple(utterances)


def _seconds(utterances: Iterable[Utterance]) -> float:
    return sum(utterance.duration or 0.0 for utterance in utterances)


def teach_commands(
    path: Path | str,
    sentences: Path,
    wanted: Iterable[Tensor],
    foreign: Iterable[Tensor],
    false_acceptance: float,
    near: Iterable[Tensor] = (),
) -> Taught:
    """Write to a checkpoint which sentences of a file it understands, and from which certainty on.

    `wanted` are clips [N] of sentences of the grammar, `foreign` of anything else; how many of
    `near`, which are like the grammar's, are accepted is told. Raises CheckpointError where the
    file is not a recogniser's, ValueError for no clips of the first two.
    """
    commands = Commands(sentences.read_text(encoding="utf-8-sig"), speeds=SPEEDS)
    recogniser = Recogniser.load_checkpoint(path)
    wanted_certainties = certainties_of(recogniser, commands, wanted)
    foreign_certainties = certainties_of(recogniser, commands, foreign)
    near_certainties = certainties_of(recogniser, commands, near)
    threshold = choose_threshold(wanted_certainties, foreign_certainties, false_acceptance)
    commands = replace(commands, threshold=threshold)
    _add(path, COMMANDS, commands.to_state())
    return Taught(
        commands,
        accepted_share(wanted_certainties, threshold),
        accepted_share(foreign_certainties, threshold),
        accepted_share(near_certainties, threshold) if near_certainties else None,
    )


@torch.no_grad()
def certainties_of(
    recogniser: Recogniser, commands: Commands, clips: Iterable[Tensor]
) -> list[float]:
    """Log probability of the best sentence for each clip [N], in nats a symbol."""
    decoder = commands.decoder(recogniser.tokenizer)
    certainties: list[float] = []
    for clip in clips:
        samples = Seq.stack([clip], recogniser.rate_hz)
        (heard,) = heard_best(recogniser, samples, decoder, recogniser.blank_penalty)
        certainties.append(heard.certainty)
    return certainties


def add_times(path: Path | str, corpus: Corpus, utterances: int) -> None:
    """Learn when words are said from so many utterances of a corpus; write it to a checkpoint."""
    recogniser = Recogniser.load_checkpoint(path)
    clips = []
    for item in items_of(corpus, utterances):
        words = recogniser.tokenizer.reference(item.utterance.text or "").text.split()
        clips.append((item.samples, words))
    aligner = fit_aligner(spoken_of(clips, recogniser.rate_hz), recogniser.rate_hz)
    models = WordModels(aligner, recogniser.word_models.calibration)
    _add(path, WORD_MODELS, models.to_state())


def items_of(corpus: Corpus, most: int) -> list[Item]:
    """Utterances of a corpus that can be read, evenly chosen."""
    step = max(1, len(corpus) // most)
    items = []
    for index in range(0, len(corpus), step):
        item = corpus.item(index)
        if isinstance(item, Item):
            items.append(item)
    return items


def samples_of(corpus: Corpus, most: int) -> list[Tensor]:
    """Samples [N] of utterances of a corpus that can be read, evenly chosen."""
    return [item.samples for item in items_of(corpus, most)]


def pieces_of(noises: Sequence[Tensor], length: int) -> list[Tensor]:
    """The first samples of each noise [N], as many as `length`."""
    return [fit_length(noise, length) for noise in noises]


def _add(path: Path | str, key: str, state: object) -> None:
    """Write a checkpoint anew with one entry more."""
    payload = checkpoint.load_kind(path, KIND)
    payload[key] = state
    checkpoint.save(path, payload)
