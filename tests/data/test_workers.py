"""Worker processes: none where this process reads fast enough, more for slower corpora."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data import Corpus, item_seconds, measure_workers


def slow(samples: Tensor, generator: torch.Generator, utterance: Utterance) -> Tensor:
    time.sleep(0.002)
    return samples


def read_slowly(utterance: Utterance, speed: float) -> Tensor:
    time.sleep(0.05)
    return torch.zeros(16000)


def test_a_corpus_that_fits_its_cache_needs_none_unless_steps_outrun_the_cache(
    utterances: list[Utterance],
) -> None:
    corpus = Corpus(utterances, None, 16000)
    assert measure_workers(corpus, batch_size=16, step_s=100.0, budget_s=0.02) == 0
    assert measure_workers(corpus, batch_size=16, step_s=1e-9, cores=5, budget_s=0.02) == 4


def test_what_is_decoded_once_asks_for_no_process_however_slow_the_decoder(
    utterances: list[Utterance],
) -> None:
    slow_files = Corpus(utterances, None, 16000, read=read_slowly)
    assert measure_workers(slow_files, batch_size=4, step_s=0.05, budget_s=0.02) == 0
    uncached = Corpus(utterances, None, 16000, read=read_slowly, cache_bytes=100)
    assert measure_workers(uncached, batch_size=4, step_s=0.05, cores=9, budget_s=0.02) >= 4


def test_long_steps_need_none_and_short_ones_all_cores_but_one(
    utterances: list[Utterance],
) -> None:
    corpus = Corpus(utterances, None, 16000, transform=slow)
    assert measure_workers(corpus, batch_size=1, step_s=100.0, budget_s=0.02) == 0
    assert measure_workers(corpus, batch_size=16, step_s=1e-6, cores=5, budget_s=0.02) == 4
    assert measure_workers(corpus, batch_size=16, step_s=1e-6, cores=1, budget_s=0.02) == 1


def test_reading_is_measured_without_the_cache(utterances: list[Utterance]) -> None:
    corpus = Corpus(utterances, None, 16000, transform=slow)
    assert item_seconds(corpus, budget_s=0.02) >= 0.002
    assert len(corpus.cache) == 0
