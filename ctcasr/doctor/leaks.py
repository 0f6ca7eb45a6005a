"""Findings between two manifests: what the part that is reported shares with the part that is learnt from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

from ctcasr.batch import Utterance
from ctcasr.doctor.finding import Finding, lines_of, plural
from ctcasr.doctor.listen import Sound
from ctcasr.doctor.sound import SILENT
from ctcasr.doctor.texts import closed_grammar

Pairs = list[tuple[list[Utterance], list[Utterance]]]


def between(
    train: Sequence[Sound], valid: Sequence[Sound], normalise: Callable[[str], str]
) -> list[Finding]:
    """Recordings, speakers and texts of `train` that are in `valid` too; lines are those of `train`."""
    return [*_recordings(train, valid), *_speakers(train, valid), *_texts(train, valid, normalise)]


def _recordings(train: Sequence[Sound], valid: Sequence[Sound]) -> list[Finding]:
    found = []
    files = _shared(
        train, valid, lambda s: (s.utterance.audio_filepath.resolve(), s.utterance.offset)
    )
    if files:
        found.append(
            Finding(
                "shared-recordings",
                "error",
                f"{plural(len(files), 'recording')} of train are in valid too, as "
                f"{files[0][0][0].id}: what is scored there has been learnt",
                "delete them from one of the two",
                _lines(files),
                {"count": len(files), "against_lines": _others(files)},
            )
        )
    known = {u.where for pair in files for u in pair[0] + pair[1]}
    sounds = _shared(
        train, valid, lambda s: s.heard.digest if s.heard and s.heard.peak >= SILENT else None
    )
    sounds = [pair for pair in sounds if not known.issuperset(u.where for u in pair[0] + pair[1])]
    if sounds:
        a, b = sounds[0][0][0], sounds[0][1][0]
        found.append(
            Finding(
                "shared-audio",
                "error",
                f"{plural(len(sounds), 'recording')} of train are in valid under another name: "
                f"{a.id} = {b.id}",
                "delete them from one of the two",
                _lines(sounds),
                {"count": len(sounds), "against_lines": _others(sounds)},
            )
        )
    return found


def _speakers(train: Sequence[Sound], valid: Sequence[Sound]) -> list[Finding]:
    shared = _shared(train, valid, lambda s: s.utterance.speaker)
    if not shared:
        return []
    names = [pair[1][0].speaker or "" for pair in shared]
    all_valid = {s.utterance.speaker for s in valid if s.utterance.speaker is not None}
    figures = {"speakers": names, "of": len(all_valid), "against_lines": _others(shared)}
    listed = ", ".join(names[:6]) + (" ..." if len(names) > 6 else "")
    if len(names) == len(all_valid):
        return [
            Finding(
                "same-speakers",
                "note",
                f"every speaker of valid is in train ({listed}): the score tells nothing about new ones",
                "right for a recogniser of known speakers; otherwise split by speaker",
                (),
                figures,
            )
        ]
    return [
        Finding(
            "shared-speakers",
            "warning",
            f"{len(names)} of {plural(len(all_valid), 'speaker')} of valid are in train too "
            f"({listed}): the score is too good for new speakers",
            "split by speaker",
            _lines(shared),
            figures,
        )
    ]


def _texts(
    train: Sequence[Sound], valid: Sequence[Sound], normalise: Callable[[str], str]
) -> list[Finding]:
    shared = _shared(
        train, valid, lambda s: normalise(s.utterance.text) or None if s.utterance.text else None
    )
    lines = sum(len(pair[1]) for pair in shared)
    if not shared or lines < 0.05 * len(valid):
        return []
    every = [normalise(s.utterance.text) for s in train if s.utterance.text]
    example = normalise(shared[0][1][0].text or "")
    figures = {"texts": len(shared), "against_lines": _others(shared)}
    if closed_grammar(every):
        return [
            Finding(
                "same-texts",
                "note",
                f"{lines} of {len(valid)} texts of valid are said in train too, as {example!r}; "
                "it is a closed grammar",
                "nothing to do",
                (),
                figures,
            )
        ]
    return [
        Finding(
            "shared-texts",
            "warning",
            f"{lines} of {len(valid)} texts of valid are in train too, as {example!r}: "
            "a network that remembers texts scores too well",
            "split by text, or say so beside the score",
            _lines(shared),
            figures,
        )
    ]


def _shared(
    train: Iterable[Sound], valid: Iterable[Sound], key: Callable[[Sound], Hashable]
) -> Pairs:
    """Utterances of both sides that have a key in common, key by key; None is no key."""
    sides: tuple[dict[Hashable, list[Utterance]], ...] = (defaultdict(list), defaultdict(list))
    for side, sounds in zip(sides, (train, valid), strict=True):
        for sound in sounds:
            if (name := key(sound)) is not None:
                side[name].append(sound.utterance)
    return [(sides[0][name], sides[1][name]) for name in sides[0] if name in sides[1]]


def _lines(pairs: Pairs) -> tuple[int, ...]:
    return lines_of(u for pair in pairs for u in pair[0])


def _others(pairs: Pairs) -> list[int]:
    return list(lines_of(u for pair in pairs for u in pair[1]))
