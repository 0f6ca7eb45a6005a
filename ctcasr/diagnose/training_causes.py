"""Causes that lie in what is trained and how."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ctcasr.diagnose.cause import STRONG, Cause
from ctcasr.diagnose.history import RunHistory, step_number
from ctcasr.diagnose.share import largest_share
from ctcasr.diagnose.step_causes import rises_without_a_break
from ctcasr.records import Reason, StepRecord
from ctcasr.scoring.figures import percent

# Length of a step over the length of the weights; usual are 1e-4 to 1e-2.
_NOTHING = 1e-8
_SLOW = 2e-5
_SHORT = 3e-4
_LONG = 1e-3
_FAST = 0.05
_FAR_TOO_FAST = 0.1

_FEW_PARAMETERS = 0.01  # share of the parameters
_CUT_OFF = 5e-4  # share of the parameters: a small conv has few of a network's
_CLIPPED = 0.01  # what clipping multiplies gradients by, from which on it decides the step
_CLIPPED_TO_NOTHING = 1e-3
_STANDS_STILL = 0.9  # of the first check's loss: nothing has come of training
_NO_RATE = 1e-12
_LATE = 0.9  # share of the planned steps: schedules end low
_BROKEN_STEPS = 3
_HIDDEN = 0.6  # share of features masked
_DROPPED = 0.55  # share of units
_LITTLE_CER = 0.3
_FIFTH = 0.2
_FAR_ABOVE_DEAF = 2.0  # times the deaf model's loss
_WORSE = 1.1  # than equal chances for all symbols
_SHRINKS = 0.9  # of the weights' first length


def frozen_parameters(history: RunHistory) -> Cause | None:
    """Parameters that are not trained, or that the optimiser does not know."""
    frozen = history.evidence("parameters", "frozen")
    left = history.evidence("parameters", "left")
    asleep = history.evidence("parameters", "asleep")
    if frozen > _FEW_PARAMETERS:
        return Cause(
            "frozen-parameters",
            f"{percent(frozen)} of the parameters are frozen or not handed to the optimiser: "
            f"{_names(history, 'frozen_names')}.",
            "If that is not meant: requires_grad_(True), and all of network.parameters() to the "
            "optimiser.",
            history.step,
        )
    if left > _FEW_PARAMETERS and history.recent("update_ratio", 0.1) > _NOTHING:
        return Cause(
            "frozen-parameters",
            f"{percent(left)} of the parameters receive a gradient but have not moved since the "
            f"last check, while others have: {_names(history, 'left_names')}.",
            "Hand them to the optimiser.",
            history.step,
        )
    cut_off = history.evidence("parameters", "cut_off")
    if cut_off > _CUT_OFF:
        return Cause(
            "frozen-parameters",
            f"{percent(cut_off, 1)} of the parameters have never received a gradient, while others "
            f"have: {_names(history, 'cut_off_names')}.",
            "Look for detach(), no_grad() or .data between them and the loss, or for parts that "
            "are not used.",
            history.step,
        )
    # Somebody else's network may be frozen on purpose: no trouble once it learns.
    if asleep > _FEW_PARAMETERS and not history.learnt:
        return Cause(
            "frozen-parameters",
            f"{percent(asleep)} of the parameters ask for no gradient (requires_grad): "
            f"{_names(history, 'asleep_names')}.",
            "If that is not meant: requires_grad_(True) before the optimiser is made.",
            history.step,
            STRONG,
        )
    return None


def _names(history: RunHistory, name: str) -> str:
    """Names of parameters out of the evidence, for a sentence."""
    return ", ".join(map(str, history.listed("parameters", name)))


def clipped_to_nothing(history: RunHistory) -> Cause | None:
    """The gradient is clipped so hard that it does nothing (only decay may move the weights)."""
    if not history.checks:
        return None
    scale = history.recent("clip_scale")
    ratio = history.recent("update_ratio")
    first_loss = history.losses[0]
    loss = history.losses[-1]
    no_progress = len(history.checks) > 1 and loss > _STANDS_STILL * first_loss
    stands_still = ratio < 10 * _SLOW or (scale < _CLIPPED_TO_NOTHING and no_progress)
    if not (scale < _CLIPPED and stands_still and not history.learnt):
        return None
    return Cause(
        "gradient-clipped",
        f"Clipping multiplies the gradient by {scale:.1g} (median); a step changes the weights by "
        f"{ratio:.1g} of their length, and the loss is {loss:.1f} nats after {first_loss:.1f} at "
        "the first check.",
        "Raise the clipping norm to the usual gradient norm, "
        f"{history.recent('grad_norm'):.2g} here.",
        history.step,
    )


def rate_zero(history: RunHistory) -> Cause | None:
    """The schedule has the learning rate at zero."""
    rate = history.recent("lr", 0.25)
    ratio = history.recent("update_ratio", 0.25)
    stands_still = ratio < _NOTHING or rate <= _NO_RATE
    if not stands_still:
        return None
    if history.done > _LATE and history.highest("lr") > 10 * rate:
        return None
    return Cause(
        "learning-rate-zero",
        f"The learning rate is {rate:.1g}, and a step changes the weights by {ratio:.1g} of their "
        "length.",
        "Look at the schedule: is it counted in the right unit (steps, epochs), does warm-up ever "
        "end?",
        history.step,
    )


def rate_too_low(history: RunHistory) -> Cause | None:
    """Steps so short that the planned training cannot get anywhere."""
    clipped = history.recent("clip_scale") < _CLIPPED  # which explains short steps
    if history.learnt or clipped or _rate_rises(history.steps):
        return None
    ratio = history.recent("update_ratio", 0.25)
    rate = history.recent("lr", 0.25)
    crawls = _NOTHING <= ratio < _SLOW and history.done <= _LATE
    top_ratio = history.highest("update_ratio")
    # Even the longest steps were short, and what needs no listening has not been learnt.
    never_ran = _NOTHING <= top_ratio < _SHORT and history.over_deaf() > _FAR_ABOVE_DEAF
    if never_ran and history.done > _FIFTH:
        ratio = top_ratio
        rate = history.highest("lr")
    elif not crawls:
        return None
    return Cause(
        "learning-rate-too-low",
        f"A step changes the weights by {ratio:.1g} of their length (usual: 1e-4 to 1e-2) at "
        f"learning rate {rate:.1g}.",
        f"Raise the learning rate, to {rate * _LONG / ratio:.0e} say.",
        history.step,
        STRONG,
    )


def _rate_rises(steps: Sequence[StepRecord]) -> bool:
    """Whether warm-up is still going on, or may be: one record does not tell."""
    if len(steps) < 2:
        return True
    middle = steps[(len(steps) - 1) // 2]
    return step_number(steps[-1], "lr") > 1.05 * step_number(middle, "lr")


def rate_too_high(history: RunHistory) -> Cause | None:
    """Steps so long that the loss jumps about, rises above ignorance, or is not finite any more."""
    if history.learnt:
        return None
    evidence = _too_fast(history)
    if evidence is None:
        return None
    return Cause(
        "learning-rate-too-high",
        evidence,
        "A tenth of the learning rate; longer warm-up.",
        history.step,
        STRONG,
    )


def _too_fast(history: RunHistory) -> str | None:
    """What shows that steps are too long; None where nothing does."""
    not_finite = history.events_of(Reason.LOSS_NOT_FINITE, Reason.GRADIENT_NOT_FINITE)
    broken = [event for event in not_finite if event.step > 0]
    from_the_start = any(event.step == 0 for event in not_finite)
    # What goes in explains what comes out.
    if from_the_start or largest_share(history, "not_finite").count:
        broken = []
    ratio = history.recent("update_ratio")
    rate = history.recent("lr")
    loss = history.recent("loss", 0.3)
    deaf = history.evidence("dev", "deaf")
    step = (
        f"a step changes the weights by {ratio:.1g} of their length (usual: 1e-4 to 1e-2) at "
        f"learning rate {rate:.1g}"
    )
    if len(broken) >= _BROKEN_STEPS:
        first = broken[0].step
        return f"{len(broken)} steps were not finite, the first at step {first}; {step}."
    top_ratio = history.highest("update_ratio")
    # Weights grow by steps that are too long; where they shrink, decay does it. And a loss that
    # rises without a break goes uphill, unless steps are far too long.
    shrinks = history.evidence("parameters", "grown") < _SHRINKS
    if top_ratio <= _FAR_TOO_FAST and (shrinks or rises_without_a_break(history)):
        return None
    if top_ratio > _FAR_TOO_FAST and len(history.checks) >= 2 and history.over_deaf() > 1:
        return (
            f"Steps have changed the weights by up to {top_ratio:.1g} of their length (usual: 1e-4 "
            f"to 1e-2) at learning rates up to {history.highest('lr'):.1g}, and the loss is still "
            f"{history.over_deaf():.2f} times that of a model that hears nothing."
        )
    if ratio > _LONG and history.checks and _worse_than_ignorance(history) > _WORSE:
        return (
            f"The training loss is {_worse_than_ignorance(history):.1f} times that of equal "
            f"chances for all symbols; {step}."
        )
    if ratio > _FAST and len(history.checks) >= 2 and loss > deaf:
        return (
            f"The training loss is {loss:.0f} nats, the best deaf model's {deaf:.0f}, and {step}."
        )
    return None


def _worse_than_ignorance(history: RunHistory) -> float:
    """Training loss over that of equal chances for all symbols; NaN where nobody can know.

    Batch by batch where the records tell frames: what a few rows need says nothing of others.
    """
    classes = history.evidence("classes")
    frames = history.total("frames", 0.3)
    if classes > 1 and frames > 0:
        return history.total("nll", 0.3) / frames / math.log(classes)
    ignorant = history.evidence("train", "uniform")
    return history.recent("loss", 0.3) / ignorant if ignorant > 0 else math.nan


def augment_too_strong(history: RunHistory) -> Cause | None:
    """SpecAugment hides most of the features."""
    share = history.evidence("masked")
    if not share > _HIDDEN or history.learnt:
        return None
    return Cause(
        "specaugment-too-strong",
        f"SpecAugment hides {percent(share)} of the features on average, and nothing has been "
        f"learnt yet (CER {percent(history.cer)}).",
        "Fewer and narrower masks, and none before the plateau is left (augment_from).",
        history.step,
        STRONG,
    )


def dropout_too_strong(history: RunHistory) -> Cause | None:
    """Dropout takes away most of what the layers hand on."""
    share = history.evidence("parameters", "dropout")
    little = history.cer > _LITTLE_CER
    if not share > _DROPPED or (history.learnt and not little):
        return None
    what = "little has been learnt" if history.learnt else "nothing has been learnt yet"
    return Cause(
        "dropout-too-strong",
        f"Dropout is {share:.2f}, and {what} (CER {percent(history.cer)}).",
        "At most 0.3 until the plateau is left.",
        history.step,
        STRONG,
    )
