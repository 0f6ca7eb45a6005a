"""Findings in the sound: files that cannot be used, and signals that nobody should learn from."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ctcasr.batch import Utterance
from ctcasr.doctor.finding import Finding, Severity, graded, lines_of
from ctcasr.doctor.listen import SignalStats, Sound
from ctcasr.scoring.figures import agreeing, percent, plural

SILENT = 10 ** (-70 / 20)  # a peak below -70 dBFS: ten steps of 16 bits

_QUIET = 10 ** (-50 / 20)  # an effective value below -50 dBFS
_SHORT_S = 0.1  # seconds that a line may end before its file does
_CANCELLED = 0.01  # of the channels' power is left in their mean
_FLAT = 0.005  # of the samples on flat tops
_OFFSET = 0.01  # of full scale,
_OFFSET_OF_RMS = 0.2  # and of the effective value

Normalise = Callable[[str], str]


@dataclass(frozen=True)
class _FileTrouble:
    slug: str
    what: str
    cure: str


_FILE_TROUBLES = (
    _FileTrouble(
        "missing-file",
        "have no file",
        "correct the paths (they start at the manifest's folder) or delete the lines",
    ),
    _FileTrouble(
        "empty-file",
        "have a file of 0 bytes",
        "copy or convert the files again, or delete the lines",
    ),
    _FileTrouble(
        "unreadable-file",
        "have a file that cannot be decoded (truncated, or no sound)",
        "convert the files again, or delete the lines",
    ),
    _FileTrouble(
        "no-video",
        "have no video that can be read, which a lip reader learns from",
        "correct video_filepath, or delete the lines",
    ),
    _FileTrouble(
        "not-finite",
        "have samples that are NaN or infinite",
        "convert the files again; a division by a peak of 0 writes such samples",
    ),
    _FileTrouble(
        "cancelled-channels",
        "have channels that cancel each other",
        "turn the sign of one channel (a balanced cable was read as stereo), or keep one channel",
    ),
    _FileTrouble(
        "duration-beyond-file",
        "reach beyond the end of their file",
        "correct offset and duration, or replace the truncated files",
    ),
    _FileTrouble(
        "no-duration",
        "say that they last no time",
        "correct the durations, or take them out: then the whole file is heard",
    ),
)


def in_files(sounds: Sequence[Sound]) -> list[Finding]:
    """Lines whose sound cannot be used at all: errors, since each can be corrected or deleted."""
    findings = []
    for trouble in _FILE_TROUBLES:
        useless = [sound for sound in sounds if sound.trouble == trouble.slug]
        if useless:
            count = len(useless)
            findings.append(
                Finding(
                    trouble.slug,
                    "error",
                    f"{plural(count, 'line', trouble.what)}, as {useless[0].reason}",
                    trouble.cure,
                    lines_of(sound.utterance for sound in useless),
                    {"count": count},
                )
            )
    return [*findings, *_unheard(sounds)]


def _unheard(sounds: Sequence[Sound]) -> list[Finding]:
    """Lines of a lip reader's corpus whose pictures can be used, and whose sound cannot."""
    unheard = [sound for sound in sounds if sound.unheard]
    if not unheard:
        return []
    what = plural(len(unheard), "line", "have no sound that can be heard")
    return [
        Finding(
            "unheard-sound",
            "note",
            f"{what}, as {unheard[0].unheard}",
            "nothing to do: a lip reader learns from the pictures",
            lines_of(sound.utterance for sound in unheard),
            {"count": len(unheard)},
        )
    ]


def in_durations(sounds: Sequence[Sound]) -> list[Finding]:
    """Lines that say less than their file holds, where no other line has the rest."""
    files = [sound.utterance.audio_filepath.resolve() for sound in sounds]  # links have one file
    uses = Counter(files)
    missing_s = {}
    for index, sound in enumerate(sounds):
        alone = uses[files[index]] == 1 and not sound.utterance.offset
        if alone and _missing_s(sound) > _SHORT_S:
            missing_s[index] = _missing_s(sound)
    if not missing_s:
        return []
    worst = max(missing_s, key=lambda index: missing_s[index])
    utterance = sounds[worst].utterance
    said_s = utterance.duration or 0.0
    return [
        Finding(
            "duration-short-of-file",
            "warning",
            f"{plural(len(missing_s), 'line', 'end')} before the file does: "
            f"{utterance.audio_filepath.name} lasts {said_s + missing_s[worst]:.3f} s, the "
            f"manifest says {said_s:.3f} s, and the rest is never heard",
            "correct the durations, if the text is that of the whole file",
            lines_of(sounds[index].utterance for index in missing_s),
            {"count": len(missing_s), "most_missing_s": missing_s[worst]},
        )
    ]


def _missing_s(sound: Sound) -> float:
    """Seconds of the file beyond the line's duration; 0 where it has none, or cannot be used."""
    duration_s = sound.utterance.duration
    if sound.trouble or sound.info is None or duration_s is None:
        return 0.0
    return sound.info.duration_s - duration_s


