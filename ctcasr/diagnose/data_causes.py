"""Causes that lie in the recordings, the texts and the features."""

from __future__ import annotations

import math

from ctcasr.diagnose.cause import FACT, LIKELY, Cause
from ctcasr.diagnose.history import RunHistory
from ctcasr.diagnose.share import NOTHING, Share, largest_share, share_of
from ctcasr.records import EventRecord, Reason
from ctcasr.scoring.figures import percent

# Shares of utterances from which on a defect hurts:
_MOST = 0.5
_SOME = 0.05
_SILENT = 0.1
_PADDED = 0.2  # of targets with one symbol again and again at their end
_LOST = 0.1  # of characters outside the alphabet
_LEAST_UNCOVERED = 5  # texts of which nothing can be written

# Median pitch of grown-up voices, in Hz:
_LOWEST_VOICE_HZ = 60
_HIGHEST_VOICE_HZ = 300
_HIGH_VOICE_HZ = 250  # too high together with more symbols a second than people speak:
_HURRIED = 22
_BOTH_RATIOS = 2.8  # of pitch and of symbols a second, multiplied: 4 where one part is read twice
_LEAST_RATIO = 1.5  # too fast; of each at least,
_LEAST_RATIO_WAITING = 1.3  # where nothing is understood
_UNLIKE_OCTAVES = 0.3  # shared by pitch and duration: six corpora have 0.2 or less, half of one at
_UNLIKE_ERRORS = 2.9  # twice or half the rate 0.4 and more
_SAME_MEASURE = 0.35  # octaves of pitch for one of duration; recordings that are cut short have 0.2
_UNLIKE_HEARD = 24  # recordings with a voice: of the first few, who speaks decides
_HEARD_ROWS = 8  # with a voice, without which parts are not compared
_LOW_VOICE_HZ = 85  # too low together with fewer symbols a second than people speak:
_DRAWLED = 8
_HALF_UNDERSTOOD = 0.5  # CER
_LISTENED = 16  # recordings, in which there is a voice if there are voices
_LEVELS_APART_DB = 15.0  # medians of training and dev part
_KNOWN = 0.7  # of the dev part's loss, that training utterances have
_TONE = 0.02  # spread of the pitch: what is steadier is a hum and no voice
_NO_PITCH = 2.0  # spread of what is no pitch but noise
_JUMPS = 0.22  # octaves from frame to frame: voices glide by 0.13 at most, noise jumps by 0.3

_FLOOR_CURE = "Take the logarithm above a floor, and look for NaN in the samples."
_ALPHABET_CURE = "Use the texts' own case and characters in the alphabet"


def audio_silent(history: RunHistory) -> Cause | None:
    """Nothing can be heard in many recordings."""
    silent = largest_share(history, "silent")
    constant = largest_share(history, "constant")
    worst = max(silent, constant, key=lambda share: share.value)
    if worst.value < _SILENT:
        return None
    what = "are silent (below -80 dB of full scale)"
    if constant.value > silent.value:
        what = "hold one constant value (an offset) and no sound"
    return Cause(
        "audio-silent",
        f"{worst} utterances {what}.",
        "Listen to a few files; look for the wrong channel, a scale of integers read as floats, "
        "or wrong offsets.",
        history.step,
    )


def features_not_finite(history: RunHistory) -> Cause | None:
    """NaN or infinity comes in, out of the front-end, or out of an untrained network."""
    samples = largest_share(history, "not_finite")
    if samples.count:
        return Cause(
            "features-not-finite",
            f"{samples} utterances hold samples that are NaN or infinite.",
            "Find the files (ctcasr doctor names them) and convert them again; a division by a "
            "peak of 0 writes such samples.",
            history.step,
        )
    finite = history.evidence("train", "features_finite")
    if finite < 1.0:
        return Cause(
            "features-not-finite",
            f"{percent(1 - finite, 1)} of the feature values are NaN or infinite.",
            _FLOOR_CURE,
            history.step,
        )
    early = history.events_of(Reason.LOSS_NOT_FINITE)
    before_any_step = [event for event in early if event.step == 0]
    if before_any_step and not (history.steps and history.learnt):
        return Cause(
            "features-not-finite",
            f"The loss was not finite in {len(before_any_step)} batches before a single step was "
            f"taken, so what goes in is not: {_words_of(before_any_step[0])}.",
            _FLOOR_CURE,
            history.step,
        )
    return None


def features_constant(history: RunHistory) -> Cause | None:
    """Features that do not change over time tell nothing."""
    share = history.evidence("train", "features_constant")
    heard = largest_share(history, "silent").value + largest_share(history, "constant").value
    if not share >= _MOST or heard >= _SILENT:  # of silence they cannot change
        return None
    return Cause(
        "features-constant",
        f"The features of {percent(share)} of the few utterances looked at do not change over time "
        "(standard deviation below 0.0001).",
        "Look at the front-end: its scale, clipping and normalisation.",
        history.step,
    )


