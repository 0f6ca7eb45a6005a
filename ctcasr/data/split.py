"""Part of the training data held out for selection."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from random import Random

import numpy as np

from ctcasr.batch import Utterance
from ctcasr.data.corpus import seconds_of
from ctcasr.data.labels import source_of

_FEW_SPEAKERS = 5  # fewer are too few to give some of them away
_MOST_OVER = 1.25  # dev may be so much larger than asked for: a speaker with half the data is not


def split_dev(
    utterances: Sequence[Utterance], share: float = 0.1, seed: int = 0, least: int = 1
) -> tuple[tuple[Utterance, ...], tuple[Utterance, ...]]:
    """(train, dev): about `share` of the utterances held out, both in the order given.

    At least `least` are, at most half. With 5 speakers or more, dev has speakers of its own;
    otherwise lines of one file with one text stay together. Clips that are known to be cut from
    one source recording (`source_of`) stay together too.

    Raises:
        ValueError: where that leaves nothing to train on, the share is no share, or the seed is
            negative.

    Example:
        >>> from pathlib import Path
        >>> train, dev = split_dev([Utterance(Path(f"{i}.wav")) for i in range(20)], share=0.1)
        >>> len(train), len(dev)
        (18, 2)
    """
    if seed < 0:
        raise ValueError(f"seed of the dev part: expected 0 or more; got {seed}")
    if not 0 < share < 1:
        raise ValueError(f"dev share: expected more than 0 and less than 1; got {share}")
    groups = _groups(utterances)
    if len(groups) < 2:
        raise ValueError(
            "expected two different utterances or more to hold a dev part out of; "
            f"got {len(groups)}"
        )
    wanted = max(round(share * len(utterances)), least, 1)
    target = min(wanted, len(utterances) // 2)
    held_out = _drawn(groups, target, np.random.default_rng([seed, len(utterances)]))
    train: list[Utterance] = []
    dev: list[Utterance] = []
    for index, utterance in enumerate(utterances):
        part = dev if index in held_out else train
        part.append(utterance)
    return tuple(train), tuple(dev)


def take_minutes(
    utterances: Sequence[Utterance], minutes: float, seed: int = 0
) -> tuple[Utterance, ...]:
    """About so many minutes of the utterances, drawn evenly: two of them at least; 0 means all.

    Seconds are those of the manifest, else of the files' headers.

    Example:
        >>> from pathlib import Path
        >>> clips = [Utterance(Path(f"{i}.wav"), duration=3.0) for i in range(100)]
        >>> len(take_minutes(clips, minutes=1))
        20
    """
    if not minutes:
        return tuple(utterances)
    whole = sum(seconds_of(utterance) for utterance in utterances) / 60
    if not whole:  # nothing that can be read
        return tuple(utterances)
    count = max(2, round(len(utterances) * minutes / whole))
    return tuple(Random(seed).sample(list(utterances), min(count, len(utterances))))


def _drawn(groups: list[list[int]], target: int, random: np.random.Generator) -> set[int]:
    """Indices of whole groups, about `target` of them; the smallest group where none fits."""
    order = [groups[index] for index in random.permutation(len(groups))]
    held_out: set[int] = set()
    for group in order:
        if len(held_out) >= target:
            break
        if len(held_out) + len(group) <= _MOST_OVER * target:
            held_out.update(group)
    if not held_out:
        smallest = min(order, key=lambda group: len(group))
        held_out.update(smallest)
    return held_out


def _groups(utterances: Sequence[Utterance]) -> list[list[int]]:
    """Indices that may not be parted, group by group, in order of first appearance."""
    speakers = {utterance.speaker for utterance in utterances}
    by_speaker = None not in speakers and len(speakers) >= _FEW_SPEAKERS
    joined = _Joined()
    keys: list[Hashable] = []
    for utterance in utterances:
        key: Hashable = (str(utterance.audio_filepath), utterance.text)
        if by_speaker:
            key = utterance.speaker
        keys.append(key)
        source = source_of(utterance)
        if source is not None:
            joined.join(key, ("source recording", source))
    groups: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(joined.root(key), []).append(index)
    return list(groups.values())


class _Joined:
    """Keys that some line holds both of are of one group (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def root(self, key: Hashable) -> Hashable:
        """The key that stands for the group of `key`."""
        above = self._parent.setdefault(key, key)
        while above != key:
            key = above
            above = self._parent.setdefault(key, key)
        return key

    def join(self, key: Hashable, other: Hashable) -> None:
        """From now on the two are of one group."""
        self._parent[self.root(key)] = self.root(other)
