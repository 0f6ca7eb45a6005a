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


def measure_workers(
    corpus: Corpus,
    *,
    batch_size: int,
    step_s: float,
    cores: int | None = None,
    budget_s: float = 1.0,
) -> int:
    """Processes that read batches of `batch_size` faster than a step of `step_s` needs them.

    0: this process can. Reads some utterances for about `budget_s`. 0 also where the decoded
    corpus fits its cache, without a transform, and a batch is read no slower than learnt from.
    """
    decoded_bytes = _BYTES_A_SAMPLE * corpus.seconds * corpus.rate_hz * len(corpus.speeds)
    is_cached = corpus.transform is None and decoded_bytes <= corpus.cache.budget_bytes
    if is_cached:
        budget_s = min(budget_s, _FEW_S)
    processes = batch_size * item_seconds(corpus, budget_s) / step_s
    # What is decoded once may take as long as a step; on a fast device it would take many.
    if processes <= (1.0 if is_cached else _SMALL):
        return 0
    free_cores = (cores or os.cpu_count() or _USUAL_CORES) - 1
    return min(math.ceil(_SPARE * processes), max(1, free_cores))


def item_seconds(corpus: Corpus, budget_s: float = 1.0) -> float:
    """Mean wall time in seconds of reading one utterance of the corpus, uncached.

    Measured by reading some of them for about `budget_s`.
    """
    uncached = copy.copy(corpus)
    uncached.cache = SampleCache(0)
    order = np.random.default_rng(0).permutation(len(uncached)).tolist()
    uncached[order[0]]  # the first one pays for imports and filters
    start = time.perf_counter()
    n_read = 0
    for index in order:
        uncached[index]
        n_read += 1
        if time.perf_counter() - start > budget_s:
            break
    return (time.perf_counter() - start) / n_read
