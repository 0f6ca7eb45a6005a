"""Names that tell utterances apart: a corpus has a 002.wav of each of its speakers."""

from __future__ import annotations

from collections import defaultdict
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
        result.append(utterance if name == utterance.id else replace(utterance, name=name))
    return tuple(result)


def unique_names(utterances: Sequence[Utterance]) -> list[str]:
    """The shortest unambiguous name of each utterance; as names of files they differ too."""
    names = [_stem(utterance, 0) for utterance in utterances]
    undecided = _shared(names)
    folders = 0
    while undecided and folders < max(len(utterances[i].audio_filepath.parts) for i in undecided):
        folders += 1
        for index in undecided:
            names[index] = _stem(utterances[index], folders)
        undecided = _shared(names)
    for index in undecided:
        names[index] += utterances[index].audio_filepath.suffix
    for index in _shared(names):
        line = utterances[index].where.rpartition(":")[2]
        names[index] += f"#{line or index + 1}"
    for index in _shared(names):
        names[index] += f"#{index + 1}"
    return names


def _stem(utterance: Utterance, folders: int) -> str:
    """The stem with so many folders before it, and the offset where there is one."""
    path = utterance.audio_filepath
    parents = [part for part in path.parts[:-1] if part != path.anchor]
    parts = [*parents[max(0, len(parents) - folders) :], path.stem] if folders else [path.stem]
    name = "/".join(parts)
    return f"{name}@{utterance.offset:g}" if utterance.offset else name


def _shared(names: Sequence[str]) -> list[int]:
    """Places of the names that more than one has, as file names, in whatever case."""
    places: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        places[name.replace("/", "-").casefold()].append(index)
    shared: list[int] = []
    for same in places.values():
        if len(same) > 1:
            shared += same
    return sorted(shared)
