"""Names that tell utterances apart: a corpus has a 002.wav of each of its speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ctcasr.batch import Utterance


def where_of(utterance: Utterance) -> str:
    """Manifest and line of an utterance, or its name where it is of no manifest."""
    return utterance.where or utterance.id


def named(utterances: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """The utterances, each with the shortest name that no other of them has.

    That is the file's stem, with as many folders before it as it takes ("s1/002"); its suffix or
    its line where paths do not tell two apart.

    Example:
        >>> from pathlib import Path
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
        >>> from pathlib import Path
        >>> unique_names([Utterance(Path("a/b.wav")), Utterance(Path("a/b.flac"))])
        ['a/b.wav', 'a/b.flac']
    """
    names = [_stem(utterance, 0) for utterance in utterances]
    folders = 0
    shared = _shared(names)
    while shared and folders < _deepest(utterances, shared):
        folders += 1
        for index in shared:
            names[index] = _stem(utterances[index], folders)
        shared = _shared(names)
    for index in shared:
        names[index] += utterances[index].audio_filepath.suffix
    for index in _shared(names):  # lines with the same sound
        _, _, line = utterances[index].where.rpartition(":")
        names[index] += f"#{line or index + 1}"
    for index in _shared(names):  # lines of several manifests
        names[index] += f"#{index + 1}"
    return names


def _stem(utterance: Utterance, folders: int) -> str:
    """The stem with so many folders before it, and the offset where there is one."""
    path = utterance.audio_filepath
    parts = [part for part in path.with_suffix("").parts if part != path.anchor]
    name = "/".join(parts[-1 - folders :])
    if not utterance.offset:
        return name
    return f"{name}@{utterance.offset:g}"


def _deepest(utterances: Sequence[Utterance], indices: Sequence[int]) -> int:
    """The most folders that a path of these has."""
    depths = [len(utterances[index].audio_filepath.parts) for index in indices]
    return max(depths)


def _shared(names: Sequence[str]) -> list[int]:
    """Places of the names that more than one has, as names of files, in whatever case."""
    as_files = [name.replace("/", "-").casefold() for name in names]
    counts = Counter(as_files)
    return [index for index, name in enumerate(as_files) if counts[name] > 1]
