"""How many worker processes a corpus needs, by measurement."""

from __future__ import annotations

import copy
import math
import os
import time

import numpy as np

from ctcasr.data.cache import SampleCache
from ctcasr.data.corpus import Corpus

_SMALL = 0.05  # of a step: so much waiting is cheaper than another process
_FEW_S = 0.3  # of reading tell whether decoding takes longer than a step
_SPARE = 1.5  # files differ, and a step shall not wait for the slowest
_BYTES_A_SAMPLE = 4
_USUAL_CORES = 2  # where the machine does not tell
_LATER = 1  # epoch that is measured: in the first one nothing is spliced


def measure_workers(
    corpus: Corpus,
    *,
    batch_size: int,
    step_s: float,
    cores: int | None = None,
    budget_s: float = 1.0,
) -> int:
    """Processes that read batches of `batch_size` faster than a step of `step_s` needs them.

    0: this process can. Reads some utterances for about `budget_s`. A corpus that fits its cache
    is decoded once, and by this process alone: what counts is how long it takes from then on.
    """
    decoded_bytes = _BYTES_A_SAMPLE * corpus.seconds * corpus.rate_hz * len(corpus.speeds)
    is_cached = corpus.transform is None and decoded_bytes <= corpus.cache.budget_bytes
    if is_cached:
        budget_s = min(budget_s, _FEW_S)
    processes = batch_size * item_seconds(corpus, budget_s, is_cached=is_cached) / step_s
    # Worker processes have no cache. They decode anew, every epoch, what lies ready here.
    if processes <= (1.0 if is_cached else _SMALL):
        return 0
    free_cores = (cores or os.cpu_count() or _USUAL_CORES) - 1
    return min(math.ceil(_SPARE * processes), max(1, free_cores))


def item_seconds(corpus: Corpus, budget_s: float = 1.0, *, is_cached: bool = False) -> float:
    """Mean wall time in seconds of reading one utterance of the corpus.

    Its files are decoded; with `is_cached` they were decoded before. Measured by reading some
    utterances for about `budget_s`.
    """
    measured = copy.copy(corpus)
    measured.cache = SampleCache(corpus.cache.budget_bytes if is_cached else 0)
    order = np.random.default_rng(0).permutation(len(measured)).tolist()
    measured.item(order[0], epoch=_LATER)  # the first one pays for imports and filters
    begun = time.perf_counter()
    spent_s = 0.0
    n_read = 0
    for index in order:
        if is_cached:
            measured.item(index, epoch=_LATER)
        start = time.perf_counter()
        measured.item(index, epoch=_LATER)
        now = time.perf_counter()
        spent_s += now - start
        n_read += 1
        if now - begun > budget_s:
            break
    return spent_s / n_read
