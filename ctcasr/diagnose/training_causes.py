"""Causes that lie in what is trained and how, and those that only the course of a run tells."""

from __future__ import annotations

from ctcasr.diagnose.cause import LIKELY, PAIR, STRONG, Cause
from ctcasr.diagnose.history import RELEASED, RunHistory, number

_NOTHING, _SLOW, _FAST = 1e-8, 2e-5, 0.05  # length of a step over the length of the weights


def frozen_parameters(history: RunHistory) -> Cause | None:
    """Parameters that are not trained, or that the optimiser does not know."""
    frozen, left = history.evidence("parameters", "frozen"), history.evidence("parameters", "left")
    if frozen > 0.01:
        names = ", ".join(history.raw("parameters", "frozen_names") or ())
        return Cause(
            "frozen-parameters",
            f"{frozen:.0%} of the parameters are frozen or not handed to the optimiser: {names}.",
            "If that is not meant: requires_grad_(True), and all of network.parameters() to the optimiser.",
            history.step,
        )
    if left > 0.01 and history.recent("update_ratio", 0.1) > _NOTHING:
        names = ", ".join(history.raw("parameters", "left_names") or ())
        return Cause(
            "frozen-parameters",
            f"{left:.0%} of the parameters receive a gradient but have not moved since the last check, while "
            f"others have: {names}.",
            "Hand them to the optimiser.",
            history.step,
        )
    return None


def clipped_to_nothing(history: RunHistory) -> Cause | None:
    """The gradient is clipped so hard that it does nothing (what moves the weights, if anything, is their decay)."""
    scale, ratio = history.recent("clip_scale"), history.recent("update_ratio")
    first, now = history.figure("dev_loss", 0), history.figure("dev_loss")
    still = ratio < 10 * _SLOW or (scale < 1e-3 and len(history.checks) > 1 and now > 0.9 * first)
    if not (scale < 0.01 and still and history.best_cer > RELEASED):
        return None
    return Cause(
        "gradient-clipped",
        f"Clipping multiplies the gradient by {scale:.1g} (median); a step changes the weights by {ratio:.1g} "
        f"of their length, and the loss is {now:.1f} nats after {first:.1f} at the first check.",
        f"Raise the clipping norm to the usual gradient norm, {history.recent('grad_norm'):.2g} here.",
        history.step,
    )


def rate_zero(history: RunHistory) -> Cause | None:
    """The schedule has the learning rate at zero."""
    rate, ratio = history.recent("lr", 0.25), history.recent("update_ratio", 0.25)
    top = max((number(r.get("lr")) for r in history.steps), default=0.0)
    if (
        not history.steps
        or not (ratio < _NOTHING or rate <= 1e-12)
        or (history.done > 0.9 and top > 10 * rate)
    ):
        return None
    return Cause(
        "learning-rate-zero",
        f"The learning rate is {rate:.1g}, and a step changes the weights by {ratio:.1g} of their length.",
        "Look at the schedule: is it counted in the right unit (steps, epochs), does warm-up ever end?",
        history.step,
    )


