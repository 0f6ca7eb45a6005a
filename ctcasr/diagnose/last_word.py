"""A run in three sentences: what happened, what to do next, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ctcasr.diagnose.cause import FACT, LIKELY, STRONG, Cause
from ctcasr.diagnose.history import RunHistory
from ctcasr.records import Reason
from ctcasr.scoring.figures import percent, plural

_ALL = 0.98  # of the planned steps: some are refused on the way
_CHECKS_BEFORE = 3
_STILL_FALLS = 0.98  # of the loss that many checks before
_FEW_ROWS = 100  # utterances of the dev part from which on a rate is known to a few per cent
_BY_HEART = 0.5  # training loss over dev loss


def last_word(
    history: RunHistory, state: str, causes: Sequence[Cause], estimate: int | None = None
) -> tuple[str, ...]:
    """Three sentences about a run; none where it has no state.

    `estimate` is the step at which it will probably be released from the plateau.

    Example:
        >>> check = {"kind": "check", "step": 10, "cer": 1.0, "wer": 1.0, "loss": 30.0}
        >>> print("\\n".join(last_word(RunHistory.of([check]), "plateau: wait", (), 20)))
        After 10 steps nothing is spelt yet: CER is 100 % on the dev part.
        Go on, to about step 20 at least; runs of this kind begin to spell late and all at once.
        That step is a guess: while nothing is heard, only the time that it has lasted tells.
    """
    if causes:
        return _of_trouble(history, causes)
    if not state:
        return ()
    if state == "plateau: wait":
        return _of_plateau(history, estimate or 2 * max(history.step, 1))
    return _of_learning(history, state)


def _of_trouble(history: RunHistory, causes: Sequence[Cause]) -> tuple[str, ...]:
    first = causes[0]
    rival = ""
    if len(causes) > 1:
        rival = f"; it may also be {causes[1].slug}"
    if first.confidence >= FACT:
        sure = "This was seen as it is"
    elif first.confidence >= STRONG:
        sure = "This is all but certain"
    elif first.confidence >= LIKELY:
        sure = "This is likely, and no more"
    else:
        sure = "This is one of several explanations"
    return (
        f"By step {history.step} the run is in trouble ({first.slug}): {first.evidence}",
        f"What to do: {first.cure}",
        f"{sure}{rival}.",
    )


def _of_plateau(history: RunHistory, estimate: int) -> tuple[str, ...]:
    compared = ""
    over_deaf = history.over_deaf()
    if not math.isnan(over_deaf):
        compared = f", and the loss {over_deaf:.2f} times that of a model that hears nothing"
    sure = "That step is a guess: while nothing is heard, only the time that it has lasted tells."
    if history.hearing[-1] and not math.isnan(history.listens()):
        sure = (
            f"It does listen: of the loss with the wrong audio, the right one takes away "
            f"{percent(history.listens())} ({_errors_of_listening(history)})."
        )
    return (
        f"After {history.step} steps nothing is spelt yet: CER is {percent(history.cer)} on "
        f"{history.checks[-1].scored_on}{compared}.",
        _go_on(history, estimate),
        sure,
    )


def _go_on(history: RunHistory, estimate: int) -> str:
    """How long to wait; a run that came to its end has no learning rate left to go on with."""
    late = "runs of this kind begin to spell late and all at once."
    if history.is_planned and history.done >= _ALL:
        return f"It ended too early: plan more --epochs, for {estimate} steps at least; {late}"
    return f"Go on, to about step {estimate} at least; {late}"


def _of_learning(history: RunHistory, state: str) -> tuple[str, ...]:
    since = history.release if history.release is not None else history.leaving
    rates = f"CER is {percent(history.cer, 1)}"
    if not math.isnan(history.wer):  # where labels cannot be decoded there are no words
        rates = f"WER is {percent(history.wer, 1)} and CER {percent(history.cer, 1)}"
    happened = (
        f"It spells since step {since}: {rates} on {history.checks[-1].scored_on} after "
        f"{history.step} steps."
    )
    train = history.evidence("train", "nll")
    dev = history.evidence("dev", "nll")
    advice = _advice(history, state)
    if train < _BY_HEART * dev and state != "converged":
        advice = (
            f"Training utterances cost {train:.1f} nats and those of the dev part {dev:.1f}: more "
            "data, augmentation or dropout help more than more epochs."
        )
    return happened, advice, _how_sure(history)


def _advice(history: RunHistory, state: str) -> str:
    """What to do next, by how the losses of the dev part have fallen of late."""
    losses = history.losses
    if state == "converged":
        return "The loss no longer falls: score it once on the part that you report."
    if _is_under_way(history):
        return (
            f"{percent(history.done)} of the planned steps are done: let it come to its end "
            "(--resume), unless it has stopped because nothing better came."
        )
    if len(losses) <= _CHECKS_BEFORE:
        return f"{plural(len(losses), 'check')} cannot tell whether the loss still falls."
    if losses[-1] < _STILL_FALLS * losses[-1 - _CHECKS_BEFORE]:
        return "The loss was still falling: train longer, with the schedule stretched."
    return (
        "The loss hardly falls any more: score it. A longer training (more epochs, the schedule "
        "stretched over them) or more data may bring it lower."
    )


def _is_under_way(history: RunHistory) -> bool:
    """Whether much of what was planned is still to be done; a time budget plans anew all along."""
    fitted_to_time = history.start is not None and history.start.budget is not None
    finished = bool(history.events_of(Reason.FINISHED))
    return history.is_planned and history.done < _ALL and not (fitted_to_time or finished)


def _how_sure(history: RunHistory) -> str:
    """What the scores rest on."""
    sentences = []
    if not history.hearing[-1]:
        sentences.append("at the last check the wrong audio costs it no more than the right one")
    elif not math.isnan(history.listens()):
        sentences.append(
            f"Of the loss with the wrong audio, the right one takes away "
            f"{percent(history.listens())} ({_errors_of_listening(history)}), so it does hear"
        )
    utterances = history.metric("utterances")
    if utterances < _FEW_ROWS:
        sentences.append(f"the rates are those of {utterances:.0f} utterances, which is few")
    elif not math.isnan(utterances):
        sentences.append(f"the rates are those of {utterances:.0f} utterances")
    if not sentences:
        return "Nothing but the error rates was recorded."
    text = "; ".join(sentences)
    return text[0].upper() + text[1:] + "."


def _errors_of_listening(history: RunHistory) -> str:
    """How far beyond chance the model listens."""
    gap = history.evidence("dev", "other") - history.evidence("dev", "own")
    error = history.evidence("dev", "gap_error")
    pairs = history.evidence("dev", "pairs")
    if not error > 0 or math.isnan(pairs):
        return "how far beyond chance was not recorded"
    return f"{gap / error:.0f} standard errors, {pairs:.0f} pairs a batch"
