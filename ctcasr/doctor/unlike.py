"""Findings by comparison: recordings that do not sound like their neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctcasr.doctor.finding import Finding, Severity, lines_of
from ctcasr.doctor.listen import Sound
from ctcasr.doctor.speech import SpeechStats
from ctcasr.scoring.figures import plural

_LEAST_LINES = 20  # from which on there are neighbours to be compared with
_LEAST_OF_SPEAKER = 12  # lines, from which on a speaker is compared with himself
_NORMAL = 1.4826  # standard deviation over the median absolute deviation of normal numbers
_MOST = 0.25  # of the lines: what so many have is the way of the corpus

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Oddity:
    """A way to be unlike the others: a number, its sign, and from where on it is too far away.

    `robust` standard deviations and `least`, in the number's own unit, from the median; `beyond`:
    what the number itself must be above (below, where `sign` is negative).
    """

    slug: str
    severity: Severity
    number: Callable[[SpeechStats], float]
    sign: int
    robust: float
    least: float
    what: str
    cure: str
    own_speaker: bool = False  # compared with lines of the same speaker, where there are enough
    beyond: float | None = None


_LISTEN = "listen to them; delete what is no use, or record it again"

_ODDITIES = (
    _Oddity(
        "pure-tone",
        "warning",
        lambda stats: stats.tone_s,
        1,
        4.0,
        0.15,
        "hold a pure tone (a beep, a whistle)",
        "cut it out, or delete the lines",
        beyond=0.15,
    ),
    _Oddity(
        "echo",
        "note",
        lambda stats: np.log(max(stats.echo, 1e-3)),
        1,
        4.0,
        0.9,
        "hold the same sound twice, a moment apart (an echo, or a loop)",
        "listen to them: two channels or two microphones may have been mixed",
        beyond=np.log(30.0),
    ),
    _Oddity(
        "lost-packets",
        "note",
        lambda stats: stats.zeros,
        1,
        5.0,
        0.08,
        "hold more exact silence than the others",
        "look for lost packets, gates, and recordings that end early",
    ),
    _Oddity(
        "coarse-steps",
        "warning",
        lambda stats: np.log2(max(stats.step, 1.0)),
        1,
        4.0,
        3.5,
        "have been stored with fewer bits than the others",
        "convert them again from the originals",
        beyond=4.5,
    ),
    _Oddity(
        "clicks",
        "warning",
        lambda stats: stats.clicks,
        1,
        5.0,
        2.0,
        "hold clicks: single samples far from their neighbours",
        "convert them again from the originals, or filter them (a median of three)",
    ),
    _Oddity(
        "begins-inside",
        "note",
        lambda stats: stats.front,
        -1,
        3.5,
        0.1,
        "begin in the middle of speech, as the others do not",
        "listen to their beginnings: offsets may be late",
    ),
    _Oddity(
        "hum",
        "warning",
        lambda stats: stats.hum,
        1,
        3.5,
        10.0,
        "hold a hum that the others do not",
        "a high-pass filter, or low_hz of the features above the hum",
    ),
    _Oddity(
        "narrow-band",
        "warning",
        lambda stats: stats.bands[-1],
        -1,
        3.5,
        9.0,
        "hold nothing high, as over a telephone",
        "if the task is wide-band speech, train with both, or leave them out",
    ),
    _Oddity(
        "narrow-band",
        "warning",
        lambda stats: stats.bands[0],
        -1,
        4.0,
        14.0,
        "hold nothing low, as over a telephone",
        "if the task is wide-band speech, train with both, or leave them out",
    ),
    _Oddity(
        "noisy",
        "note",
        lambda stats: stats.dynamics,
        -1,
        3.0,
        8.0,
        "have less between the loudest and quietest moments: noise, or several voices",
        _LISTEN,
    ),
    _Oddity(
        "noisy",
        "note",
        lambda stats: stats.flatness,
        1,
        3.5,
        4.0,
        "have a flatter spectrum than the others: noise, or clicks",
        _LISTEN,
    ),
    _Oddity(
        "other-level",
        "note",
        lambda stats: stats.level,
        -1,
        4.0,
        18.0,
        "are far quieter than the others",
        "nothing to do where front.floor_db is above 0; otherwise raise their gain",
        own_speaker=True,
    ),
    _Oddity(
        "no-voice",
        "warning",
        lambda stats: stats.voiced,
        -1,
        3.5,
        0.3,
        "hold no voice: noise, or whispering",
        _LISTEN,
        beyond=0.2,
    ),
    _Oddity(
        "backwards",
        "note",
        lambda stats: stats.attack,
        -1,
        2.0,
        0.6,
        "rise slowly and fall fast, as speech that runs backwards or in a large room",
        "listen to some of them",
        beyond=0.0,
    ),
    _Oddity(
        "other-pitch",
        "note",
        lambda stats: stats.pitch,
        1,
        3.0,
        0.25,
        "have a higher pitch than the same speaker otherwise has",
        "compare the rate in the files' headers with that of the recording",
        own_speaker=True,
    ),
    _Oddity(
        "other-pitch",
        "note",
        lambda stats: stats.pitch,
        -1,
        3.0,
        0.25,
        "have a lower pitch than the same speaker otherwise has",
        "compare the rate in the files' headers with that of the recording",
        own_speaker=True,
    ),
)


COMPARISONS = frozenset({oddity.slug for oddity in _ODDITIES} | {"other-length", "unlike-others"})
"""Every finding that comes of comparing recordings with their neighbours."""


def unlike_others(sounds: Sequence[Sound]) -> list[Finding]:
    """Recordings that do not sound like their neighbours, each way of it by itself.

    Neighbours are all lines, or those of the same speaker where level or pitch is compared. What a
    quarter of the lines have is the way of the corpus. Of fewer than twenty nothing is said.
    """
    heard = [sound for sound in sounds if sound.signal is not None and sound.signal.speech]
    if len(heard) < _LEAST_LINES:
        return []
    by_slug: dict[str, list[tuple[_Oddity, list[Sound]]]] = defaultdict(list)
    for oddity in _ODDITIES:
        odd = _odd(heard, oddity)
        if odd and len(odd) <= _MOST * len(heard):
            by_slug[oddity.slug].append((oddity, odd))
    other_lengths = _other_lengths(heard)
    if other_lengths:
        by_slug["other-length"].append((_LENGTH, other_lengths))
    odd_spectra = _odd_spectra(heard)
    if odd_spectra and len(odd_spectra) <= _MOST * len(heard):
        by_slug["unlike-others"].append((_SPECTRUM, odd_spectra))
    return [_finding(ways, len(heard)) for ways in by_slug.values()]


def _finding(ways: Sequence[tuple[_Oddity, Sequence[Sound]]], total: int) -> Finding:
    """One finding of all the ways that have one name."""
    oddity = ways[0][0]
    utterances = {sound.utterance.where: sound.utterance for _, odd in ways for sound in odd}
    first = next(iter(utterances.values()))
    what = " or ".join(way.what for way, _ in ways)
    return Finding(
        oddity.slug,
        oddity.severity,
        f"{plural(len(utterances), 'line', what)} ({first.id})",
        oddity.cure,
        lines_of(utterances.values()),
        {"count": len(utterances), "of": total},
    )


def _odd(heard: Sequence[Sound], oddity: _Oddity) -> list[Sound]:
    """The sounds that are odd in one way."""
    values = np.array([oddity.number(_speech(sound)) for sound in heard])
    groups = _groups(heard) if oddity.own_speaker else [np.arange(len(heard))]
    odd: list[Sound] = []
    for group in groups:
        own = values[group]
        if not np.isfinite(own).any():  # nobody has a voice
            continue
        away = oddity.sign * (own - np.nanmedian(own))
        deviation = _NORMAL * float(np.nanmedian(np.abs(away)))
        far = (away > oddity.least) & (away > oddity.robust * deviation)
        if oddity.beyond is not None:
            far &= oddity.sign * own > oddity.sign * oddity.beyond
        odd.extend(heard[place] for place in group[far])
    return odd


def _speech(sound: Sound) -> SpeechStats:
    assert sound.signal is not None and sound.signal.speech is not None
    return sound.signal.speech


def _groups(heard: Sequence[Sound]) -> list[Values]:
    """Places of the lines of each speaker who has enough, and of all others together."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, sound in enumerate(heard):
        places[sound.utterance.speaker or ""].append(place)
    groups = []
    rest: list[int] = []
    for speaker, own in places.items():
        if speaker and len(own) >= _LEAST_OF_SPEAKER:
            groups.append(np.array(own))
        else:
            rest.extend(own)
    if len(rest) >= _LEAST_OF_SPEAKER:
        groups.append(np.array(rest))
    return groups


