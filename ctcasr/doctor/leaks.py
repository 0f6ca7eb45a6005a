"""Findings between two manifests: what the part that is reported shares with training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ctcasr.batch import Skip, Utterance
from ctcasr.data.labels import shared_seconds
from ctcasr.doctor.finding import Finding, lines_of
from ctcasr.doctor.fingerprint import Fingerprint, FingerprintIndex
from ctcasr.doctor.listen import Sound
from ctcasr.doctor.sound import SILENT
from ctcasr.doctor.texts import closed_grammar
from ctcasr.scoring.figures import agreeing, plural

_MANY_TEXTS = 0.05  # of valid's lines
_NAMED = 6  # speakers

Normalise = Callable[[str], str]


@dataclass(frozen=True)
class Shared:
    """Utterances of both manifests that have one thing in common."""

    train: tuple[Utterance, ...]
    valid: tuple[Utterance, ...]

    def places(self) -> set[tuple[str, str]]:
        """Their lines, each with its side: both manifests may have the same name."""
        of_train = {("train", utterance.where) for utterance in self.train}
        return of_train | {("valid", utterance.where) for utterance in self.valid}


def between(train: Sequence[Sound], valid: Sequence[Sound], normalise: Normalise) -> list[Finding]:
    """Recordings, speakers and texts of `train` that are in `valid` too; lines are train's."""
    return [*_recordings(train, valid), *_speakers(train, valid), *_texts(train, valid, normalise)]


def not_compared(valid: Sequence[Sound], skipped: Sequence[Skip]) -> list[Finding]:
    """Lines of valid of which nobody can tell whether their sound is in train, too."""
    unheard = [sound for sound in valid if sound.trouble]
    if not unheard and not skipped:
        return []
    told = []
    if unheard:
        first = f"as {unheard[0].reason}"
        told.append(f"{plural(len(unheard), 'line')} of valid cannot be heard, {first}")
    if skipped:
        first = f"as {skipped[0].where}: {skipped[0].reason}"
        told.append(f"{plural(len(skipped), 'line')} of valid cannot be read, {first}")
    lines = [*lines_of(sound.utterance for sound in unheard), *lines_of(skipped)]
    return [
        Finding(
            "not-compared",
            "warning",
            f"{'; '.join(told)}: whether train holds the same sound is not known",
            "examine valid by itself, and correct these lines",
            (),
            {"unheard": len(unheard), "unread": len(skipped), "against_lines": lines},
        )
    ]


def _recordings(train: Sequence[Sound], valid: Sequence[Sound]) -> list[Finding]:
    """The same seconds of files, and the same samples under another name."""
    findings = []
    files = []
    for leak in shared_seconds(_utterances(train), _utterances(valid)):
        files.append(Shared(leak.train, leak.test))
    if files:
        findings.append(
            Finding(
                "shared-recordings",
                "error",
                f"{plural(len(files), 'recording', 'are')} in train and in valid, as "
                f"{files[0].train[0].id}: what is scored there has been learnt",
                "delete them from one of the two",
                _lines(files),
                {"count": len(files), "against_lines": _lines_of_valid(files)},
            )
        )
    known: set[tuple[str, str]] = set()
    for pair in files:
        known |= pair.places()
    copies = []
    for pair in [*_shared(train, valid, _content), *_alike(train, valid)]:
        if not known.issuperset(pair.places()):
            copies.append(pair)
            known |= pair.places()
    if copies:
        findings.append(
            Finding(
                "shared-audio",
                "error",
                f"{plural(len(copies), 'recording', 'are')} in train, and in valid under another "
                f"name (level, format, rate or ends may differ): {copies[0].train[0].id} = "
                f"{copies[0].valid[0].id}",
                "delete them from one of the two",
                _lines(copies),
                {"count": len(copies), "against_lines": _lines_of_valid(copies)},
            )
        )
    return findings


def _utterances(sounds: Iterable[Sound]) -> list[Utterance]:
    return [sound.utterance for sound in sounds]


def _content(sound: Sound) -> Hashable:
    if sound.signal is None or sound.signal.peak < SILENT:
        return None
    return sound.signal.digest