def in_formats(sounds: Sequence[Sound], rate_hz: int) -> list[Finding]:
    """Sample rates and channels: mixed ones, and rates below the network's."""
    usable = [sound for sound in sounds if sound.info is not None and not sound.trouble]
    return [*_rates(usable, rate_hz), *_channels(usable)]


def _rates(usable: Sequence[Sound], network_hz: int) -> list[Finding]:
    """Several sample rates, or one below the network's."""
    rates = Counter(_rate_hz(sound) for sound in usable)
    if not rates:
        return []
    if len(rates) == 1:
        return _upsampled(next(iter(rates)), network_hz)
    common_hz = rates.most_common(1)[0][0]
    unlike = [sound for sound in usable if _rate_hz(sound) != common_hz]
    listed = ", ".join(f"{count} at {hz} Hz" for hz, count in rates.most_common())
    return [
        Finding(
            "mixed-rates",
            "warning",
            f"the files have several sample rates: {listed}",
            "nothing is lost where all speakers have all rates; otherwise convert every file to "
            f"{min(rates)} Hz, or the network learns the rate",
            lines_of(sound.utterance for sound in unlike),
            {str(hz): count for hz, count in rates.items()},
        )
    ]


def _rate_hz(sound: Sound) -> int:
    return sound.info.rate_hz if sound.info is not None else 0


def _upsampled(file_hz: int, network_hz: int) -> list[Finding]:
    """All files have a lower rate than the network hears."""
    if file_hz >= network_hz:
        return []
    return [
        Finding(
            "upsampled",
            "note",
            f"every file has {file_hz} Hz and the network hears {network_hz} Hz: "
            f"above {file_hz / 2:g} Hz there is nothing to hear",
            f"use a spec with rate_hz = {file_hz}, which is also faster",
            (),
            {"rate_hz": file_hz, "network_hz": network_hz},
        )
    ]


def _channels(usable: Sequence[Sound]) -> list[Finding]:
    """Files with more than one channel."""
    several = [sound for sound in usable if sound.info is not None and sound.info.channels > 1]
    if not several:
        return []
    every = len(several) == len(usable)
    return [
        Finding(
            "several-channels",
            "note",
            f"{plural(len(several), 'file')} of {len(usable)} {agreeing(len(several), 'have')} "
            "more than one channel; the mean of them is heard",
            "nothing to do, unless the channels are different talkers",
            () if every else lines_of(sound.utterance for sound in several),
            {"count": len(several)},
        )
    ]


@dataclass(frozen=True)
class _SignalFault:
    """A fault of a signal: how it is found, how it is told, and whether training suffers."""

    slug: str
    has: Callable[[SignalStats], bool]
    what: Callable[[SignalStats], str]
    cure: str
    hurts: bool = True

    def severity(self, count: int, total: int) -> Severity:
        """A grade lower where training does not suffer."""
        severity = graded(count, total)
        if self.hurts:
            return severity
        return "warning" if severity == "error" else "note"


def _is_silent(signal: SignalStats) -> bool:
    return signal.peak < SILENT and signal.kept > _CANCELLED


def _level(signal: SignalStats) -> str:
    peak = f"{20 * math.log10(signal.peak):.0f} dBFS" if signal.peak else "0"
    return f"are silent, as one with a peak of {peak}"


def _is_quiet(signal: SignalStats) -> bool:
    return signal.rms < _QUIET and signal.peak >= SILENT and signal.kept > _CANCELLED


def _loudness(signal: SignalStats) -> str:
    level = f"{20 * math.log10(signal.rms):.0f} dBFS" if signal.rms else "0"
    return f"are quiet, as one with an effective value of {level}"


def _has_offset(signal: SignalStats) -> bool:
    audible = signal.peak >= SILENT
    return audible and abs(signal.dc) > _OFFSET and abs(signal.dc) > _OFFSET_OF_RMS * signal.rms


def _is_constant(signal: SignalStats) -> bool:
    if signal.changing is None or signal.peak < SILENT or signal.kept < _CANCELLED:
        return False
    return not signal.changing.any()


