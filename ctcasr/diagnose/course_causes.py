"""Causes that only the course of a run tells: loss, errors and listening from check to check."""

from __future__ import annotations

import math

from ctcasr.diagnose.cause import LIKELY, PAIR, STRONG, Cause
from ctcasr.diagnose.history import RunHistory, least
from ctcasr.diagnose.text_causes import belongs_together
from ctcasr.scoring.figures import percent

_CHECKS = 3  # the last ones, that must agree
_MANY_CHECKS = 10  # from which on a run that nobody planned was no short trial
_AS_DEAF = 0.97  # of the deaf model's loss
_NEAR_DEAF = 2.0  # times it: what needs no listening has been learnt once
_NO_LONGER_FALLS = 0.98  # of the lowest loss before
_FEWEST_STEPS = 150  # what has trained for less may just not have begun to listen
_BEGINS = 1.5  # standard errors that the wrong audio costs, on average
_STANDS_STILL = 0.99  # of it, where nothing else tells
_BY_HEART = 0.85  # training loss over dev loss
_TRAIN_BY_HEART = 0.7  # of the deaf model's loss on training utterances

_RISING_CHECKS = 7  # since the lowest loss
_RISEN = 1.1  # of the lowest loss
_MUCH_WRONG_CER = 0.3
_MOST_WRONG_CER = 0.6
_KNOWN_CER = 0.15
_BETTER = 0.97  # of the lowest CER up to the lowest loss
_HALF = 0.5  # of the dev part's loss, that training utterances have

_UNDERSTOOD = 0.9  # of the deaf model's loss
_DELETED = 0.1  # share of the characters
_PENALTIES = (2, 5)  # nats off the blank that evidence tries
_LOSS_PENALTIES = (2, 5, 8)
_MANY_PEAKY = 4  # checks
_ADDS_MUCH = 1.5  # times the loss that training has
_CLOSED = 0.8  # of the difference


def shuffled_transcripts(history: RunHistory) -> Cause | None:
    """The texts belong to other recordings: learnt are their habits, or training texts by heart."""
    if not _stays_deaf(history) or belongs_together(history):
        return None
    losses = history.losses
    lowest_now = least(losses[-_CHECKS:])
    lowest_before = least(losses[:-_CHECKS])
    if not lowest_now > _NO_LONGER_FALLS * lowest_before:
        return None
    stands_still = lowest_now > _STANDS_STILL * lowest_before
    by_heart = (
        history.loss_since_check < _BY_HEART * losses[-1]
        or history.over_deaf("train") < _TRAIN_BY_HEART
    )
    if by_heart:
        course = (
            f"the training loss is {history.loss_since_check:.1f} nats, the dev loss "
            f"{losses[-1]:.1f} and no longer falling: texts are learnt by heart"
        )
    elif (
        stands_still
        and history.done > 0.5
        and history.step >= _FEWEST_STEPS
        and (history.is_planned or len(losses) >= _MANY_CHECKS)
    ):
        course = f"{percent(history.done)} of the training has passed"
    else:
        return None
    change = percent(history.listens(), 1, signed=True)
    return Cause(
        "transcripts-shuffled",
        f"The loss on the dev part is {history.over_deaf():.2f} times that of the best model that "
        f"hears nothing, and the wrong audio changes it by {change}, while {course}.",
        "Listen to a few recordings with their texts; look at how files and texts were paired.",
        history.step,
        LIKELY if by_heart else PAIR,
    )


def _stays_deaf(history: RunHistory) -> bool:
    """Whether the last checks have the deaf model's loss and do not care for the audio."""
    if len(history.checks) <= _CHECKS or history.learnt:
        return False
    errors = [history.beyond_chance(check=check) for check in range(-_CHECKS, 0)]
    if sum(errors) > _CHECKS * _BEGINS:  # a little more at every check: it begins to listen
        return False
    over_deaf = [history.over_deaf(check=check) for check in range(len(history.checks))]
    if not least(over_deaf) < _NEAR_DEAF:
        return False
    for check in range(-_CHECKS, 0):
        if history.hearing[check] or not history.over_deaf(check=check) > _AS_DEAF:
            return False
    return True


def model_too_large(history: RunHistory) -> Cause | None:
    """The training part is known by heart and nothing else understood, or dev gets worse."""
    train_cer = history.evidence("train", "cer")
    dev_cer = history.evidence("dev", "cer")
    penalised = [history.evidence("dev", f"cer_blank_minus_{nats}") for nats in _PENALTIES]
    blank_explains = min(penalised) < _MUCH_WRONG_CER
    known = _mean_train_cer(history) < _KNOWN_CER and train_cer < _KNOWN_CER
    known_by_heart = known and dev_cer > _MOST_WRONG_CER and not blank_explains
    gets_worse = _gets_worse(history)
    if not (gets_worse or known_by_heart):
        return None
    course = ""
    if gets_worse:
        losses = history.losses
        lowest = losses.index(least(losses))
        course = (
            f"; loss there has risen from {losses[lowest]:.1f} to {losses[-1]:.1f} in "
            f"{len(losses) - 1 - lowest} checks"
        )
    change = percent(history.listens(), 1, signed=True)
    return Cause(
        "model-too-large",
        f"WER is {percent(history.evidence('train', 'wer'))} on {_looked_at(history)} and "
        f"{percent(history.wer)} on the dev part{course} (the wrong audio changes its loss by "
        f"{change}).",
        "More data or augmentation; a smaller network, dropout and weight decay.",
        history.step,
        LIKELY,
    )


