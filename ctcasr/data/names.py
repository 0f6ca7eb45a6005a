"""Names that tell utterances apart: a corpus has a 002.wav of each of its speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ctcasr.batch import Utterance

_Sound = tuple[Path, float]  # a file, and seconds into it


def is_unicode(name: Path | str) -> bool:
    """Whether a name can stand in a text file; one of a file that was named in Latin-1 cannot.

    Example:
        >>> is_unicode("büro.wav"), is_unicode("b\\udcfcro.wav")
        (True, False)
    """
    try:
        str(name).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def where_of(utterance: Utterance) -> str:
    """Manifest and line of an utterance, or its name where it is of no manifest."""
    return utterance.where or utterance.id


def named(utterances: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """The utterances, each with the shortest name that no other of them has.

    That is the file's stem, with as many folders before it as it takes ("s1/002"); its suffix or
    its line where paths do not tell two apart.

    Example:
        >>> paths = ["corpus/s1/002.wav", "corpus/s2/002.wav", "corpus/s2/003.wav"]
        >>> [one.id for one in named([Utterance(Path(path)) for path in paths])]
        ['s1/002', 's2/002', '003']
    """
    names = unique_names(utterances)
    result = []
    for utterance, name in zip(utterances, names, strict=True):
        if name != utterance.id:
            utterance = replace(utterance, name=name)
        result.append(utterance)
    return tuple(result)


def unique_names(utterances: Sequence[Utterance]) -> list[str]:
    """The shortest unambiguous name of each utterance; as names of files they differ too.

    Example:
        >>> unique_names([Utterance(Path("a/b.wav")), Utterance(Path("a/b.flac"))])
        ['a/b.wav', 'a/b.flac']
    """
    sounds = [(utterance.audio_filepath, utterance.offset) for utterance in utterances]
    lines_of = Counter(sounds)
    name_of = _names_of_sounds(list(lines_of))
    names = []
    for utterance, sound in zip(utterances, sounds, strict=True):
        _, _, line = utterance.where.rpartition(":")
        name = name_of[sound]
        names.append(f"{name}#{line}" if lines_of[sound] > 1 and line else name)
    for index in _shared(names):  # lines of no manifest, or of several
        names[index] += f"#{index + 1}"
    return names


def _names_of_sounds(sounds: Sequence[_Sound]) -> dict[_Sound, str]:
    """Names of paths and offsets that all differ; their suffix where nothing else does."""
    names = [_stem(sound, 0) for sound in sounds]
    deepest = max((len(path.parts) for path, _ in sounds), default=0)
    shared = _shared(names)
    folders = 0
    while shared and folders < deepest:
        folders += 1
        for index in shared:
            names[index] = _stem(sounds[index], folders)
        shared = _shared(names)
    for index in shared:
        path, _ = sounds[index]
        names[index] += path.suffix
    return dict(zip(sounds, names, strict=True))


def _stem(sound: _Sound, folders: int) -> str:
    """The stem with so many folders before it, and the offset where there is one."""
    path, offset_s = sound
    parts = [part for part in path.with_suffix("").parts if part != path.anchor]
    name = "/".join(parts[-1 - folders :])
    return f"{name}@{offset_s:g}" if offset_s else name


def _shared(names: Sequence[str]) -> list[int]:
    """Places of the names that more than one has, as names of files, in whatever case."""
    as_files = [name.replace("/", "-").casefold() for name in names]
    counts = Counter(as_files)
    return [index for index, name in enumerate(as_files) if counts[name] > 1]
