"""Cross-validation: who is learnt from and who is tested, fold by fold."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ctcasr.batch import Utterance
from ctcasr.data.names import where_of


class Fold(NamedTuple):
    """One round of cross-validation."""

    name: str
    train: tuple[Utterance, ...]
    test: tuple[Utterance, ...]


def rounds(
    train: Sequence[Utterance], test: Sequence[Utterance], folds: str = "", seed: int = 0
) -> list[Fold]:
    """What `folds` says, over train and test together.

    "own": each line's fold; a number: so many folds over speakers; "": one round, train and test
    as they are.

    Raises:
        ValueError: for anything else, and as `own_folds` and `speaker_folds` do.
    """
    if not folds:
        return [Fold("", tuple(train), tuple(test))]
    utterances = [*train, *test]
    if folds == "own":
        return own_folds(utterances)
    if not folds.isdecimal():
        raise ValueError(f"folds: expected 'own', a number, or nothing; got {folds!r}")
    return speaker_folds(utterances, int(folds), seed)


def own_folds(utterances: Sequence[Utterance]) -> list[Fold]:
    """One round for each `fold` of the lines, which is tested while the others are learnt from.

    Raises:
        ValueError: where a line has none, or there is one fold only.

    Example:
        >>> from pathlib import Path
        >>> clips = [Utterance(Path(f"{i}.wav"), fold=i % 2) for i in range(4)]
        >>> [(fold.name, [u.id for u in fold.test]) for fold in own_folds(clips)]
        [('fold0', ['0', '2']), ('fold1', ['1', '3'])]
    """
    for utterance in utterances:
        if utterance.fold is None:
            raise ValueError(f"{where_of(utterance)}: expected a fold; the line has none")
    return _rounds(utterances, [f"fold{utterance.fold}" for utterance in utterances])


def speaker_folds(utterances: Sequence[Utterance], count: int, seed: int = 0) -> list[Fold]:
    """`count` rounds of about equal size; each speaker is tested in one of them.

    Raises:
        ValueError: where a line has no speaker, or there are fewer speakers than rounds.

    Example:
        >>> from pathlib import Path
        >>> clips = [Utterance(Path(f"{i}.wav"), speaker=f"s{i % 3}") for i in range(6)]
        >>> [len(fold.test) for fold in speaker_folds(clips, 3)]
        [2, 2, 2]
    """
    sizes = _lines_of_speakers(utterances)
    if not 2 <= count <= len(sizes):
        raise ValueError(
            f"expected within 2..{len(sizes)} folds, one speaker or more in each; got {count}"
        )
    filled = [0] * count
    fold_of: dict[str | None, str] = {}
    for speaker in _largest_first(sizes, seed):
        emptiest = filled.index(min(filled))
        filled[emptiest] += sizes[speaker]
        fold_of[speaker] = f"fold{emptiest + 1}"
    return _rounds(utterances, [fold_of[utterance.speaker] for utterance in utterances])


def word_pairs(fold: Fold) -> list[Fold]:
    """The round split into one for every two of the classes that it trains.

    Example:
        >>> from pathlib import Path
        >>> clips = [Utterance(Path(f"{word}.wav"), label=word) for word in ("no", "up", "yes")]
        >>> [pair.name for pair in word_pairs(Fold("", tuple(clips), tuple(clips)))]
        ['no-up', 'no-yes', 'up-yes']
    """
    classes = sorted({utterance.label for utterance in fold.train if utterance.label})
    pairs = []
    for pair in itertools.combinations(classes, 2):
        name = "-".join(part for part in (*pair, fold.name) if part)
        pairs.append(Fold(name, _of_classes(fold.train, pair), _of_classes(fold.test, pair)))
    return pairs


def _largest_first(sizes: dict[str, int], seed: int) -> list[str]:
    """Speakers by their lines; those with equally many in random order."""
    names = sorted(sizes)
    permutation = np.random.default_rng([seed, len(names)]).permutation(len(names))
    shuffled = [names[index] for index in permutation]
    return sorted(shuffled, key=lambda speaker: sizes[speaker], reverse=True)


def _of_classes(utterances: Sequence[Utterance], pair: tuple[str, str]) -> tuple[Utterance, ...]:
    return tuple(utterance for utterance in utterances if utterance.label in pair)


def _lines_of_speakers(utterances: Sequence[Utterance]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for utterance in utterances:
        if utterance.speaker is None:
            raise ValueError(
                f"{where_of(utterance)}: expected a speaker to make folds by; the line has none"
            )
        sizes[utterance.speaker] = sizes.get(utterance.speaker, 0) + 1
    return sizes


def _rounds(utterances: Sequence[Utterance], names: Sequence[str]) -> list[Fold]:
    """One round for each name; `names[i]` is where utterance i is tested."""
    distinct = sorted(set(names), key=lambda name: (len(name), name))
    if len(distinct) < 2:
        raise ValueError(f"expected two folds or more; got {distinct or 'no utterance'}")
    folds = []
    for tested in distinct:
        train: list[Utterance] = []
        test: list[Utterance] = []
        for utterance, name in zip(utterances, names, strict=True):
            part = test if name == tested else train
            part.append(utterance)
        folds.append(Fold(tested, tuple(train), tuple(test)))
    return folds
