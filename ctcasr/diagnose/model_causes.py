"""Causes that lie in the network, in what the loss is told, and between training and evaluation."""

from __future__ import annotations

import math

from ctcasr.diagnose.cause import FACT, LIKELY, STRONG, Cause
from ctcasr.diagnose.history import RunHistory
from ctcasr.diagnose.share import Share, largest_share, share_of
from ctcasr.records import EventRecord, Reason, as_number
from ctcasr.scoring.figures import percent

_SOME_ROWS = 0.05  # share of rows from which on a defect hurts
_FEW_ROWS = 0.015  # that are worth naming, where there are
_LEAST_ROWS = 3  # of them
_MOST_ROWS = 0.5
_ALL_ROWS = 0.99
_HARDLY_SAID = 0.02  # share of the labels
_CHEAPER = 0.6  # of the loss with the tokenizer's blank
_SURE = 0.3  # probability: an untrained network prefers any symbol by a hair
_PROBABILITIES = 0.95  # share of frames that sum to one
_FIFTH = 0.2  # of the planned steps
_CHECKS = 3
_FEWEST_STEPS = 40  # what has trained for less may just not have come so far
_FAR_ABOVE_DEAF = 2.0  # times the deaf model's loss
_UNSURE = 0.7  # mean probability of the likeliest symbol; in runs that learn soon 80 % and more
_SHORT_PATH = 0.1  # lengths of their own that the weights have gone
_ALIKE = 1.5  # spread of the scores over that path: healthy runs have 5 and more
_SHRUNK = 0.8  # of the weights' first length: then they go far and nowhere
_MASKED = 0.6  # share of the features
_USUAL_STEP = 3e-3  # length of a step over that of the weights
_FAR_TOO_FAST = 0.1  # length of a step over that of the weights
_FEW_CHECKS = 2
_DEAD = 0.9  # share of units of a layer that are always zero
_MODE_GAP = 0.05  # relative difference of features between training and evaluation mode

# Normalised features have mean 0 and standard deviation 1; beyond these they were not measured:
_FAR_MEAN = 1.0
_LARGE_DEVIATION = 3.0
_SMALL_DEVIATION = 0.1

# Loss with running statistics over that with statistics of the batch:
_LOSES = 1.15
_LOSES_MUCH = 1.5
_LITTLE_CER = 0.3
_HEARS = 0.7  # of the deaf model's loss: something has been learnt


def input_lengths_wrong(history: RunHistory) -> Cause | None:
    """The loss is told other lengths than the network makes of the audio."""
    share = largest_share(history, "wrong_lengths")
    if share.value < _SOME_ROWS:
        return _lengths_of_the_batch(history)
    return Cause(
        "input-lengths-wrong",
        f"{share} rows were given to the loss with another number of frames than the network's "
        "stride makes of their audio, so that padding counts as sound (or sound is cut off).",
        "Take the lengths behind the last strided layer, row by row.",
        history.step,
    )


def _lengths_of_the_batch(history: RunHistory) -> Cause | None:
    """Every row is told all frames of its batch, and batches are not equally wide."""
    share = share_of(history, "train", "full_lengths")
    if share.value < _ALL_ROWS or history.learnt:
        return None
    return Cause(
        "input-lengths-wrong",
        f"{share} rows were given to the loss with all frames of their batch, though batches are "
        "not equally long: padding counts as sound.",
        "Take the lengths behind the last strided layer, row by row.",
        history.step,
        LIKELY,
    )


def zero_infinity(history: RunHistory) -> Cause | None:
    """Rows without a path are counted with a loss of zero."""
    no_path = Share(history.total("no_path"), history.total("rows"))
    if not (no_path.value > _SOME_ROWS and history.total("infeasible") == 0):
        return None
    return Cause(
        "zero-infinity-hides-rows",
        f"{no_path} rows of recent batches have no path (T < U + R: fewer frames than symbols and "
        "blanks between equal ones), and their loss of zero is in the mean: the loss looks lower "
        "than it is, and they teach nothing.",
        "Use a smaller stride or shorter texts; do not count such rows in the mean.",
        history.step,
    )


