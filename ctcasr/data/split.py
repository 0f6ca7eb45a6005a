"""Part of the training data held out for selection."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from ctcasr.batch import Utterance
from ctcasr.data.labels import source_of

_FEW_SPEAKERS = 5


def split_dev(
    utterances: Sequence[Utterance], share: float = 0.1, seed: int = 0, least: int = 1
) -> tuple[tuple[Utterance, ...], tuple[Utterance, ...]]:
    """(train, dev): about `share` of the utterances held out, at least `least`, at most half; both in the order given.

    With 5 speakers or more, dev has speakers of its own; otherwise lines of one file with one text stay together. Clips that are
    known to be cut from one source recording (`source_of`) stay together too.
    ValueError where that leaves nothing to train on.
    """
    if not 0 < share < 1:
        raise ValueError(f"dev share: expected within 0..1; got {share}")
    groups = _groups(utterances)
    if len(groups) < 2:
        raise ValueError(
            f"expected two different utterances or more to hold a dev part out of; got {len(groups)}"
        )
    target = min(max(round(share * len(utterances)), least, 1), len(utterances) // 2)
    order = [
        groups[i] for i in np.random.default_rng([seed, len(utterances)]).permutation(len(groups))
    ]
    held: set[int] = set()
    for group in order:
        if len(held) >= target:
            break
        if (
            len(held) + len(group) <= 1.25 * target
        ):  # a speaker with half of the data stays in train
            held.update(group)
    if not held:
        smallest = min(order, key=len)
        held.update(smallest)
    train = tuple(u for i, u in enumerate(utterances) if i not in held)
    return train, tuple(u for i, u in enumerate(utterances) if i in held)


def _groups(utterances: Sequence[Utterance]) -> list[list[int]]:
    """Indices that may not be parted, group by group, in order of first appearance."""
    speakers = {u.speaker for u in utterances}
    by_speaker = None not in speakers and len(speakers) >= _FEW_SPEAKERS
    parent: dict[
        Hashable, Hashable
    ] = {}  # keys that some line holds both of are of one group (union-find)

    def root(key: Hashable) -> Hashable:
        while (above := parent.setdefault(key, key)) != key:
            key = above
        return key

    own: list[Hashable] = [
        ("speaker", u.speaker) if by_speaker else ("file", str(u.audio_filepath), u.text)
        for u in utterances
    ]
    for key, u in zip(own, utterances, strict=True):
        if (source := source_of(u)) is not None:
            parent[root(key)] = root(("source", source))
    groups: dict[Hashable, list[int]] = {}
    for index, key in enumerate(own):
        groups.setdefault(root(key), []).append(index)
    return list(groups.values())
