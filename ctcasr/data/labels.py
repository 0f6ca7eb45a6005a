"""Classes of labelled utterances, and what training and test parts may not share."""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ctcasr.batch import Skip, Utterance
from ctcasr.data.audio import AudioError, audio_info, read_audio
from ctcasr.data.names import where_of

# File names of collections whose clips are cut from longer recordings: what names the recording.
_SOURCES = (
    re.compile(r"\d-(\d+)-[A-Z](?:-\d+)?"),  # ESC: fold-SOURCE-take-class
    re.compile(r"(\d+)-\d+-\d+-\d+"),  # UrbanSound8K: SOURCE-class-occurrence-slice
)
_FULL_SCALE = 32767  # that samples are multiplied by before they are compared
_ROUNDING_S = 0.002  # seconds are written with three digits: so much is shared by neighbours
_SHOWN_LEAKS = 10
_SHOWN_UTTERANCES = 3  # of either part, for each leak


class LeakError(ValueError):
    """Training and test parts that share recordings; names them."""


def classes_of(utterances: Iterable[Utterance]) -> tuple[str, ...]:
    """The labels that occur, sorted.

    Raises:
        ValueError: where a line has none, or where there is one class only.

    Example:
        >>> from pathlib import Path
        >>> clips = [Utterance(Path(f"{word}.wav"), label=word) for word in ("yes", "no", "yes")]
        >>> classes_of(clips)
        ('no', 'yes')
    """
    names: set[str] = set()
    for utterance in utterances:
        if not utterance.label or not utterance.label.strip():
            raise ValueError(f"{where_of(utterance)}: expected a label; the line has none")
        names.add(utterance.label)
    if len(names) < 2:
        raise ValueError(
            f"expected two classes or more to tell apart; got {sorted(names) or 'no utterance'}"
        )
    return tuple(sorted(names))


