"""Findings in the sound: files that cannot be used, and signals that a network should not learn from."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from ctcasr.doctor.finding import Finding, graded, lines_of, plural
from ctcasr.doctor.listen import Heard, Sound

SILENT = 10 ** (-70 / 20)  # a peak below -70 dBFS: ten steps of 16 bits
_FILES = {
    "missing-file": (
        "have no file",
        "correct the paths (they start at the manifest's folder) or delete the lines",
    ),
    "empty-file": (
        "have a file of 0 bytes",
        "copy or convert the files again, or delete the lines",
    ),
    "unreadable-file": (
        "have a file that cannot be decoded (truncated, or no sound)",
        "convert the files again, or delete the lines",
    ),
    "not-finite": (
        "have samples that are NaN or infinite",
        "convert the files again; a division by a peak of 0 writes such samples",
    ),
    "duration-beyond-file": (
        "reach beyond the end of their file",
        "correct offset and duration, or replace the truncated files",
    ),
}


def in_files(sounds: Sequence[Sound]) -> list[Finding]:
    """Lines whose sound cannot be used at all: errors, since each of them can be corrected or deleted."""
    found = []
    for slug, (what, cure) in _FILES.items():
        bad = [s for s in sounds if s.trouble == slug]
        if bad:
            message = f"{plural(len(bad), 'line')} {what}, as {bad[0].reason}"
            found.append(
                Finding(
                    slug,
                    "error",
                    message,
                    cure,
                    lines_of(s.utterance for s in bad),
                    {"count": len(bad)},
                )
            )
    return found


def in_durations(sounds: Sequence[Sound]) -> list[Finding]:
    """Lines that say less than their file holds, where no other line has the rest: the end would never be heard."""
    uses = Counter(s.utterance.audio_filepath for s in sounds)
    short = [
        s
        for s in sounds
        if s.info
        and not s.trouble
        and s.utterance.duration is not None
        and not s.utterance.offset
        and uses[s.utterance.audio_filepath] == 1
        and s.info.duration_s - s.utterance.duration > 0.1
    ]
    if not short:
        return []
    worst = max(
        short, key=lambda s: s.info.duration_s - (s.utterance.duration or 0.0) if s.info else 0.0
    )
    lasts_s = worst.info.duration_s if worst.info else 0.0
    message = (
        f"{plural(len(short), 'line')} end before the file does: {worst.utterance.audio_filepath.name} lasts {lasts_s:.3f} s, "
        f"the manifest says {worst.utterance.duration:.3f} s, and the rest is never heard"
    )
    cure = "correct the durations, if the text is that of the whole file"
    return [
        Finding(
            "duration-short-of-file",
            "warning",
            message,
            cure,
            lines_of(s.utterance for s in short),
            {"count": len(short), "most_missing_s": lasts_s - (worst.utterance.duration or 0.0)},
        )
    ]


def in_formats(sounds: Sequence[Sound], rate_hz: int) -> list[Finding]:
    """Sample rates and channels: mixed ones, and rates below the network's."""
    found = []
    usable = [s for s in sounds if s.info and not s.trouble]
    rates = Counter(s.info.rate_hz for s in usable if s.info)
    if len(rates) > 1:
        common = rates.most_common(1)[0][0]
        odd = [s for s in usable if s.info and s.info.rate_hz != common]
        listed = ", ".join(f"{n} at {hz} Hz" for hz, n in rates.most_common())
        found.append(
            Finding(
                "mixed-rates",
                "warning",
                f"the files have several sample rates: {listed}",
                f"nothing is lost where all speakers have all rates; otherwise convert every file to {min(rates)} Hz, or "
                "the network learns the rate",
                lines_of(s.utterance for s in odd),
                {str(hz): n for hz, n in rates.items()},
            )
        )
    elif rates and max(rates) < rate_hz:
        (own,) = rates
        found.append(
            Finding(
                "upsampled",
                "note",
                f"every file has {own} Hz and the network hears {rate_hz} Hz: "
                f"above {own / 2:g} Hz there is nothing to hear",
                f"use a spec with rate_hz = {own}, which is also faster",
                (),
                {"rate_hz": own, "network_hz": rate_hz},
            )
        )
    several = [s for s in usable if s.info and s.info.channels > 1]
    if several:
        found.append(
            Finding(
                "several-channels",
                "note",
                f"{plural(len(several), 'file')} of {len(usable)} have more than one channel; "
                "the mean of them is heard",
                "nothing to do, unless the channels are different talkers",
                () if len(several) == len(usable) else lines_of(s.utterance for s in several),
                {"count": len(several)},
            )
        )
    return found


