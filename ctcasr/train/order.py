"""Hashes of the batches of an epoch and of the dev part: what a run that goes on compares."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ctcasr.task import Batches

_HASH_DIGITS = 16


def epoch_order(train: Batches, epoch: int) -> str:
    """A hash of an epoch's batches: which utterances, in which order, as far as the loader tells.

    It depends on the loader's `plan(epoch)` and its corpus's utterances where it has them (those of
    all processes), else on the number of batches alone.
    """
    found = hashlib.sha256(str(len(train)).encode())
    plan = getattr(train, "plan", None)
    if plan is not None:
        found.update(repr(plan(epoch)).encode())
    for line in _lines(train):
        found.update(line)
    return found.hexdigest()[:_HASH_DIGITS]


def part_content(part: Batches | None) -> str:
    """A hash of a part's utterances, in whatever order and batches; that of none for no part.

    It depends on the utterances of the loader's corpus, where it has one (those of all processes).
    """
    found = hashlib.sha256()
    for line in sorted(_lines(part)):
        found.update(line)
    return found.hexdigest()[:_HASH_DIGITS]


def _lines(part: Batches | None) -> Iterator[bytes]:
    """What each utterance of a part is, as far as scores depend on it."""
    for utterance in getattr(getattr(part, "corpus", None), "utterances", ()):
        yield f"{utterance.id}\n{utterance.text}\n{utterance.label}\n".encode()