_LENGTH = _Oddity(
    "other-length",
    "note",
    lambda stats: stats.seconds,
    1,
    0.0,
    0.02,
    "are longer or shorter than nearly all others, which have one length",
    "look for recordings that were cut, or read at another rate",
)
_NEARLY_ALL = 0.85


def _other_lengths(heard: Sequence[Sound]) -> list[Sound]:
    """The sounds of another length, where nearly all have the same."""
    seconds = np.array([_speech(sound).seconds for sound in heard])
    other = np.abs(seconds - np.median(seconds)) > _LENGTH.least
    if other.mean() > 1 - _NEARLY_ALL:
        return []
    return [sound for sound, is_other in zip(heard, other.tolist(), strict=True) if is_other]


_SPECTRUM = _Oddity(
    "unlike-others",
    "note",
    lambda stats: 0.0,
    1,
    4.5,
    0.0,
    "have a spectrum like none of the others: music, another channel, no speech",
    _LISTEN,
)
_LEAST_SPREAD_DB = 1.5


def _odd_spectra(heard: Sequence[Sound]) -> list[Sound]:
    """The sounds whose levels by band are far from everybody's, all bands together."""
    bands = np.array([_speech(sound).bands for sound in heard])
    away = bands - np.median(bands, axis=0)
    spread = np.maximum(_NORMAL * np.median(np.abs(away), axis=0), _LEAST_SPREAD_DB)
    distance = np.sqrt(np.mean((away / spread) ** 2, axis=1))
    centre = np.median(distance)
    deviation = max(_NORMAL * float(np.median(np.abs(distance - centre))), 0.15)
    far = distance > centre + _SPECTRUM.robust * deviation
    return [sound for sound, is_far in zip(heard, far.tolist(), strict=True) if is_far]
