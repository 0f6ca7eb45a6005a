"""Causes that lie in which text belongs to which recording."""

from __future__ import annotations

from ctcasr.diagnose.cause import Cause
from ctcasr.diagnose.history import RunHistory
from ctcasr.diagnose.share import share_of

_FEW_ROWS = 20  # of fewer rows, one text for most may be chance
_DOMINANT = 0.6  # share of the rows with one text
_CONTRADICTED = 0.05  # share of the rows whose sound was heard before, with another text
_SWAPPED = 0.1  # share of the rows that have the text of another row of their batch
_LEAST = 3  # rows


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