def rate_too_low(history: RunHistory) -> Cause | None:
    """Steps so short that the planned training cannot get anywhere."""
    ratio, rate = history.recent("update_ratio", 0.25), history.recent("lr", 0.25)
    rising = len(history.steps) > 1 and number(history.steps[-1].get("lr")) > 1.05 * number(
        history.steps[len(history.steps) // 2].get("lr")
    )
    if (
        not (_NOTHING <= ratio < _SLOW)
        or rising
        or history.best_cer <= RELEASED
        or history.done > 0.9
    ):
        return None
    return Cause(
        "learning-rate-too-low",
        f"A step changes the weights by {ratio:.1g} of their length (usual: 1e-4 to 1e-2) at "
        "learning rate "
        f"{rate:.1g}.",
        f"Raise the learning rate, to {rate * 1e-3 / ratio:.0e} say.",
        history.step,
        STRONG,
    )


def rate_too_high(history: RunHistory) -> Cause | None:
    """Steps so long that the loss jumps about, rises above that of knowing nothing, or is not finite any more."""
    if history.best_cer <= RELEASED:
        return None
    broken = [
        e
        for e in history.events
        if e.get("what") == "skipped-step"
        and "not finite" in str(e.get("message"))
        and number(e.get("step")) > 0
    ]
    ratio, rate, loss = (
        history.recent("update_ratio"),
        history.recent("lr"),
        history.recent("loss", 0.3),
    )
    ignorant, deaf = history.evidence("train", "uniform"), history.evidence("dev", "deaf")
    step = f"a step changes the weights by {ratio:.1g} of their length (usual: 1e-4 to 1e-2) at learning rate {rate:.1g}"
    if len(broken) >= 3:
        what = f"{len(broken)} steps were not finite, the first at step {broken[0].get('step')}; {step}."
    elif ratio > 1e-3 and history.checks and loss > ignorant:
        what = f"The training loss is {loss:.0f} nats, where equal chances for all symbols give at most {ignorant:.0f}; {step}."
    elif ratio > _FAST and len(history.checks) >= 2 and loss > deaf:
        what = (
            f"The training loss is {loss:.0f} nats, the best deaf model's {deaf:.0f}, and {step}."
        )
    else:
        return None
    return Cause(
        "learning-rate-too-high",
        what,
        "A tenth of the learning rate; longer warm-up.",
        history.step,
        STRONG,
    )


def augment_too_strong(history: RunHistory) -> Cause | None:
    """SpecAugment hides most of the features."""
    share = history.evidence("masked")
    if not share > 0.6 or history.best_cer <= RELEASED:
        return None
    return Cause(
        "specaugment-too-strong",
        f"SpecAugment hides {share:.0%} of the features on average, and nothing has been learnt yet "
        f"(CER {history.cer:.0%}).",
        "Fewer and narrower masks, and none before the plateau is left (augment_from).",
        history.step,
        STRONG,
    )


def dropout_too_strong(history: RunHistory) -> Cause | None:
    """Dropout takes away most of what the layers hand on."""
    share = history.evidence("parameters", "dropout")
    if not share > 0.6 or history.best_cer <= RELEASED:
        return None
    return Cause(
        "dropout-too-strong",
        f"Dropout is {share:.2f}, and nothing has been learnt yet (CER {history.cer:.0%}).",
        "At most 0.3 until the plateau is left.",
        history.step,
        STRONG,
    )


def shuffled_transcripts(history: RunHistory) -> Cause | None:
    """The texts belong to other recordings: what is learnt is either the texts' habits or the training part by heart."""
    last = range(-3, 0)
    deaf = len(history.checks) > 3 and all(
        history.over_deaf(check=at) > 0.97 and history.listens(check=at) < 0.03 for at in last
    )
    if history.best_cer <= 0.7 or not deaf:
        return None
    losses = history.losses
    stuck = min(losses[-3:]) > 0.98 * min(losses[:-3])
    heart = history.loss_since_check < 0.85 * losses[-1] or history.over_deaf("train") < 0.7
    if not (stuck and (heart or history.done > 0.5)):
        return None
    what = (
        f"the training loss is {history.loss_since_check:.1f} nats, the dev loss {losses[-1]:.1f} and no longer falling: "
        "texts are learnt by "
        "heart"
        if heart
        else f"{history.done:.0%} of the training has passed"
    )
    return Cause(
        "transcripts-shuffled",
        f"The loss on the dev part is {history.over_deaf():.2f} times that of the best model "
        "that hears nothing, "
        f"and the wrong audio changes it by {history.listens():+.1%}, while {what}.",
        "Listen to a few recordings with their texts; look at how files and texts were paired.",
        history.step,
        LIKELY if heart else PAIR,
    )


def model_too_large(history: RunHistory) -> Cause | None:
    """The training part is known by heart and nothing else is understood, or the dev part worse and worse."""
    losses = history.losses
    lowest = losses.index(min(losses)) if losses else 0
    worse = (
        len(losses) - lowest > 5
        and losses[-1] > 1.1 * losses[lowest]
        and history.evidence("dev", "cer") > 0.3
        and history.evidence("train", "nll") < 0.5 * history.evidence("dev", "nll")
    )
    if not (
        worse or (history.evidence("train", "cer") < 0.15 and history.evidence("dev", "cer") > 0.6)
    ):
        return None
    course = (
        f"; loss there has risen from {losses[lowest]:.1f} to {losses[-1]:.1f} in {len(losses) - 1 - lowest} checks"
        if worse
        else ""
    )
    return Cause(
        "model-too-large",
        f"WER is {history.evidence('train', 'wer'):.0%} on training utterances and "
        f"{history.figure('wer'):.0%} on the dev "
        f"part{course} (the wrong audio changes its loss by {history.listens():+.1%}).",
        "More data or augmentation; a smaller network, dropout and weight decay.",
        history.step,
        LIKELY,
    )


def over_peaky(history: RunHistory) -> Cause | None:
    """Much is understood, but the blank wins frames that belong to symbols."""
    cer = history.evidence("dev", "cer")
    less, nats = min((history.evidence("dev", f"cer_blank_minus_{nats}"), nats) for nats in (2, 5))
    deleted, inserted = history.evidence("dev", "deletions"), history.evidence("dev", "insertions")
    if (history.release or history.leaving) is None:
        return None
    if not (
        history.over_deaf() < 0.9
        and deleted > 0.1
        and deleted > 0.6 * cer
        and deleted > 5 * inserted
        and less < 0.75 * cer
        and history.report("blank_excess") > 0.01
    ):
        return None
    return Cause(
        "over-peaky",
        f"{deleted:.0%} of the characters are deleted and {inserted:.0%} inserted; with the blank {nats} "
        "nats lower, CER falls "
        f"from {cer:.0%} to {less:.0%} (the blank has {history.report('blank_excess'):+.1%} more of the frames than the "
        "targets ask for).",
        "A blank penalty at decoding; label priors in training; a shorter stride.",
        history.step,
        LIKELY,
    )