def stride_too_large(history: RunHistory) -> Cause | None:
    """Too few frames are left behind the stride to spell the text."""
    dev = Share(history.report("infeasible"), history.report("rows"))
    train = Share(history.total("no_path"), history.total("rows"))
    known = [share for share in (dev, train) if not math.isnan(share.value)]
    example = _example(history.events_of(Reason.INFEASIBLE))
    if not history.steps and history.events_of(Reason.NO_ALIGNMENT):
        which = "Not one row of a batch has"
    else:
        share = max(known, key=lambda share: share.value, default=Share(0, 0))
        named = _named_rows(history)
        if share.value < _SOME_ROWS and named.value >= _FEW_ROWS and named.count >= _LEAST_ROWS:
            share = named
        elif share.value < _SOME_ROWS:
            return None
        much = "most" if share.value > _MOST_ROWS else "some"
        which = f"{share} rows ({much}) do not have"
    return Cause(
        "stride-too-large",
        f"{which} as many frames behind the stride as their text needs: one for each symbol and "
        f"one for a blank between each two equal ones (T < U + R).{example}",
        "Use a smaller stride, a shorter hop, or larger units of text.",
        history.step,
        # May be what another rate comes to, above all where one part alone lacks frames.
        LIKELY - 0.05 if _dev_alone(dev, train) else FACT - 0.02,
    )


def _dev_alone(dev: Share, train: Share) -> bool:
    """Whether rows of the dev part lack frames, and of the training part none."""
    return dev.count > 0 and train.total > 0 and train.count == 0


def _named_rows(history: RunHistory) -> Share:
    """The training rows without an alignment that were named, of those counted."""
    named = sum(len(event.ids) for event in history.events_of(Reason.INFEASIBLE))
    return Share(named, share_of(history, "train", "empty").total)


def _example(events: list[EventRecord]) -> str:
    """A sentence about the first utterance that was named."""
    if not events or not events[0].ids:
        return ""
    what, _, _ = str(events[0].ids[0]).partition(";")  # behind it: what to do, which follows anyway
    return f" For example {what[:120]}."


def labels_out_of_range(history: RunHistory) -> Cause | None:
    """Labels for which the network has no output; torch's loss reads beyond the scores."""
    share = largest_share(history, "out_of_range")
    if share.value < _SOME_ROWS:
        return None
    return Cause(
        "labels-out-of-range",
        f"{share} rows have labels below zero, or as large as the number of scores or larger.",
        "As many outputs as symbols and a blank; true target lengths where targets are padded.",
        history.step,
    )


def blank_mismatch(history: RunHistory) -> Cause | None:
    """The targets hold the blank, or what is written is not what the scores say with it."""
    holding = largest_share(history, "blank_labels")
    if holding.value > _SOME_ROWS:
        return Cause(
            "blank-mismatch",
            f"{holding} targets hold the blank of the loss as a label: no path spells it.",
            "Number the symbols so that none is the blank, or give the loss an index of none.",
            history.step,
        )
    share = history.evidence("dev", "written_differs")
    if not share > _MOST_ROWS:
        return _another_blank_wins(history)
    return Cause(
        "blank-mismatch",
        f"{percent(share)} of the hypotheses differ from the best path read with the blank of the "
        "loss: the decoder drops another symbol.",
        "Give the loss and the decoder the same blank index.",
        history.step,
    )


def _another_blank_wins(history: RunHistory) -> Cause | None:
    """A symbol that texts hardly hold has the frames that belong to the blank.

    Steps that were far too long leave any symbol there: then they are the cause.
    """
    blank = history.evidence("blank")
    if math.isnan(blank) or history.highest("update_ratio") > _FAR_TOO_FAST:
        return None
    other, evidence = _unsaid_as_blank(history)
    if other < 0:
        other, evidence = _unsaid_wins(history)
    if other < 0:
        return None
    return Cause(
        "blank-mismatch",
        f"{evidence}: symbol {other:.0f} is trained as the blank, and the decoder's blank is "
        f"{blank:.0f}.",
        "Give the loss and the decoder the same blank index.",
        history.step,
        STRONG + 0.05,
    )


def _unsaid_as_blank(history: RunHistory) -> tuple[float, str]:
    """A symbol with which as the blank training utterances cost far less; -1 without one."""
    ratios = []
    for check in (-1, -2):
        own = history.evidence("train", "nll_few", check=check)
        other = history.evidence("train", "nll_few_unsaid_blank", check=check)
        ratios.append(other / own if own > 0 else math.nan)
    unsaid = history.evidence("dev", "unsaid_class")
    if not (max(ratios) < _CHEAPER and unsaid == history.evidence("dev", "unsaid_class", check=-2)):
        return -1, ""
    return unsaid, (
        f"With symbol {unsaid:.0f} for the blank, the same training utterances cost "
        f"{ratios[0]:.2f} times as much"
    )