def _alike(train: Sequence[Sound], valid: Sequence[Sound]) -> list[Shared]:
    """Recordings of valid that sound like one of train, by their fingerprints."""
    index = FingerprintIndex([_fingerprint(sound) for sound in train])
    pairs = []
    for sound in valid:
        own = _fingerprint(sound)
        original = None if own is None else index.copy_of(own)
        if original is not None:
            pairs.append(Shared((train[original].utterance,), (sound.utterance,)))
    return pairs


def _fingerprint(sound: Sound) -> Fingerprint | None:
    return None if sound.signal is None else sound.signal.fingerprint


def _speakers(train: Sequence[Sound], valid: Sequence[Sound]) -> list[Finding]:
    """Speakers of valid that are in train: some, or all of them."""
    shared = _shared(train, valid, lambda sound: sound.utterance.speaker)
    if not shared:
        return []
    names = [pair.valid[0].speaker or "" for pair in shared]
    valid_speakers = {sound.utterance.speaker for sound in valid} - {None}
    listed = ", ".join(names[:_NAMED])
    if len(names) > _NAMED:
        listed += " ..."
    figures: dict[str, Any] = {
        "speakers": names,
        "of": len(valid_speakers),
        "against_lines": _lines_of_valid(shared),
    }
    if len(names) == len(valid_speakers):
        return [
            Finding(
                "same-speakers",
                "note",
                f"every speaker of valid is in train ({listed}): the score tells nothing about new "
                "ones",
                "right for a recogniser of known speakers; otherwise split by speaker",
                (),
                figures,
            )
        ]
    return [
        Finding(
            "shared-speakers",
            "warning",
            f"{len(names)} of {plural(len(valid_speakers), 'speaker')} of valid "
            f"{agreeing(len(names), 'are')} in train too ({listed}): the score is too good for new "
            "speakers",
            "split by speaker",
            _lines(shared),
            figures,
        )
    ]


def _texts(train: Sequence[Sound], valid: Sequence[Sound], normalise: Normalise) -> list[Finding]:
    """Texts of valid that are said in train too, where they are many."""

    def text_of(sound: Sound) -> str | None:
        return normalise(sound.utterance.text or "") or None

    shared = _shared(train, valid, text_of)
    line_count = sum(len(pair.valid) for pair in shared)
    if not shared or line_count < _MANY_TEXTS * len(valid):
        return []
    example = normalise(shared[0].valid[0].text or "")
    figures = {"texts": len(shared), "against_lines": _lines_of_valid(shared)}
    train_texts = [text_of(sound) or "" for sound in train if sound.utterance.text]
    if closed_grammar(train_texts):
        return [
            Finding(
                "same-texts",
                "note",
                f"{line_count} of {len(valid)} texts of valid are said in train too, as "
                f"{example!r}; it is a closed grammar",
                "nothing to do",
                (),
                figures,
            )
        ]
    return [
        Finding(
            "shared-texts",
            "warning",
            f"{line_count} of {len(valid)} texts of valid are in train too, as {example!r}: "
            "a network that remembers texts scores too well",
            "split by text, or say so beside the score",
            _lines(shared),
            figures,
        )
    ]


def _shared(
    train: Iterable[Sound], valid: Iterable[Sound], key: Callable[[Sound], Hashable]
) -> list[Shared]:
    """Utterances of both sides that have a key in common, key by key; None is no key."""
    by_key_train = _by_key(train, key)
    by_key_valid = _by_key(valid, key)
    shared = []
    for value, utterances in by_key_train.items():
        if value in by_key_valid:
            shared.append(Shared(tuple(utterances), tuple(by_key_valid[value])))
    return shared


def _by_key(
    sounds: Iterable[Sound], key: Callable[[Sound], Hashable]
) -> dict[Hashable, list[Utterance]]:
    """Utterances by a key of their sounds, those without one left out."""
    utterances: dict[Hashable, list[Utterance]] = defaultdict(list)
    for sound in sounds:
        value = key(sound)
        if value is not None:
            utterances[value].append(sound.utterance)
    return utterances


def _lines(shared: Iterable[Shared]) -> tuple[int, ...]:
    """Lines of train."""
    return lines_of(utterance for pair in shared for utterance in pair.train)


def _lines_of_valid(shared: Iterable[Shared]) -> list[int]:
    return list(lines_of(utterance for pair in shared for utterance in pair.valid))
