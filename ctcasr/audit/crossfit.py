"""Recognisers for the audit, trained on the corpus itself so that none judges what it learnt."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ctcasr.audit.heard import Heard, listen
from ctcasr.audit.kinds import (
    MISSING,
    RIGHT,
    SUBSTITUTED,
    SUPERFLUOUS,
    SWAPPED,
    LineVerdict,
)
from ctcasr.audit.scorer import Spelling
from ctcasr.audit.sound import Ears
from ctcasr.audit.verdicts import Judged, judge
from ctcasr.batch import Batch, Skip, Utterance
from ctcasr.ctc import StarSchedule
from ctcasr.data import Corpus, Loader
from ctcasr.recognise import Objective, Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.reading import reader_of
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_from, spec_to
from ctcasr.records import EpochRecord, Record, StartRecord
from ctcasr.task import Loss
from ctcasr.text import Tokenizer
from ctcasr.train import TrainConfig, fit
from ctcasr.train.line_losses import LineLosses
from ctcasr.word_times import believed_texts, spliced_corpus
from ctcasr.word_times.fit import spoken_in

STAR = "2.4:-1,0.4"  # costs of leaving a label and a gap, in nats (docs/audit.md)
FEWEST = 40  # lines, below which nothing can be learnt from half of them
_SURE_PARTNER = 0.8  # share of a partner among all other texts, from which on its text is believed


@dataclass(frozen=True)
class Training:
    """How the recognisers of the audit are trained."""

    net: str = "default"
    star: str = STAR
    doubt: bool = True  # whether models of words say what is learnt, and judge beside the networks
    splice: float = 0.0  # share of lines that give way to sentences of their speaker's words
    folds: int = 2
    rounds: int = 1  # from the second on, what is learnt is what the round before believes
    epochs: int = 30  # of each fold in each round
    budget: str = ""  # of all of them together, as "15m"; empty: by epochs
    batch_size: int = 8
    seed: int = 0
    device: str = "auto"


@dataclass
class CrossFitted:
    """What the recognisers hear, each in the lines that it did not learn."""

    heard: list[Heard] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    # Nats per symbol by the line's name, in each epoch that learnt the line as it stands.
    dynamics: dict[str, list[float]] = field(default_factory=dict)


def folds_of(lines: int, folds: int, seed: int) -> list[list[int]]:
    """Indices of the lines of each fold, at random.

    Example:
        >>> sorted(index for fold in folds_of(5, 2, seed=0) for index in fold)
        [0, 1, 2, 3, 4]
    """
    order = np.random.default_rng([seed, lines]).permutation(lines)
    indices = []
    for fold in range(folds):
        of_fold = order[fold::folds].tolist()
        indices.append(sorted(of_fold))
    return indices


def cross_fit(
    utterances: Sequence[Utterance],
    tokenizer: Tokenizer,
    training: Training,
    tell: Callable[[str, Record], None] = lambda fold, record: None,
) -> CrossFitted:
    """Train a recogniser on all folds but one, listen to that one, and so on.

    In further rounds recognisers learn anew, from the texts that the round before believes; again
    none learns a line that it judges. With a warning these are left out where too little is
    believed to learn from.

    Raises:
        ValueError: for fewer lines than can be learnt from, or fewer than two folds.
        TrainingError: where a training cannot go on.
    """
    if not 2 <= training.folds <= len(utterances) or len(utterances) < FEWEST:
        raise ValueError(
            f"expected two folds or more of at least {FEWEST} lines together; got "
            f"{training.folds} folds of {len(utterances)} lines; audit fewer lines by a checkpoint"
        )
    for name in ("epochs", "rounds"):
        count = getattr(training, name)
        if count < 1:
            raise ValueError(f"{name}: expected 1 or more; got {count}")
    result = _round(utterances, utterances, tokenizer, training, tell)
    for number in range(2, training.rounds + 1):
        believed = believed_lines(utterances, judge(result.heard, Spelling(tokenizer)))
        if len(utterances) - believed.count(None) < FEWEST:
            warnings.warn(f"round {number} is left out: hardly a text is believed", stacklevel=2)
            break
        result.heard = _round(utterances, believed, tokenizer, training, tell, number).heard
    return result


def believed_lines(utterances: Sequence[Utterance], judged: Judged) -> list[Utterance | None]:
    """The lines with the texts that are believed; None for those of which none is."""
    verdicts = {verdict.heard.utterance.full_name: verdict for verdict in judged.lines}
    believed = []
    for utterance in utterances:
        verdict = verdicts.get(utterance.full_name)
        believed.append(believed_line(verdict) if verdict else None)
    return believed


def believed_line(verdict: LineVerdict) -> Utterance | None:
    """A line with the text that its verdict believes; None where it believes none."""
    utterance = verdict.heard.utterance
    if verdict.kind == RIGHT:
        return utterance
    if verdict.kind in (SUBSTITUTED, MISSING, SUPERFLUOUS) and verdict.suggestion:
        return utterance.with_text(verdict.suggestion)
    if verdict.kind == SWAPPED and verdict.partner_share >= _SURE_PARTNER:
        return utterance.with_text(verdict.partner)
    return None


def _round(
    utterances: Sequence[Utterance],
    believed: Sequence[Utterance | None],
    tokenizer: Tokenizer,
    training: Training,
    tell: Callable[[str, Record], None],
    number: int = 1,
) -> CrossFitted:
    """What networks hear in all lines, each trained on what is believed of the other folds."""
    result = CrossFitted()
    heard_by_name: dict[str, Heard] = {}
    as_written = {line.full_name: line.text for line in utterances}
    for fold, indices in enumerate(folds_of(len(utterances), training.folds, training.seed), 1):
        name = f"fold {fold} of {training.folds}"
        if training.rounds > 1:
            name = f"round {number} of {training.rounds}, {name}"
        task = _task(tokenizer, training)
        learnt: Sequence[Utterance] = _others(believed, indices)
        ears = None
        if training.doubt:
            doubted = believed_texts(learnt, tokenizer, task.network.rate_hz)
            learnt = doubted.utterances
            if doubted.doubts is not None:
                ears = Ears(doubted.doubts)
        for record in _train(task, learnt, training, fold - 1):
            tell(name, record)
            if isinstance(record, EpochRecord):
                task.end_epoch()
        for line in learnt:
            if line.text == as_written[line.full_name]:
                losses = task.dynamics.get(line.full_name, [])
                result.dynamics.setdefault(line.full_name, []).extend(losses)
        recogniser = Recogniser(task.network, tokenizer, task.spec, {})
        heard, skipped = listen(recogniser, [utterances[index] for index in indices])
        result.skipped += skipped
        if ears is not None:
            heard = _with_sound(heard, ears, tokenizer)
        heard_by_name.update((line.utterance.full_name, line) for line in heard)
    names = [utterance.full_name for utterance in utterances]  # in their order again
    result.heard = [heard_by_name[name] for name in names if name in heard_by_name]
    return result


def _with_sound(heard: Sequence[Heard], ears: Ears, tokenizer: Tokenizer) -> list[Heard]:
    """The lines with what models of words hear in them."""
    lines = list(heard)
    utterances = [line.utterance for line in lines]
    for number, spoken in spoken_in(utterances, tokenizer, ears.doubts.aligner.rate_hz):
        lines[number] = replace(lines[number], sound=ears.listen(spoken))
    return lines


def _others(believed: Sequence[Utterance | None], indices: Sequence[int]) -> list[Utterance]:
    """The lines outside a fold of which a text is believed."""
    of_fold = set(indices)
    others = []
    for index, line in enumerate(believed):
        if line is not None and index not in of_fold:
            others.append(line)
    return others


class _Remembering(Recognise):
    """Keeps the loss of every line in every epoch: when was it learnt, if ever?"""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lines = LineLosses()
        self.dynamics: dict[str, list[float]] = {}

    def step(self, batch: Batch, step: int) -> Loss:
        """As any recogniser."""
        loss = super().step(batch, step)
        self.lines.add(batch, loss.of_lines)
        return loss

    def end_epoch(self) -> None:
        """Note down the epoch's losses."""
        for line, loss in self.lines.told().items():
            self.dynamics.setdefault(line, []).append(loss)
        self.lines.clear()


