"""Causes that lie in the network, in what it tells the loss, and in how it differs between training and evaluation."""

from __future__ import annotations

from ctcasr.diagnose.cause import FACT, LIKELY, STRONG, Cause
from ctcasr.diagnose.history import RELEASED, RunHistory, number


def input_lengths_wrong(history: RunHistory) -> Cause | None:
    """The loss is told other lengths than the network makes of the audio."""
    share = max(
        (v for v in (history.evidence(p, "wrong_lengths") for p in ("train", "dev")) if v == v),
        default=0.0,
    )
    if share < 0.05:
        return None
    return Cause(
        "input-lengths-wrong",
        f"{share:.0%} of the rows were given to the loss with another number of frames than the network's "
        "stride makes of their audio, so that padding counts as sound (or sound is cut off).",
        "Take the lengths behind the last strided layer, row by row.",
        history.step,
    )


def zero_infinity(history: RunHistory) -> Cause | None:
    """Rows without a path are counted with a loss of zero."""
    if not history.steps:
        return None
    infeasible, left_out = history.recent("infeasible"), history.recent("left_out")
    rows = history.recent("rows")
    if not (infeasible > 0.05 * rows and left_out == 0):
        return None
    return Cause(
        "zero-infinity-hides-rows",
        f"{infeasible:.0f} of {rows:.0f} rows of a batch have no path (T < U + R), and their loss of "
        "zero is in the mean: the loss looks lower than it is, and they teach nothing.",
        "Use a smaller stride or shorter texts; do not count such rows in the mean.",
        history.step,
    )


def stride_too_large(history: RunHistory) -> Cause | None:
    """Too few frames are left behind the stride to spell the text."""
    dev = history.report("infeasible") / max(history.report("rows"), 1)
    events = [e for e in history.events if e.get("what") == "infeasible"]
    none = [
        e
        for e in history.events
        if e.get("what") == "skipped-step" and "has an alignment" in str(e.get("message"))
    ]
    train = (
        history.recent("infeasible") / max(history.recent("rows"), 1)
        if history.steps
        else (1.0 if none else 0.0)
    )
    share = max((v for v in (dev, train) if v == v), default=0.0)
    if share < 0.05:
        return None
    example = (
        f" For example {str(events[0].get('ids', [''])[0])[:120]}."
        if events and events[0].get("ids")
        else ""
    )
    much = "most" if share > 0.5 else "some"
    return Cause(
        "stride-too-large",
        f"{share:.0%} of the rows ({much}) have fewer frames behind the stride than symbols to spell "
        f"(T < U + R).{example}",
        "Use a smaller stride, a shorter hop, or larger units of text.",
        history.step,
    )


def blank_mismatch(history: RunHistory) -> Cause | None:
    """What is written is not what the scores say with the blank of the loss."""
    share = history.evidence("dev", "written_differs")
    if not share > 0.5:
        return None
    return Cause(
        "blank-mismatch",
        f"{share:.0%} of the hypotheses differ from the best path read with the blank of the loss: "
        "the decoder drops another symbol.",
        "Give the loss and the decoder the same blank index.",
        history.step,
    )


def softmax_as_logits(history: RunHistory) -> Cause | None:
    """Probabilities were handed in where logits belong."""
    share = history.evidence("dev", "already_softmax")
    if not share > 0.95:
        return None
    return Cause(
        "softmax-as-logits",
        f"In {share:.0%} of the frames the scores are positive and sum to one: they are probabilities, of "
        "which the loss takes the softmax once more; no symbol can then get more than "
        f"{history.evidence('dev', 'top_probability'):.0%} on average.",
        "Hand in the output of the last linear layer, without softmax.",
        history.step,
    )


def dead_units(history: RunHistory) -> Cause | None:
    """A ReLU layer (nearly) all of whose units are zero for every input."""
    dead = [number(share) for share in history.raw("train", "dead") or ()]
    worst = max((share for share in dead if share == share), default=0.0)
    if worst < 0.9 or history.best_cer <= RELEASED:
        return None
    layer = dead.index(worst) + 1
    return Cause(
        "dead-relu",
        f"{worst:.0%} of the units of ReLU layer {layer} of {len(dead)} are zero for every frame looked "
        "at; the gradient "
        f"norm is {history.recent('grad_norm', 0.1):.2g}.",
        "BatchNorm before each fully connected layer, a lower learning rate, fewer layers.",
        history.step,
        STRONG + 0.05,
    )


def batch_of_one(history: RunHistory) -> Cause | None:
    """BatchNorm over the frames of a single utterance: what training sees is not what evaluation sees."""
    rows, normed = history.evidence("train", "batch"), history.evidence("train", "normed")
    ratio = _statistics_ratio(history)
    if not (rows == 1 and normed > 0 and (ratio > 1.15 or history.best_cer > RELEASED)):
        return None
    return Cause(
        "batch-of-one",
        f"A batch holds one utterance and {normed:.0f} layers normalise by it: with running statistics "
        "the loss on "
        f"the same utterance is {ratio:.2f} times that with its own.",
        "Use larger batches (accumulation does not help BatchNorm), or normalise without batch statistics.",
        history.step,
        STRONG if ratio > 1.15 else LIKELY,
    )


def feature_statistics(history: RunHistory) -> Cause | None:
    """Features are not normalised as in training, or by statistics of something else."""
    gap = history.evidence("train", "features_mode_gap")
    if gap > 0.05:
        return Cause(
            "normalisation-differs",
            f"The features of the same audio differ by {gap:.0%} between training and evaluation mode.",
            "Normalise in evaluation exactly as in training, by statistics kept in the checkpoint.",
            history.step,
        )
    mean, std = (
        history.evidence("train", "features_mean"),
        history.evidence("train", "features_std"),
    )
    if history.evidence("train", "features_normalised") == 1 and (
        abs(mean) > 1.0 or std > 3.0 or std < 0.1
    ):
        return Cause(
            "normalisation-statistics",
            f"Normalised features have mean {mean:.2f} and standard deviation {std:.2f} "
            "(expected 0 and 1): "
            "the statistics were not measured, or on something else.",
            "Measure the statistics over the training part (front.fit) before training.",
            history.step,
            FACT - 0.02,
        )
    return None


def statistics_differ(history: RunHistory) -> Cause | None:
    """BatchNorm's running statistics do not fit: evaluation loses what training has learnt."""
    ratio = _statistics_ratio(history)
    earlier = _statistics_ratio(history, -2)
    batch = history.evidence("train", "nll_batch_statistics")
    deaf = history.evidence("train", "deaf")
    few = history.evidence("train", "nll_few")
    # While the weights move fast, running statistics lag behind: only what stays, and hides all that was learnt, is no lag.
    if not (ratio > 1.5 and earlier > 1.5 and batch < 0.7 * deaf < 0.7 * few):
        return None
    return Cause(
        "normalisation-differs",
        f"On the same training utterances the loss is {history.evidence('train', 'nll_few'):.1f} nats in "
        f"evaluation and {batch:.1f} with the statistics of the batch: the running statistics do not fit.",
        "Look at the momentum of BatchNorm, at batches of very different kinds, and at what evaluation feeds in.",
        history.step,
        STRONG,
    )


def _statistics_ratio(history: RunHistory, check: int = -1) -> float:
    return history.evidence("train", "nll_few", check=check) / max(
        history.evidence("train", "nll_batch_statistics", check=check), 1e-3
    )