_SIGNAL_FAULTS = (
    _SignalFault("silent", _is_silent, _level, "delete the lines, or record them again"),
    _SignalFault(
        "quiet",
        _is_quiet,
        _loudness,
        "nothing to do where front.floor_db is above 0, as in the default network; otherwise raise "
        "their gain: an absolute floor of the features hides half of them",
        hurts=False,
    ),
    _SignalFault(
        "cancelled-channels",
        lambda signal: signal.kept < _CANCELLED,
        lambda signal: (
            f"have channels that cancel each other: of the power, {signal.kept:.1e} is left in "
            "their mean"
        ),
        "turn the sign of one channel (a balanced cable was read as stereo), or keep one channel",
    ),
    _SignalFault(
        "clipped",
        lambda signal: signal.flat > _FLAT,
        lambda signal: (
            f"are clipped, as one with {percent(signal.flat, 1)} of its samples on flat tops"
        ),
        "record with less gain; recognition survives some clipping, so keep the lines if there are "
        "few",
        hurts=False,
    ),
    _SignalFault(
        "dc-offset",
        _has_offset,
        lambda signal: f"have a DC offset, as one with a mean of {signal.dc:+.3f}",
        "subtract the mean, or set low_hz of the features to 20 Hz or more",
        hurts=False,
    ),
    _SignalFault(
        "constant-features",
        _is_constant,
        lambda signal: (
            "have features that do not change over time: a hum, a tone or an offset, but no speech"
        ),
        "listen to them, and delete the lines",
    ),
)


def in_signals(sounds: Sequence[Sound]) -> list[Finding]:
    """Silence, cancelled channels, clipping, offsets, and features that never change.

    Among the sounds that somebody listened to.
    """
    listened = [sound for sound in sounds if sound.signal is not None]
    findings = []
    for fault in _SIGNAL_FAULTS:
        faulty = [sound for sound in listened if sound.signal and fault.has(sound.signal)]
        if not faulty:
            continue
        first = faulty[0]
        assert first.signal is not None
        what = fault.what(first.signal)
        findings.append(
            Finding(
                fault.slug,
                fault.severity(len(faulty), len(listened)),
                f"{plural(len(faulty), 'line', what)} ({first.utterance.id})",
                fault.cure,
                lines_of(sound.utterance for sound in faulty),
                {"count": len(faulty), "of": len(listened)},
            )
        )
    signals = [sound.signal for sound in listened if sound.signal]
    return [*findings, *_dead_features(signals)]


def _dead_features(signals: Sequence[SignalStats]) -> list[Finding]:
    """Features that change in no utterance at all, although others do."""
    rows = [signal.changing for signal in signals if signal.changing is not None]
    alive = np.any(rows, axis=0) if rows else np.ones(1, bool)
    if alive.all() or not alive.any():
        return []
    dead = np.flatnonzero(~alive)
    return [
        Finding(
            "dead-features",
            "warning",
            f"{len(dead)} of {len(alive)} features change in none of {len(rows)} utterances "
            f"(the first is number {dead[0]}): nothing is there to hear",
            "use fewer bands, a lower rate_hz or a higher low_hz",
            (),
            {"dead": dead.tolist(), "of": len(alive), "utterances": len(rows)},
        )
    ]


def doubles(sounds: Sequence[Sound], normalise: Normalise) -> list[Finding]:
    """Sound that is in the manifest twice: with the same text, or with contradictory ones."""
    by_content: dict[bytes, list[Sound]] = defaultdict(list)
    for sound in sounds:
        if sound.signal is not None and sound.signal.peak >= SILENT:
            by_content[sound.signal.digest].append(sound)
    copies: list[list[Sound]] = []
    contradictions: list[list[_Said]] = []
    for group in by_content.values():
        if len(group) < 2:
            continue
        said = [_Said(sound.utterance, _text(sound, normalise)) for sound in group]
        with_text = [one for one in said if one.text]
        if len({one.text for one in with_text}) <= 1:
            copies.append(group)
        else:
            contradictions.append(with_text)
    findings = []
    if contradictions:
        findings.append(_contradictory(contradictions, len(sounds)))
    if copies:
        findings.append(_duplicate(copies))
    return findings


class _Said(NamedTuple):
    """An utterance, and its text by which it is told whether others say the same."""

    utterance: Utterance
    text: str


def _text(sound: Sound, normalise: Normalise) -> str:
    """The text as it is learnt; as it stands where nothing of it is; empty where there is none."""
    written = sound.utterance.text or ""
    return normalise(written) or written.strip()


def _contradictory(groups: Sequence[Sequence[_Said]], total: int) -> Finding:
    first = groups[0][0].utterance
    others = [said.utterance for said in groups[0] if said.text != groups[0][0].text]
    lines = lines_of(said.utterance for group in groups for said in group)
    return Finding(
        "contradictory-audio",
        graded(len(lines), total),
        f"{plural(len(groups), 'recording', 'occur')} with different texts: {first.id} says "
        f"{first.text!r}, and the same sound ({others[0].id}) says {others[0].text!r}",
        "find out which text is right and delete the others",
        lines,
        {"recordings": len(groups)},
    )


def _duplicate(groups: Sequence[Sequence[Sound]]) -> Finding:
    named = " = ".join(sound.utterance.id for sound in groups[0][:3])
    lines = lines_of(sound.utterance for group in groups for sound in group)
    return Finding(
        "duplicate-audio",
        "note",
        f"{plural(len(groups), 'recording')} found more than once with the same text "
        f"({named}), to count double",
        "delete the copies",
        lines,
        {"recordings": len(groups), "copies": len(lines) - len(groups)},
    )
