"""Causes that lie in the recordings, the texts and the features."""

from __future__ import annotations

from ctcasr.diagnose.cause import FACT, LIKELY, STRONG, Cause
from ctcasr.diagnose.history import RELEASED, RunHistory

_MOST, _SOME = 0.5, 0.05  # shares of utterances from which on a defect hurts


def _share(history: RunHistory, name: str) -> float:
    """The larger share of the two parts that were looked at; 0 where nothing is known."""
    return max(
        (v for v in (history.evidence("train", name), history.evidence("dev", name)) if v == v),
        default=0.0,
    )


def audio_silent(history: RunHistory) -> Cause | None:
    """Nothing can be heard in most recordings."""
    share = _share(history, "silent")
    if share < _MOST:
        return None
    return Cause(
        "audio-silent",
        f"{share:.0%} of the utterances looked at are silent (below -80 dB of full scale).",
        "Listen to a few files; look for the wrong channel, a scale of integers read as floats, or wrong offsets.",
        history.step,
    )


def features_not_finite(history: RunHistory) -> Cause | None:
    """NaN or infinity comes out of the front-end, or out of an untrained network."""
    part = min(history.evidence("train", "features_finite"), 1.0)
    if part == part and part < 1.0:
        return Cause(
            "features-not-finite",
            f"{1 - part:.1%} of the feature values are NaN or infinite.",
            "Take the logarithm above a floor, and look for NaN in the samples.",
            history.step,
        )
    early = [
        e
        for e in history.events
        if e.get("what") == "skipped-step" and "loss is not finite" in str(e.get("message"))
    ]
    if early and not history.steps and int(early[0].get("step", 0)) == 0:
        return Cause(
            "features-not-finite",
            f"The loss was not finite in {len(early)} batches before a single step was taken, so "
            f"what goes in is not: {_first(early[0])}.",
            "Take the logarithm above a floor, and look for NaN in the samples.",
            history.step,
        )
    return None


def features_constant(history: RunHistory) -> Cause | None:
    """Features that do not change over time tell nothing."""
    share = history.evidence("train", "features_constant")
    if not share >= _MOST:
        return None
    return Cause(
        "features-constant",
        f"The features of {share:.0%} of the utterances looked at do not change over time "
        "(standard deviation below 0.0001).",
        "Look at the front-end: its scale, clipping and normalisation.",
        history.step,
    )


def empty_transcripts(history: RunHistory) -> Cause | None:
    """Utterances whose target is empty teach the network to print blanks."""
    share = _share(history, "empty")
    if share < _SOME:
        return None
    return Cause(
        "empty-transcripts",
        f"{share:.0%} of the utterances looked at have no target at all.",
        "Leave them out, or find out where their texts were lost.",
        history.step,
    )


def labels_shifted(history: RunHistory) -> Cause | None:
    """The targets are the text's numbers plus or minus one."""
    share = _share(history, "shifted")
    if share < _MOST:
        return None
    return Cause(
        "labels-shifted",
        f"{share:.0%} of the targets spell their text only when one is added to (or taken from) every label.",
        "Number the symbols from 1 with the blank at 0, in the targets as in the decoder.",
        history.step,
    )


def padding_counted(history: RunHistory) -> Cause | None:
    """Target lengths that include padding make the network print it."""
    share = _share(history, "padded")
    if share < 0.2:
        return None
    return Cause(
        "target-lengths-count-padding",
        f"{share:.0%} of the targets are their text followed by one symbol again and again.",
        "Pass the number of labels of each text, not the width of the padded tensor.",
        history.step,
    )


def outside_alphabet(history: RunHistory) -> Cause | None:
    """Characters that the alphabet does not have are dropped from the targets."""
    share = _share(history, "outside_alphabet")
    if share < 0.1:
        lost = [
            e
            for e in history.events
            if e.get("what") == "unreadable" and "in the alphabet" in str(e.get("message"))
        ]
        if not lost or history.steps:
            return None
        return Cause(
            "transcripts-outside-alphabet",
            f"No text can be written: {_first(lost[0])}.",
            "Use the texts' own case and characters in the alphabet.",
            history.step,
        )
    return Cause(
        "transcripts-outside-alphabet",
        f"{share:.0%} of the characters of the texts are not in the alphabet and were dropped.",
        "Use the texts' own case and characters in the alphabet, or normalise the texts.",
        history.step,
    )


def wrong_sample_rate(history: RunHistory) -> Cause | None:
    """Speech that is too fast and too high (or too slow and too low), or that differs so between training and dev."""
    facts = []
    for part in ("train", "dev"):
        pitch, spoken = (
            history.evidence(part, "pitch_hz"),
            history.evidence(part, "labels") / max(history.evidence(part, "active_s"), 1e-3),
        )
        if pitch > 300 or pitch < 60 or (pitch > 250 and spoken > 22):
            facts.append(
                (
                    LIKELY,
                    f"the median pitch of the {part} part is {pitch:.0f} Hz (grown-up voices have 60 to 300), "
                    f"at {spoken:.0f} symbols per second of sound",
                )
            )
    one, two = history.evidence("train", "pitch_hz"), history.evidence("dev", "pitch_hz")
    if not facts and (one / two > 1.8 or two / one > 1.8) and history.best_cer > RELEASED:
        facts.append(
            (
                LIKELY,
                f"the median pitch is {one:.0f} Hz in training and {two:.0f} Hz in the dev part",
            )
        )
    if not facts:
        return None
    confidence = STRONG if history.best_cer > RELEASED and len(facts) > 1 else facts[0][0]
    text = "; ".join(text for _, text in facts)
    return Cause(
        "wrong-sample-rate",
        text[0].upper() + text[1:] + ".",
        "Compare the rate in the files' headers with the rate at which they were recorded, and listen to one.",
        history.step,
        min(FACT, confidence),
    )


def _first(event: object) -> str:
    message = str(event.get("message", "")) if isinstance(event, dict) else ""
    return message[:160].rstrip(". ")