def empty_transcripts(history: RunHistory) -> Cause | None:
    """Utterances whose target is empty teach the network to print blanks."""
    share = largest_share(history, "empty")
    if share.value < _SOME:
        return None
    return Cause(
        "empty-transcripts",
        f"{share} utterances have no target at all.",
        "Leave them out, or find out where their texts were lost.",
        history.step,
    )


def labels_shifted(history: RunHistory) -> Cause | None:
    """The targets are the text's numbers plus or minus one."""
    share = largest_share(history, "shifted")
    if share.value < _MOST:
        return None
    return Cause(
        "labels-shifted",
        f"{share} targets spell their text only when one is added to (or taken from) every label.",
        "Number the symbols from 1 with the blank at 0, in the targets as in the decoder.",
        history.step,
    )


def padding_counted(history: RunHistory) -> Cause | None:
    """Target lengths that include padding make the network print it."""
    share = largest_share(history, "padded")
    if share.value < _PADDED:
        return None
    return Cause(
        "target-lengths-count-padding",
        f"{share} targets are their text followed by one symbol again and again.",
        "Pass the number of labels of each text, not the width of the padded tensor.",
        history.step,
    )


def outside_alphabet(history: RunHistory) -> Cause | None:
    """Characters that the alphabet does not have are dropped from the targets."""
    lost = largest_share(history, "uncovered")
    if lost is NOTHING:  # of a run that recorded shares only
        lost = largest_share(history, "outside_alphabet")
    if lost.value >= _LOST:
        return Cause(
            "transcripts-outside-alphabet",
            f"{percent(lost.value)} of the characters of the texts are not in the alphabet and "
            "were dropped.",
            f"{_ALPHABET_CURE}, or normalise the texts.",
            history.step,
        )
    uncovered = history.events_of(Reason.TEXT_UNCOVERED)
    if not uncovered:
        return None
    texts = sum(len(event.ids) for event in uncovered)
    nothing_learnt = not history.steps and history.step == 0
    if nothing_learnt and texts <= _LEAST_UNCOVERED:
        return Cause(
            "transcripts-outside-alphabet",
            f"No text can be written: {_words_of(uncovered[0])}.",
            f"{_ALPHABET_CURE}.",
            history.step,
        )
    rows = share_of(history, "train", "empty").total  # that were trained on
    share = Share(texts, texts + rows)
    if texts <= _LEAST_UNCOVERED or share.value < _SOME:
        return None
    amount = str(share) if rows else str(texts)
    return Cause(
        "transcripts-outside-alphabet",
        f"Of {amount} texts not one character is in the alphabet, so that their recordings are "
        f"left out: {_words_of(uncovered[0])}.",
        f"{_ALPHABET_CURE}.",
        history.step,
    )


def some_at_another_rate(history: RunHistory) -> Cause | None:
    """Some training recordings are read at another rate: shorter and higher, or longer and lower.

    Unlike another share of men or a hurried speaker, that moves pitch and duration together.
    """
    rows = history.evidence("train", "rate_rows")
    octaves = history.evidence("train", "rate_octaves")
    errors = history.evidence("train", "rate_errors")
    same_measure = history.evidence("train", "rate_measure") > _SAME_MEASURE
    enough = rows >= _UNLIKE_HEARD and errors > _UNLIKE_ERRORS
    if not (enough and octaves > _UNLIKE_OCTAVES and same_measure) or not has_voice(
        history, "train"
    ):
        return None
    return Cause(
        "wrong-sample-rate",
        f"Among the {rows:.0f} training recordings listened to, those of higher pitch are shorter "
        f"in the same measure: pitch and duration share {octaves:.2f} octaves ({errors:.0f} "
        "standard errors from none), which people's voices do not.",
        "Compare the rate in the files' headers with the rate at which they were recorded, file by "
        "file.",
        history.step,
        FACT - 0.01,
    )


def wrong_sample_rate(history: RunHistory) -> Cause | None:
    """Speech that is too fast and high, or too slow and low, or that differs so between parts."""
    waiting = not history.learnt
    facts = []
    for part in ("train", "dev"):
        facts.extend(_impossible_voice(history, part))
    both = len(facts) > 1
    if not facts:
        facts.extend(_speeds_differ(history, waiting))
    if not facts:
        return None
    text = "; ".join(facts)
    return Cause(
        "wrong-sample-rate",
        text[0].upper() + text[1:] + ".",
        "Compare the rate in the files' headers with the rate at which they were recorded, and "
        "listen to one.",
        history.step,
        FACT - 0.01 if both else LIKELY,
    )


