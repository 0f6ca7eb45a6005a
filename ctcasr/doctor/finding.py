"""A finding: what is wrong, how bad it is, on which lines, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ctcasr.batch import Skip, Utterance

Severity = Literal["error", "warning", "note"]

TOLERATED = 0.01  # share of the lines that may be spoilt before training is hurt

SLUGS = frozenset(
    {
        # lines and files
        "broken-line",
        "missing-file",
        "empty-file",
        "unreadable-file",
        "no-video",
        "not-finite",
        "no-duration",
        "unheard-sound",
        "duration-beyond-file",
        "duration-short-of-file",
        # texts
        "no-text",
        "missing-text",
        "empty-text",
        "uncovered-text",
        "uncovered-characters",
        "uncovered-signs",
        "mixed-case",
        "digits-and-words",
        "marks-in-texts",
        "closed-grammar",
        "repeated-text",
        "dominant-text",
        # frames and pace
        "too-few-frames",
        "too-fast",
        "strange-pace",
        # sound
        "mixed-rates",
        "upsampled",
        "several-channels",
        "cancelled-channels",
        "silent",
        "quiet",
        "constant-features",
        "dead-features",
        "clipped",
        "dc-offset",
        "contradictory-audio",
        "duplicate-audio",
        # sound and texts that are unlike their neighbours'
        "pure-tone",
        "echo",
        "lost-packets",
        "coarse-steps",
        "hum",
        "clicks",
        "begins-inside",
        "other-length",
        "narrow-band",
        "noisy",
        "other-level",
        "no-voice",
        "backwards",
        "other-pitch",
        "unlike-others",
        "text-twice",
        "odd-letters",
        "odd-wording",
        "odd-syllables",
        # words that were not said
        "doubted-words",
        "words-not-doubted",
        # between two manifests
        "shared-recordings",
        "shared-audio",
        "not-compared",
        "shared-speakers",
        "same-speakers",
        "shared-texts",
        "same-texts",
    }
)
"""Every finding there is; docs/doctor.md explains each."""


@dataclass(frozen=True)
class Finding:
    """One thing found in a manifest.

    An `error` hurts training, a `warning` may, a `note` is worth knowing.

    `lines` are those of the manifest, counted from 1; `figures` are plain numbers and texts for
    programs.

    Example:
        >>> finding = Finding("silent", "warning", "1 line is silent (u7)", "delete it", (7,))
        >>> finding.lines
        (7,)
    """

    slug: str
    severity: Severity
    message: str
    cure: str
    lines: tuple[int, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.slug in SLUGS, f"{self.slug}: add it to SLUGS and to docs/doctor.md"


def graded(count: int, total: int) -> Severity:
    """How bad it is that `count` of `total` lines are spoilt.

    An error where they are more than 1 %; a warning below: the trainer leaves those out, or
    survives them.

    Example:
        >>> graded(1, 1000), graded(11, 1000)
        ('warning', 'error')
    """
    return "error" if count > TOLERATED * total else "warning"


def line_of(entry: Utterance | Skip) -> int:
    """Number of the line in its manifest, from 1; 0 where it was not read from one."""
    number = entry.where.rpartition(":")[2]
    return int(number) if number.isdigit() else 0


def lines_of(entries: Iterable[Utterance | Skip]) -> tuple[int, ...]:
    """Numbers of the lines, ascending, each once."""
    return tuple(sorted({line_of(entry) for entry in entries}))