def chosen_classes(names: str, utterances: Iterable[Utterance]) -> list[str]:
    """The classes that are asked for by names with commas between, spaces around them aside.

    Raises:
        ValueError: for one that no utterance has.

    Example:
        >>> from pathlib import Path
        >>> clips = [Utterance(Path(f"{word}.wav"), label=word) for word in ("yes", "no", "up")]
        >>> chosen_classes("yes, no", clips)
        ['yes', 'no']
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    labels = sorted({utterance.label for utterance in utterances if utterance.label})
    unknown = [repr(name) for name in wanted if name not in labels]
    if unknown:
        raise ValueError(
            f"expected classes that occur among the labels ({', '.join(labels)}); there is none "
            f"of {', '.join(unknown)}"
        )
    return wanted


def count_classes(
    utterances: Iterable[Utterance], classes: Sequence[str], unread: Iterable[Skip] = ()
) -> dict[str, int]:
    """How many utterances each class has, without those that could not be read.

    Raises:
        ValueError: for a class that has none.
    """
    counts = dict.fromkeys(classes, 0)
    reasons = {skip.where: skip for skip in unread}
    for utterance in utterances:
        if utterance.label in counts and where_of(utterance) not in reasons:
            counts[utterance.label] += 1
    empty = [repr(name) for name, count in counts.items() if not count]
    if empty:
        first = next(iter(reasons.values()), None)
        reason = f"; {len(reasons)} could not be read, as {first}" if first else ""
        raise ValueError(
            "expected utterances of every class to learn from; there is none of "
            f"{', '.join(empty)}{reason}"
        )
    return counts


def source_of(utterance: Utterance) -> str | None:
    """What recording a clip is cut from; None: unknown.

    The line's `source`, or what the file names of ESC and UrbanSound8K say.

    Example:
        >>> from pathlib import Path
        >>> source_of(Utterance(Path("esc50/1-100032-A-0.wav")))
        '100032'
    """
    source = utterance.extra.get("source")
    if isinstance(source, str | int):
        return str(source)
    for pattern in _SOURCES:
        match = pattern.fullmatch(utterance.audio_filepath.stem)
        if match:
            return match[1]
    return None


@dataclass(frozen=True)
class Leak:
    """Utterances of two parts that share something."""

    what: str
    train: tuple[Utterance, ...]
    test: tuple[Utterance, ...]

    def __str__(self) -> str:
        return f"{self.what}: {_some(self.train)} (train) and {_some(self.test)} (test)"


def find_leaks(
    train: Sequence[Utterance], test: Sequence[Utterance], listen: bool = True
) -> list[Leak]:
    """Seconds of files, source recordings and (where `listen`) sounds that both parts hold.

    Each utterance is told once.
    """
    if not train or not test:
        return []
    keys: dict[str, Callable[[Utterance], Hashable]] = {"the same source recording": source_of}
    if listen:
        keys["the same sound"] = digest
    leaks = shared_seconds(train, test)
    already_told = {id(line) for leak in leaks for line in (*leak.train, *leak.test)}
    for what, key in keys.items():
        train_by_key = _grouped(train, key, already_told)
        test_by_key = _grouped(test, key, already_told)
        for shared, of_train in train_by_key.items():
            if shared in test_by_key:
                of_test = test_by_key[shared]
                leaks.append(Leak(what, tuple(of_train), tuple(of_test)))
                already_told.update(id(utterance) for utterance in [*of_train, *of_test])
    return leaks


def shared_seconds(train: Sequence[Utterance], test: Sequence[Utterance]) -> list[Leak]:
    """Files of which both parts hold the same seconds, each with the clips that do."""
    train_by_file = _grouped(train, _file_of, set())
    test_by_file = _grouped(test, _file_of, set())
    leaks = []
    for file, of_train in train_by_file.items():
        of_test = test_by_file.get(file, [])
        shared_train = tuple(clip for clip in of_train if _overlaps(clip, of_test))
        shared_test = tuple(clip for clip in of_test if _overlaps(clip, of_train))
        if shared_train:
            leaks.append(Leak("the same file", shared_train, shared_test))
    return leaks


def _file_of(utterance: Utterance) -> Path:
    return utterance.audio_filepath.resolve()


def _overlaps(clip: Utterance, others: Sequence[Utterance]) -> bool:
    """Whether a clip shares seconds with one of other clips of its file, rounding aside."""
    for other in others:
        shared_s = min(_end_s(clip), _end_s(other)) - max(clip.offset, other.offset)
        if shared_s > _ROUNDING_S:
            return True
    return False


def _end_s(clip: Utterance) -> float:
    return math.inf if clip.duration is None else clip.offset + clip.duration


def refuse_leaks(
    train: Sequence[Utterance], test: Sequence[Utterance], listen: bool = True
) -> None:
    """Nothing where the parts share nothing.

    Raises:
        LeakError: where they share seconds of a file, a source recording or (where `listen`) a
            sound.
    """
    leaks = find_leaks(train, test, listen)
    if not leaks:
        return
    shown = [f"\n  {leak}" for leak in leaks[:_SHOWN_LEAKS]]
    if len(leaks) > _SHOWN_LEAKS:
        shown.append(f"\n  ... and {len(leaks) - _SHOWN_LEAKS} more")
    raise LeakError(
        f"train and test share {len(leaks)} recordings: what is scored there has been learnt. "
        f"Delete them from one part, or keep each recording's clips in one fold{''.join(shown)}"
    )


def digest(utterance: Utterance) -> bytes | None:
    """A digest of the sound (16 bits, own rate, silence at both ends left out).

    None: unreadable, or silent.
    """
    try:
        samples = read_audio(utterance, audio_info(utterance.audio_filepath).rate_hz)
    except AudioError:
        return None
    rounded = np.round(samples.numpy() * _FULL_SCALE).astype(np.int16)
    loud = np.flatnonzero(np.abs(rounded) > 1)
    if not len(loud):
        return None
    sound = rounded[loud[0] : loud[-1] + 1]
    return hashlib.sha1(sound.tobytes(), usedforsecurity=False).digest()


def _grouped(
    utterances: Sequence[Utterance], key: Callable[[Utterance], Hashable], without: set[int]
) -> dict[Hashable, list[Utterance]]:
    """Utterances by key, without those that have none or whose `id()` is in `without`."""
    groups: dict[Hashable, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        if id(utterance) in without:
            continue
        name = key(utterance)
        if name is not None:
            groups[name].append(utterance)
    return groups


def _some(utterances: Sequence[Utterance]) -> str:
    names = [where_of(utterance) for utterance in utterances[:_SHOWN_UTTERANCES]]
    more = " ..." if len(utterances) > _SHOWN_UTTERANCES else ""
    return ", ".join(names) + more