def _unsaid_wins(history: RunHistory) -> tuple[float, str]:
    """A symbol that is hardly in the labels and likeliest in most frames; -1 without one."""
    for check in (-1, -2):
        best = history.evidence("dev", "best_class", check=check)
        frames = history.evidence("dev", "best_class_frames", check=check)
        labels = history.evidence("dev", "best_class_labels", check=check)
        unsure = history.evidence("dev", "top_probability", check=check) <= _SURE
        wins = frames > _MOST_ROWS and labels < _HARDLY_SAID
        if not wins or unsure or best == history.evidence("blank"):
            return -1, ""
    return best, (
        f"Symbol {best:.0f} is the likeliest in {percent(frames)} of the frames and "
        f"{percent(labels, 1)} of the labels"
    )


def softmax_as_logits(history: RunHistory) -> Cause | None:
    """Probabilities were handed in where logits belong."""
    share = history.evidence("dev", "already_softmax")
    if not share > _PROBABILITIES:
        return _sigmoid_as_logits(history)
    return Cause(
        "softmax-as-logits",
        f"In {percent(share)} of the frames the scores are positive and sum to one: they are "
        "probabilities, of which the loss takes the softmax once more; no symbol can then get more "
        f"than {percent(history.evidence('dev', 'top_probability'))} on average.",
        "Hand in the output of the last linear layer, without softmax.",
        history.step,
    )


def _sigmoid_as_logits(history: RunHistory) -> Cause | None:
    """Every score lies between 0 and 1, so that no symbol can win by much."""
    share = history.evidence("dev", "between_0_and_1")
    if not share > _PROBABILITIES:
        return None
    return Cause(
        "softmax-as-logits",
        f"In {percent(share)} of the frames all scores lie between 0 and 1 (a sigmoid, or "
        "probabilities): after the loss's softmax no symbol can get more than "
        f"{percent(history.evidence('dev', 'top_probability'))} on average.",
        "Hand in the output of the last linear layer, without sigmoid or softmax.",
        history.step,
    )


def scores_not_normalised(history: RunHistory) -> Cause | None:
    """What torch's loss is given are no log-probabilities over the symbols."""
    share = history.evidence("scores", "normalised")
    if not share < _MOST_ROWS or softmax_as_logits(history) is not None:
        return None
    over = history.raw("scores", "normalised_over")
    instead = f"; they do over the {over}" if over else ""
    return Cause(
        "scores-not-normalised",
        f"In {percent(1 - share)} of the frames the probabilities handed to the loss do not sum to "
        f"one over the symbols{instead}: it takes them as they are.",
        "log_softmax over the axis of the symbols, before the loss.",
        history.step,
    )


def scores_too_small(history: RunHistory) -> Cause | None:
    """Scores that hardly differ, though the weights move as they should: something divides them."""
    # Where training utterances cost little, the dev part is another one.
    if history.learnt or history.over_deaf("train") <= _FAR_ABOVE_DEAF:
        return None
    evidence = _scores_stay_alike(history) or _never_sure(history)
    if not evidence:
        return None
    return Cause(
        "scores-too-small",
        f"{evidence}: the scores hardly differ.",
        "Look for a scale, a temperature or a mean between the last layer and the loss, and hand "
        "its output in as it is.",
        history.step,
        LIKELY,
    )


def _scores_stay_alike(history: RunHistory) -> str:
    """What is said where weights have gone far and the scores of a frame are still alike."""
    spread = history.evidence("dev", "highest") - history.evidence("dev", "lowest")
    shrunk = history.evidence("parameters", "grown") < _SHRUNK
    hidden = history.evidence("masked") > _MASKED
    alike = history.path > _SHORT_PATH and spread < _ALIKE * history.path
    useless = history.over_deaf() > _FAR_ABOVE_DEAF
    if shrunk or hidden or not (alike and useless):
        return ""
    return (
        f"The scores of a frame lie within {spread:.2f} of each other on average, though the "
        f"weights have gone {history.path:.2f} of their length (usual: five times that and more)"
    )


def _never_sure(history: RunHistory) -> str:
    """What is said where no symbol is ever likely, check after check."""
    if history.done < _FIFTH or history.step < _FEWEST_STEPS or len(history.checks) <= _CHECKS:
        return ""
    for check in range(-_CHECKS, 0):
        if not history.over_deaf(check=check) > _FAR_ABOVE_DEAF:
            return ""
    top_probability = history.evidence("dev", "top_probability")
    top_ratio = history.highest("update_ratio")
    if not (top_probability < _UNSURE and top_ratio > _USUAL_STEP):
        return ""
    return (
        f"The likeliest symbol has {percent(top_probability)} on average and the loss is still "
        f"{history.over_deaf():.1f} times that of a model that hears nothing, though steps change "
        f"the weights by up to {top_ratio:.1g} of their length"
    )


