"""Which batches an epoch has, as a hash: a run that goes on inside an epoch needs the same ones."""

from __future__ import annotations

import hashlib

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
    for utterance in getattr(getattr(train, "corpus", None), "utterances", ()):
        found.update(f"{utterance.id}\n{utterance.text}\n{utterance.label}\n".encode())
    return found.hexdigest()[:_HASH_DIGITS]