def _mean_train_cer(history: RunHistory) -> float:
    """CER of training utterances over the last checks: each looks at a few of them only."""
    total = 0.0
    for check in range(-_CHECKS, 0):
        total += history.evidence("train", "cer", check=check)
    return total / _CHECKS


def _looked_at(history: RunHistory) -> str:
    """The training utterances behind a rate, and how few they are."""
    rows = history.evidence("train", "rows")
    if math.isnan(rows):
        return "training utterances"
    return f"the {rows:.0f} training utterances looked at"


def _gets_worse(history: RunHistory) -> bool:
    """Whether the dev loss has risen for some checks while that of training is far below.

    A loss that rises by overconfidence, while errors still become fewer, is no harm.
    """
    losses = history.losses
    if not math.isfinite(least(losses)):
        return False
    lowest = losses.index(least(losses))
    rises = len(losses) - lowest > _RISING_CHECKS and losses[-1] > _RISEN * losses[lowest]
    least_before = least(history.cers[: lowest + 1])
    improves = least(history.cers[lowest + 1 :]) < _BETTER * least_before
    much_wrong = history.evidence("dev", "cer") > _MUCH_WRONG_CER
    far_apart = _mean_over_deaf(history, "train") < _HALF * _mean_over_deaf(history, "dev")
    return rises and much_wrong and far_apart and not improves


def _mean_over_deaf(history: RunHistory, part: str) -> float:
    """Loss over the deaf model's, over the last checks: each looks at a few utterances only."""
    total = 0.0
    for check in range(-_CHECKS, 0):
        total += history.over_deaf(part, check)
    return total / _CHECKS


def over_peaky(history: RunHistory) -> Cause | None:
    """Much is understood, but the blank wins frames that belong to symbols."""
    if history.release is None and history.leaving is None:
        return None
    # While the plateau is left, everything is deleted first: once is nothing.
    much = all(_deletes_much(history, check) for check in (-2, -1))
    always = all(_deletes_always(history, check) for check in range(-_MANY_PEAKY, 0))
    if not (much or always) or not history.over_deaf() < _UNDERSTOOD:
        return None
    cer = history.evidence("dev", "cer")
    penalised_cer, nats = _penalised(history)
    deleted = percent(history.evidence("dev", "deletions"))
    inserted = percent(history.evidence("dev", "insertions"))
    excess = percent(history.report("blank_excess"), 1, signed=True)
    return Cause(
        "over-peaky",
        f"{deleted} of the characters are deleted and {inserted} inserted; with the blank {nats} "
        f"nats lower, CER falls from {percent(cer)} to {percent(penalised_cer)} (the blank has "
        f"{excess} more of the frames than the targets ask for).",
        "A blank penalty at decoding; label priors in training; a shorter stride; nothing that "
        "evaluation adds to the blank.",
        history.step,
        LIKELY,
    )


def _penalised(history: RunHistory, check: int = -1) -> tuple[float, int]:
    """The lowest CER with a lower blank, and by how many nats."""
    trials = []
    for nats in _PENALTIES:
        cer = history.evidence("dev", f"cer_blank_minus_{nats}", check=check)
        trials.append((cer, nats))
    return min(trials)


def _deletes_much(history: RunHistory, check: int) -> bool:
    """Whether most errors of a check are deletions, and a lower blank mends a quarter of them."""
    cer = history.evidence("dev", "cer", check=check)
    deleted = history.evidence("dev", "deletions", check=check)
    inserted = history.evidence("dev", "insertions", check=check)
    deletes_most = deleted > _DELETED and deleted > 0.6 * cer and deleted > 5 * inserted
    penalty_helps = _penalised(history, check)[0] < 0.75 * cer
    return deletes_most and penalty_helps and history.report("blank_excess", check) > 0.01


def _deletes_always(history: RunHistory, check: int) -> bool:
    """Whether a check deletes more than it inserts, with the blank above what targets ask for."""
    cer = history.evidence("dev", "cer", check=check)
    deleted = history.evidence("dev", "deletions", check=check)
    inserted = history.evidence("dev", "insertions", check=check)
    penalty_helps = _penalised(history, check)[0] < 0.92 * cer
    excess = history.report("blank_excess", check)
    return deleted > 3 * inserted and penalty_helps and excess > 0.005


def blank_preferred(history: RunHistory) -> Cause | None:
    """Evaluation adds to the blank: with a lower one it has the loss that training has."""
    shares = [_gap_closed(history, check) for check in (-2, -1)]
    if not min(shares) > _CLOSED:
        return None
    return Cause(
        "over-peaky",
        f"On the same training utterances the loss is {history.evidence('train', 'nll_few'):.1f} "
        "nats in evaluation and "
        f"{history.evidence('train', 'nll_batch_statistics'):.1f} as in training; with a lower "
        f"blank alone evaluation comes back by {percent(shares[-1])} of the difference: something "
        "prefers the blank there.",
        "Look for a bonus, a prior or a bias that evaluation adds to the blank.",
        history.step,
        STRONG + 0.05,
    )


def _gap_closed(history: RunHistory, check: int) -> float:
    """How much of the loss that evaluation adds goes with a lower blank; 0 where it adds little."""
    in_evaluation = history.evidence("train", "nll_few", check=check)
    as_in_training = history.evidence("train", "nll_batch_statistics", check=check)
    if not in_evaluation > _ADDS_MUCH * as_in_training:
        return 0.0
    losses = []
    for nats in _LOSS_PENALTIES:
        losses.append(history.evidence("train", f"nll_few_blank_minus_{nats}", check=check))
    lowest = least(losses)
    if math.isinf(lowest):
        return 0.0
    return (in_evaluation - lowest) / (in_evaluation - as_in_training)