def dead_units(history: RunHistory) -> Cause | None:
    """A ReLU layer (nearly) all of whose units are zero for every input."""
    dead = [as_number(share) for share in history.listed("train", "dead")]
    worst = max((share for share in dead if not math.isnan(share)), default=0.0)
    if worst < _DEAD or history.learnt:
        return None
    # Steps that were far too long kill units: then they are the cause.
    too_fast = history.highest("update_ratio") > _FAR_TOO_FAST
    if too_fast and len(history.checks) < _FEW_CHECKS:
        return None
    layer = dead.index(worst) + 1
    return Cause(
        "dead-relu",
        f"{percent(worst)} of the units of ReLU layer {layer} of {len(dead)} are zero for every "
        f"frame looked at; the gradient norm is {history.recent('grad_norm', 0.1):.2g}.",
        "BatchNorm before each fully connected layer, a lower learning rate, fewer layers.",
        history.step,
        LIKELY if too_fast else STRONG + 0.05,
    )


def batch_of_one(history: RunHistory) -> Cause | None:
    """BatchNorm over the frames of one utterance: training does not see what evaluation sees."""
    batch_size = history.evidence("train", "batch")
    norm_layers = history.evidence("train", "normed")
    ratio = _statistics_ratio(history)
    hurts = ratio > _LOSES or not history.learnt or history.cer > _LITTLE_CER
    if not (batch_size == 1 and norm_layers > 0 and hurts):
        return None
    consequence = f"CER is {percent(history.cer)}"
    if not math.isnan(ratio):
        consequence = (
            f"with running statistics the loss on the same utterance is {ratio:.2f} times that "
            "with its own"
        )
    return Cause(
        "batch-of-one",
        f"A batch holds one utterance and {norm_layers:.0f} layers normalise by it: {consequence}.",
        "Use larger batches (accumulation does not help BatchNorm), or normalise without batch "
        "statistics.",
        history.step,
        STRONG if ratio > _LOSES else LIKELY,
    )


def feature_statistics(history: RunHistory) -> Cause | None:
    """Features are not normalised as in training, or by statistics of something else."""
    mode_gap = history.evidence("train", "features_mode_gap")
    if mode_gap > _MODE_GAP:
        return Cause(
            "normalisation-differs",
            f"The features of the same audio differ by {percent(mode_gap)} between training and "
            "evaluation mode.",
            "Normalise in evaluation exactly as in training, by statistics kept in the checkpoint.",
            history.step,
        )
    mean = history.evidence("train", "features_mean")
    deviation = history.evidence("train", "features_std")
    normalised = history.evidence("train", "features_normalised") == 1
    unlikely_deviation = deviation > _LARGE_DEVIATION or deviation < _SMALL_DEVIATION
    if normalised and (abs(mean) > _FAR_MEAN or unlikely_deviation):
        return Cause(
            "normalisation-statistics",
            f"Normalised features have mean {mean:.2f} and standard deviation {deviation:.2f} "
            "(expected 0 and 1): the statistics were not measured, or on something else.",
            "Measure the statistics over the training part (front.fit) before training.",
            history.step,
            FACT - 0.02,
        )
    return None


def statistics_differ(history: RunHistory) -> Cause | None:
    """BatchNorm's running statistics do not fit: evaluation loses what training has learnt."""
    # While weights move fast, running statistics lag behind: only what stays, and hides all that
    # was learnt, is no lag.
    stays = _statistics_ratio(history) > _LOSES_MUCH
    stays = stays and _statistics_ratio(history, check=-2) > _LOSES_MUCH
    by_batch = history.evidence("train", "nll_batch_statistics")
    in_evaluation = history.evidence("train", "nll_few")
    hearing = _HEARS * history.evidence("train", "deaf")
    hides_all = by_batch < hearing < _HEARS * in_evaluation
    if not (stays and hides_all):
        return None
    return Cause(
        "normalisation-differs",
        f"On the same training utterances the loss is {in_evaluation:.1f} nats in evaluation and "
        f"{by_batch:.1f} with the statistics of the batch: the running statistics do not fit.",
        "Look at the momentum of BatchNorm, at batches of very different kinds, and at what "
        "evaluation feeds in.",
        history.step,
        STRONG,
    )


def _statistics_ratio(history: RunHistory, check: int = -1) -> float:
    """Loss in evaluation over that with the statistics of the batch, of the same utterances."""
    in_evaluation = history.evidence("train", "nll_few", check=check)
    by_batch = history.evidence("train", "nll_batch_statistics", check=check)
    return in_evaluation / max(by_batch, 1e-3)