def dev_unlike_train(history: RunHistory) -> Cause | None:
    """The dev part is recorded at another level than the training part, and is not understood."""
    train_db = history.evidence("train", "level_db")
    dev_db = history.evidence("dev", "level_db")
    apart_db = dev_db - train_db
    better_in_training = history.evidence("train", "nll") < _KNOWN * history.evidence("dev", "nll")
    if not (abs(apart_db) > _LEVELS_APART_DB and better_in_training):
        return None
    louder = "louder" if apart_db > 0 else "quieter"
    return Cause(
        "dev-unlike-train",
        f"The dev part is {abs(apart_db):.0f} dB {louder} than the training part (medians "
        f"{dev_db:.0f} and {train_db:.0f} dB of full scale), and its loss is "
        f"{history.evidence('dev', 'nll'):.1f} nats where training utterances have "
        f"{history.evidence('train', 'nll'):.1f}.",
        "Record or scale both alike, vary the level in training, or normalise each utterance.",
        history.step,
        LIKELY,
    )


def _impossible_voice(history: RunHistory, part: str) -> list[str]:
    """What is said where a part's voices are none that people have."""
    pitch_hz = history.evidence(part, "pitch_hz")
    symbols_per_s = _symbols_per_s(history, part)
    if not has_voice(history, part):
        return []
    too_high = pitch_hz > _HIGHEST_VOICE_HZ
    too_low = pitch_hz < _LOWEST_VOICE_HZ
    high_and_hurried = pitch_hz > _HIGH_VOICE_HZ and symbols_per_s > _HURRIED
    low_and_drawled = pitch_hz < _LOW_VOICE_HZ and symbols_per_s < _DRAWLED
    if not (too_high or too_low or high_and_hurried or low_and_drawled):
        return []
    return [
        f"the median pitch of the {part} part is {pitch_hz:.0f} Hz (grown-up voices have 60 to "
        f"300), at {symbols_per_s:.0f} symbols per second of sound"
    ]


def _speeds_differ(history: RunHistory, waiting: bool) -> list[str]:
    """What is said where one part is read faster than the other.

    Voices of another pitch may be other people; voices of another pitch and pace are not.
    """
    train_hz = history.evidence("train", "pitch_hz")
    dev_hz = history.evidence("dev", "pitch_hz")
    pitch_ratio = train_hz / max(dev_hz, 1.0)
    pace_ratio = _symbols_per_s(history, "train") / max(_symbols_per_s(history, "dev"), 1e-3)
    least = _LEAST_RATIO_WAITING if waiting else _LEAST_RATIO
    faster = min(pitch_ratio, pace_ratio) > least and pitch_ratio * pace_ratio > _BOTH_RATIOS
    slower = max(pitch_ratio, pace_ratio) < 1 / least
    slower = slower and pitch_ratio * pace_ratio < 1 / _BOTH_RATIOS
    few = history.evidence("train", "voices") < _HEARD_ROWS
    if few or not (faster or slower):
        return []
    return [
        f"the median pitch is {train_hz:.0f} Hz in training and {dev_hz:.0f} Hz in the dev part"
    ]


def _symbols_per_s(history: RunHistory, part: str) -> float:
    """Symbols of the texts per second in which something sounds."""
    active_s = max(history.evidence(part, "active_s"), 1e-3)
    labels = share_of(history, part, "labels")  # of the whole corpus, where they are counted
    if part in history.facts and labels.total:
        return labels.value / active_s
    return history.evidence(part, "labels") / active_s


def has_voice(history: RunHistory, part: str) -> bool:
    """Whether what was listened to in a part may be voices: not noise, nor a steady tone."""
    pitch_hz = history.evidence(part, "pitch_hz")
    spread = history.evidence(part, "pitch_spread")
    jumps = history.evidence(part, "pitch_jumps")
    return not (math.isnan(pitch_hz) or spread < _TONE or spread > _NO_PITCH or jumps > _JUMPS)


def no_voice(history: RunHistory) -> Cause | None:
    """Noise or a hum, but nobody's voice, in every recording that was listened to."""
    # How long a recording is tells something of its text: errors of two thirds are no hearing.
    understood = history.best_cer <= _HALF_UNDERSTOOD
    if understood or not history.evidence("dev", "rows") >= _LISTENED:
        return None
    for part in ("train", "dev"):
        silent = history.evidence(part, "silent") >= _SILENT
        unheard = history.raw(part, "pitch_hz") is None
        if has_voice(history, part) or silent or unheard:
            return None
    return Cause(
        "audio-without-voice",
        "There is sound in the recordings looked at, but nobody's voice: noise, or a steady tone.",
        "Listen to a few files: is there speech in them, on this channel and at these offsets?",
        history.step,
        LIKELY + 0.05,
    )


def _words_of(event: EventRecord) -> str:
    """The beginning of an event's message, for a sentence of ours."""
    return str(event.message)[:160].rstrip(". ")