def _task(tokenizer: Tokenizer, training: Training) -> _Remembering:
    torch.manual_seed(training.seed)
    spec = read_spec(training.net)
    network = build(spec, tokenizer.size)
    return _Remembering(network, tokenizer, spec_to(spec))


def _train(
    task: _Remembering, learnt: Sequence[Utterance], training: Training, number: int
) -> Iterator[Record]:
    """The records of one fold's training; its run folder is thrown away."""
    seed = training.seed + number
    loader = Loader(
        _corpus(task, learnt, training.splice),
        batch_size=training.batch_size,
        order="sortagrad",
        seed=seed,
    )
    config = TrainConfig(epochs=training.epochs, seed=seed, device=training.device)
    if training.budget:
        config = replace(config, budget=_part_of(training.budget, training.folds * training.rounds))
    if training.star:
        planned_steps = config.epochs * len(loader)
        schedule = StarSchedule.parse(training.star, planned_steps)
        task.objective = Objective(star=schedule)
    with tempfile.TemporaryDirectory() as folder:
        for record in fit(task, loader, None, out=Path(folder), config=config):
            if training.budget and training.star:
                task.objective = _stretched(training, record) or task.objective
            yield record


def _corpus(task: _Remembering, learnt: Sequence[Utterance], splice: float) -> Corpus:
    """What a network learns from."""
    net = task.network
    read = reader_of(spec_from(task.spec))
    return spliced_corpus(
        learnt, task.tokenizer, net.rate_hz, splice, frame_s=net.frame_s, read=read
    )


def _stretched(training: Training, record: Record) -> Objective | None:
    """With a time budget the number of steps is known only as training goes on."""
    if not isinstance(record, StartRecord | EpochRecord) or not record.steps:
        return None
    return Objective(star=StarSchedule.parse(training.star, record.steps))


def _part_of(budget: str, trainings: int) -> str:
    """The budget of one training of so many."""
    seconds = TrainConfig(budget=budget).budget_s or 0.0
    return f"{max(seconds / trainings, 1.0):.0f}s"
