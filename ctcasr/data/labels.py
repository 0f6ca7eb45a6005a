"""Classes of labelled utterances, and what training and test parts may not share."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ctcasr.batch import Skip, Utterance
from ctcasr.data.audio import AudioError, audio_info, read_audio

# File names of collections whose clips are cut from longer recordings: what names the recording.
_SOURCES = (
    re.compile(r"\d-(\d+)-[A-Z](?:-\d+)?"),  # ESC: fold-SOURCE-take-class
    re.compile(r"(\d+)-\d+-\d+-\d+"),
)  # UrbanSound8K: SOURCE-class-occurrence-slice


class LeakError(ValueError):
    """Training and test parts that share recordings; names them."""


def classes_of(utterances: Iterable[Utterance]) -> tuple[str, ...]:
    """The labels that occur, sorted; ValueError where a line has none, or where there is one class only."""
    names: set[str] = set()
    for utterance in utterances:
        if not utterance.label or not utterance.label.strip():
            raise ValueError(
                f"{utterance.where or utterance.id}: expected a label; the line has none"
            )
        names.add(utterance.label)
    if len(names) < 2:
        raise ValueError(
            f"expected two classes or more to tell apart; got {sorted(names) or 'no utterance'}"
        )
    return tuple(sorted(names))


def count_classes(
    utterances: Iterable[Utterance], classes: Sequence[str], unread: Iterable[Skip] = ()
) -> dict[str, int]:
    """How many utterances each class has, without those that could not be read; ValueError for a class that has none."""
    counts, lost = dict.fromkeys(classes, 0), {skip.where: skip for skip in unread}
    for utterance in utterances:
        if utterance.label in counts and (utterance.where or utterance.id) not in lost:
            counts[utterance.label] += 1
    if empty := [name for name, count in counts.items() if not count]:
        reason = f"; {len(lost)} could not be read, as {next(iter(lost.values()))}" if lost else ""
        raise ValueError(
            f"expected utterances of every class to learn from; there is none of {', '.join(map(repr, empty))}{reason}"
        )
    return counts


def source_of(utterance: Utterance) -> str | None:
    """What recording a clip is cut from: the line's `source`, or what the file names of ESC and UrbanSound8K say; None: unknown."""
    if isinstance(source := utterance.extra.get("source"), str | int):
        return str(source)
    found = (pattern.fullmatch(utterance.audio_filepath.stem) for pattern in _SOURCES)
    return next((match[1] for match in found if match), None)


@dataclass(frozen=True)
class Leak:
    """Utterances of two parts that share something."""

    what: str
    train: tuple[Utterance, ...]
    test: tuple[Utterance, ...]

    def __str__(self) -> str:
        names = [
            ", ".join(u.where or u.id for u in part[:3]) + (" ..." if len(part) > 3 else "")
            for part in (self.train, self.test)
        ]
        return f"{self.what}: {names[0]} (train) and {names[1]} (test)"


def find_leaks(
    train: Sequence[Utterance], test: Sequence[Utterance], listen: bool = True
) -> list[Leak]:
    """Files, source recordings and (where `listen`) sounds that both parts hold; each utterance is told once."""
    if not train or not test:
        return []
    leaks: list[Leak] = []
    told: set[int] = set()
    keys: list[tuple[str, Callable[[Utterance], Hashable]]] = [
        ("the same file", lambda u: (u.audio_filepath.resolve(), u.offset)),
        ("the same source recording", source_of),
    ]
    if listen:
        keys.append(("the same sound", digest))
    for what, key in keys:
        sides: tuple[dict[Hashable, list[Utterance]], ...] = (defaultdict(list), defaultdict(list))
        for side, part in zip(sides, (train, test), strict=True):
            for utterance in part:
                if id(utterance) not in told and (name := key(utterance)) is not None:
                    side[name].append(utterance)
        for name in [name for name in sides[0] if name in sides[1]]:
            leaks.append(Leak(what, tuple(sides[0][name]), tuple(sides[1][name])))
            told.update(id(u) for side in sides for u in side[name])
    return leaks


def refuse_leaks(
    train: Sequence[Utterance], test: Sequence[Utterance], listen: bool = True
) -> None:
    """LeakError where the parts share a file, a source recording or (where `listen`) a sound."""
    if leaks := find_leaks(train, test, listen):
        shown = "".join(f"\n  {leak}" for leak in leaks[:10]) + (
            f"\n  ... and {len(leaks) - 10} more" if len(leaks) > 10 else ""
        )
        raise LeakError(
            f"train and test share {len(leaks)} recordings: what is scored there has been learnt. "
            f"Delete them from one part, or keep each recording's clips in one fold{shown}"
        )


def digest(utterance: Utterance) -> bytes | None:
    """A digest of the sound as it is heard (16 bits, own rate, silence at both ends left out); None: unreadable, or silent."""
    try:
        samples = read_audio(utterance, audio_info(utterance.audio_filepath).rate_hz)
    except AudioError:
        return None
    heard = np.round(samples.numpy() * 32767).astype(np.int16)
    loud = np.flatnonzero(np.abs(heard) > 1)
    return (
        hashlib.sha1(heard[loud[0] : loud[-1] + 1].tobytes(), usedforsecurity=False).digest()
        if len(loud)
        else None
    )
