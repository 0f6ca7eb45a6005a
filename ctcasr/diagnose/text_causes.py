"""Causes that lie in which text belongs to which recording."""

from __future__ import annotations

import math

from ctcasr.diagnose.cause import FACT, LIKELY, Cause
from ctcasr.diagnose.data_causes import has_voice
from ctcasr.diagnose.history import RunHistory
from ctcasr.diagnose.share import share_of
from ctcasr.scoring.figures import signed_number

_FEW_ROWS = 20  # of fewer rows, one text for most may be chance
_DOMINANT = 0.6  # share of the rows with one text
_CONTRADICTED = 0.05  # share of the rows whose sound was heard before, with another text
_SWAPPED = 0.1  # share of the rows that have the text of another row of their batch
_LEAST = 3  # rows

# How texts go with recordings, in standard deviations from chance. Six corpora have 9 and more of
# 160 rows; texts dealt out anew have less than 3 (the highest of 150 draws was 2.6).
_PAIRED = 4.0
_UNPAIRED = 3.0
_ENOUGH_ROWS = 128  # for likeness of sounds to tell,
_SHORT_TEXTS = 30  # labels on average: of long texts one knows too roughly what stands where
_ENOUGH_FOR_LENGTHS = 24
_LABELS_VARY = 0.45  # deviations of the logarithms: single words are as long as they are spoken
_DURATIONS_VARY = 0.25
_ENOUGH_TO_COMPARE = 96  # rows, with those of the dev part
_PARTLY = 0.65  # of the agreement of the dev part
_LESS = 1.9  # standard errors
_DEV_AGREES = 3.0  # standard errors from nothing
_LITTLE_CER = 0.3


def dominant_text(history: RunHistory) -> Cause | None:
    """One text for nearly all recordings can be learnt without hearing any."""
    same = share_of(history, "train", "same_text")
    if same.total < _FEW_ROWS or same.value < _DOMINANT:
        return None
    return Cause(
        "dominant-text",
        f"{same} training rows have one and the same text, which can be written without hearing "
        "anything.",
        "Look whether a default was written where the text was not known.",
        history.step,
    )


def contradictory(history: RunHistory) -> Cause | None:
    """The same sound is there again with another text."""
    share = share_of(history, "train", "contradicted")
    if share.count < _LEAST or share.value < _CONTRADICTED:
        return None
    return Cause(
        "contradictory-transcripts",
        f"The sound of {share} training rows is that of another row, sample by sample, whose text "
        "is another one.",
        "Find out which text is right and delete the others (ctcasr doctor names the lines).",
        history.step,
    )


def swapped(history: RunHistory) -> Cause | None:
    """Targets that spell the text of another row of their batch."""
    share = share_of(history, "train", "swapped")
    if share.count < _LEAST or share.value < _SWAPPED:
        return None
    return Cause(
        "transcripts-shuffled",
        f"The targets of {share} training rows spell the text of another row of their batch.",
        "Look at how batches are put together: is something sorted, and the targets not with it?",
        history.step,
    )


def belongs_together(history: RunHistory) -> bool:
    """Whether texts are seen to go with their recordings, at least with many of them."""
    paired = history.evidence("train", "paired")
    by_length = history.evidence("train", "paired_lengths")
    return paired > _PAIRED or by_length > _PAIRED


def unpaired(history: RunHistory) -> Cause | None:
    """Texts do not go with recordings: neither by their length nor by what sounds alike."""
    paired = history.evidence("train", "paired")
    by_length = history.evidence("train", "paired_lengths")
    little = not history.learnt or history.cer > _LITTLE_CER
    heard = has_voice(history, "train")
    if not (heard and little) or paired >= _UNPAIRED or by_length >= _UNPAIRED:
        return _partly_unpaired(history)
    rows = history.evidence("train", "paired_rows")
    labels_vary = history.evidence("train", "label_spread") > _LABELS_VARY
    durations_vary = history.evidence("train", "active_spread") > _DURATIONS_VARY
    lengths_tell = rows >= _ENOUGH_FOR_LENGTHS and labels_vary and durations_vary
    short = share_of(history, "train", "labels").value <= _SHORT_TEXTS
    sounds_tell = rows >= _ENOUGH_ROWS and short and not math.isnan(paired)
    if not (lengths_tell or sounds_tell):
        return None
    seen = (
        "recordings that sound alike do not have texts that read alike "
        f"({signed_number(paired, 1)} standard deviations from chance)"
    )
    if lengths_tell:
        seen += f", and longer ones do not have longer texts ({signed_number(by_length, 1)})"
    return Cause(
        "transcripts-shuffled",
        f"Of the {rows:.0f} training rows looked at, {seen}.",
        "Listen to a few recordings with their texts; look at how files and texts were paired.",
        history.step,
        FACT - 0.01 if lengths_tell else LIKELY + 0.1,
    )


def _partly_unpaired(history: RunHistory) -> Cause | None:
    """Training texts go with their recordings less than those of the dev part do."""
    share = history.evidence("train", "paired_over_dev")
    less = history.evidence("train", "paired_less")
    rows = history.evidence("train", "paired_rows")
    if not (rows >= _ENOUGH_TO_COMPARE and history.evidence("train", "dev_agrees") > _DEV_AGREES):
        return None
    if not (share < _PARTLY and less > _LESS and history.cer > _LITTLE_CER):
        return None
    return Cause(
        "transcripts-shuffled",
        f"Texts that read alike go with sounds that are alike {share:.2f} times as much in "
        f"training as in the dev part ({less:.1f} standard errors less; {rows:.0f} rows): a part "
        "of the training texts belongs to other recordings, or its recordings are far noisier.",
        "Listen to some training recordings with their texts; ctcasr audit names the lines.",
        history.step,
        LIKELY,
    )