def in_signals(sounds: Sequence[Sound], total: int) -> list[Finding]:
    """Silence, cancelled channels, clipping, DC and features that never change, among what was listened to."""
    heard = [(s, s.heard) for s in sounds if s.heard]
    found: list[Finding] = []

    def check(
        slug: str,
        bad: Callable[[Heard], bool],
        what: Callable[[Heard], str],
        cure: str,
        hurts: bool = True,
    ) -> None:
        those = [(s, h) for s, h in heard if bad(h)]
        if those:
            first, measured = those[0]
            message = f"{plural(len(those), 'line')} {what(measured)} ({first.utterance.id})"
            severity = graded(len(those), len(heard))
            if not hurts:
                severity = "warning" if severity == "error" else "note"
            found.append(
                Finding(
                    slug,
                    severity,
                    message,
                    cure,
                    lines_of(s.utterance for s, _ in those),
                    {"count": len(those), "of": len(heard)},
                )
            )

    check(
        "silent",
        lambda h: h.peak < SILENT and h.kept > 0.01,
        lambda h: (
            "are silent, as one with a peak of "
            + (f"{20 * math.log10(h.peak):.0f} dBFS" if h.peak else "0")
        ),
        "delete the lines, or record them again",
    )
    check(
        "cancelled-channels",
        lambda h: h.kept < 0.01,
        lambda h: (
            f"have channels that cancel each other: of the power, {h.kept:.1e} is left in their mean"
        ),
        "turn the sign of one channel (a balanced cable was read as stereo), or keep one channel",
    )
    check(
        "clipped",
        lambda h: h.flat > 0.005,
        lambda h: f"are clipped, as one with {100 * h.flat:.1f} % of its samples on flat tops",
        "record with less gain; recognition survives some clipping, so keep the lines if there are few",
        hurts=False,
    )
    check(
        "dc-offset",
        lambda h: abs(h.dc) > 0.01 and abs(h.dc) > 0.2 * h.rms and h.peak >= SILENT,
        lambda h: f"have a DC offset, as one with a mean of {h.dc:+.3f}",
        "subtract the mean, or set low_hz of the features to 20 Hz or more",
        hurts=False,
    )
    check(
        "constant-features",
        lambda h: (
            h.changing is not None and not h.changing.any() and h.peak >= SILENT and h.kept >= 0.01
        ),
        lambda h: (
            "have features that do not change over time: a hum, a tone or an offset, but no speech"
        ),
        "listen to them, and delete the lines",
    )
    return [*found, *_dead_features([h for _, h in heard], total)]


def _dead_features(heard: Sequence[Heard], total: int) -> list[Finding]:
    """Features that change in no utterance at all, although others do."""
    rows = [h.changing for h in heard if h.changing is not None]
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
            {"dead": dead.tolist(), "of": len(alive), "utterances": total},
        )
    ]


def doubles(sounds: Sequence[Sound], normalise: Callable[[str], str]) -> list[Finding]:
    """Sound that is in the manifest more than once: with the same text a note, with different texts a contradiction."""
    groups: dict[bytes, list[Sound]] = defaultdict(list)
    for s in sounds:
        if s.heard and s.heard.peak >= SILENT:
            groups[s.heard.digest].append(s)
    same: list[list[Sound]] = []
    torn: list[list[Sound]] = []
    for group in (g for g in groups.values() if len(g) > 1):
        texts = {normalise(s.utterance.text) for s in group if s.utterance.text is not None}
        (torn if len(texts) > 1 else same).append(group)
    found = []
    if torn:
        a, b = (
            torn[0][0].utterance,
            next(s.utterance for s in torn[0] if s.utterance.text != torn[0][0].utterance.text),
        )
        lines = lines_of(s.utterance for g in torn for s in g)
        found.append(
            Finding(
                "contradictory-audio",
                graded(len(lines), len(sounds)),
                f"{plural(len(torn), 'recording')} occur with different texts: {a.id} says {a.text!r}, and the same sound "
                f"({b.id}) says {b.text!r}",
                "find out which text is right and delete the others",
                lines,
                {"recordings": len(torn)},
            )
        )
    if same:
        lines = lines_of(s.utterance for g in same for s in g)
        named = " = ".join(s.utterance.id for s in same[0][:3])
        found.append(
            Finding(
                "duplicate-audio",
                "note",
                f"{plural(len(same), 'recording')} occur more than once with the same text "
                f"({named}); they count double",
                "delete the copies",
                lines,
                {"recordings": len(same), "copies": len(lines) - len(same)},
            )
        )
    return found
