"""Causes that the steps themselves tell: where the loss goes, and what becomes of the weights."""

from __future__ import annotations

import math
from itertools import pairwise

from ctcasr.diagnose.cause import Cause
from ctcasr.diagnose.history import RunHistory, step_number
from ctcasr.scoring.figures import percent, signed_number

_SURE = 0.96  # above what steps too long are told with: a loss that rises looks like them
_OPPOSITE = 0.3  # by which the loss told and the loss of the lattice may differ, but for the sign
_LEAST_RECORDS = 4
_FEW_RECORDS = 6  # of fewer, every one has to rise
_MOSTLY = 0.85  # of the records have a higher loss than the one before
_RISEN = 3.0  # times the first loss
_ABOVE_CHANCE = 2.0  # times the loss of equal chances for all symbols
_SHRUNK = 0.6  # of the weights' length before the first step
_FAR_TOO_FAST = 0.1  # length of a step over that of the weights


def wrong_sign(history: RunHistory) -> Cause | None:
    """The loss is made larger and not smaller."""
    told = history.recent("loss", 0.3)
    lattice = history.total("nll", 0.3) / max(history.total("rows", 0.3), 1)
    cure = "Look for a minus before the loss, a maximised objective, a reward taken for a loss."
    if told < 0 and abs(told + lattice) < _OPPOSITE * lattice:
        return Cause(
            "loss-wrong-sign",
            f"The loss that is trained on is {told:.1f} nats, where the lattice has "
            f"{signed_number(lattice, 1)}: its sign is turned.",
            cure,
            history.step,
        )
    costs = _nats_a_frame(history)
    too_fast = history.highest("update_ratio") > _FAR_TOO_FAST  # which makes any loss rise
    if len(costs) < _LEAST_RECORDS or too_fast:
        return None
    rises = sum(later > earlier for earlier, later in pairwise(costs))
    if len(costs) < _FEW_RECORDS and rises < len(costs) - 1:
        return None
    chance = math.log(max(history.evidence("classes"), 2))
    far_above = costs[-1] > _RISEN * costs[0] and costs[-1] > _ABOVE_CHANCE * chance
    if not (far_above and rises >= _MOSTLY * (len(costs) - 1)):
        return None
    return Cause(
        "loss-wrong-sign",
        f"The training loss has risen from record to record since the first step, from "
        f"{costs[0]:.1f} to {costs[-1]:.1f} nats a frame (equal chances for all symbols: "
        f"{chance:.1f}): steps go uphill.",
        cure,
        history.step,
        _SURE,
    )


def rises_without_a_break(history: RunHistory) -> bool:
    """Whether every record so far tells a higher loss than the one before, and there are few.

    Uphill steps look so; whether it is that, some more records will tell.
    """
    costs = _nats_a_frame(history)
    rises = all(later > earlier for earlier, later in pairwise(costs))
    return 2 <= len(costs) < _FEW_RECORDS and rises


def _nats_a_frame(history: RunHistory) -> list[float]:
    """Training loss over frames, record by record, where records tell both."""
    costs = []
    for record in history.steps:
        frames = step_number(record, "frames")
        nats = step_number(record, "nll")
        if frames > 0 and math.isfinite(nats):
            costs.append(nats / frames)
    return costs


def weight_decay_too_strong(history: RunHistory) -> Cause | None:
    """The weights shrink to nothing faster than the loss can hold them."""
    grown = history.evidence("parameters", "grown")
    if not grown < _SHRUNK or history.learnt:
        return None
    return Cause(
        "weight-decay-too-strong",
        f"The weights have {percent(grown, 1)} of the length they had before the first step, and "
        f"nothing has been learnt (CER {percent(history.cer)}).",
        "Weight decay of 0.01 or less (decoupled decay shrinks by learning rate times decay a "
        "step).",
        history.step,
        _SURE,
    )
