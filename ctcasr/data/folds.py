"""Cross-validation: who is learnt from and who is tested, fold by fold."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ctcasr.batch import Utterance


class Fold(NamedTuple):
    """One round of cross-validation."""

    name: str
    train: tuple[Utterance, ...]
    test: tuple[Utterance, ...]


def rounds(
    train: Sequence[Utterance], test: Sequence[Utterance], folds: str = "", seed: int = 0
) -> list[Fold]:
    """What `folds` says: "own" (each line's fold) or a number of folds over speakers, both of train and test together; "": one round."""
    if not folds:
        return [Fold("", tuple(train), tuple(test))]
    whole = [*train, *test]
    if folds != "own" and not folds.isdecimal():
        raise ValueError(f"folds: expected 'own', a number, or nothing; got {folds!r}")
    return own_folds(whole) if folds == "own" else speaker_folds(whole, int(folds), seed)


def own_folds(utterances: Sequence[Utterance]) -> list[Fold]:
    """One round for each `fold` of the lines, which is tested while the others are learnt from; ValueError where a line has none."""
    for utterance in utterances:
        if utterance.fold is None:
            raise ValueError(
                f"{utterance.where or utterance.id}: expected a fold; the line has none"
            )
    return _rounds(utterances, [f"fold{u.fold}" for u in utterances])


def speaker_folds(utterances: Sequence[Utterance], count: int, seed: int = 0) -> list[Fold]:
    """`count` rounds of about equal size; each speaker is tested in one of them and learnt from in the others."""
    sizes: dict[str, int] = {}
    for utterance in utterances:
        if utterance.speaker is None:
            raise ValueError(
                f"{utterance.where or utterance.id}: expected a speaker to make folds by; the line has none"
            )
        sizes[utterance.speaker] = sizes.get(utterance.speaker, 0) + 1
    if not 2 <= count <= len(sizes):
        raise ValueError(
            f"expected within 2..{len(sizes)} folds, one speaker or more in each; got {count}"
        )
    names = sorted(sizes)
    order = [names[i] for i in np.random.default_rng([seed, len(names)]).permutation(len(names))]
    filled, home = [0] * count, dict[str, str]()
    for speaker in sorted(
        order, key=sizes.__getitem__, reverse=True
    ):  # stable: equal ones stay in random order
        place = filled.index(min(filled))
        filled[place] += sizes[speaker]
        home[speaker] = f"fold{place + 1}"
    return _rounds(utterances, [home[u.speaker or ""] for u in utterances])


def word_pairs(fold: Fold) -> list[Fold]:
    """The round split into one for every two of the classes that it trains."""
    classes = sorted({u.label for u in fold.train if u.label})

    def only(part: Sequence[Utterance], pair: tuple[str, str]) -> tuple[Utterance, ...]:
        return tuple(u for u in part if u.label in pair)

    return [
        Fold(
            "-".join(filter(None, (*pair, fold.name))),
            only(fold.train, pair),
            only(fold.test, pair),
        )
        for pair in itertools.combinations(classes, 2)
    ]


def _rounds(utterances: Sequence[Utterance], names: Sequence[str]) -> list[Fold]:
    if len(set(names)) < 2:
        raise ValueError(f"expected two folds or more; got {sorted(set(names)) or 'no utterance'}")

    def part(name: str, inside: bool) -> tuple[Utterance, ...]:
        return tuple(u for u, own in zip(utterances, names, strict=True) if (own == name) == inside)

    return [
        Fold(name, part(name, False), part(name, True))
        for name in sorted(set(names), key=lambda n: (len(n), n))
    ]
