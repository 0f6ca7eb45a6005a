"""The loader: the same batches from any number of processes, ranks that share, resume, death."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ctcasr.batch import Batch, Utterance
from ctcasr.data import Corpus, Loader, WorkerError, item_seconds, measure_workers
from ctcasr.text import Alphabet

ENGLISH = Alphabet.english38()
FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def _noisy(samples: Tensor, generator: torch.Generator, utterance: Utterance) -> Tensor:
    return samples + torch.randn(samples.shape, generator=generator)


def _fatal(samples: Tensor, generator: torch.Generator, utterance: Utterance) -> Tensor:
    os.kill(os.getpid(), signal.SIGKILL)
    return samples


def _broken(samples: Tensor, generator: torch.Generator, utterance: Utterance) -> Tensor:
    raise ZeroDivisionError("a mistake in the transform")


def assert_equal(left: Iterable[Batch | None], right: Iterable[Batch | None]) -> None:
    left, right = list(left), list(right)
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert (one is None) == (other is None)
        if one is None or other is None:
            continue
        assert (one.utterances, one.skipped, one.seeds) == (
            other.utterances,
            other.skipped,
            other.seeds,
        )
        assert one.audio.lengths == other.audio.lengths and torch.equal(
            one.audio.data, other.audio.data
        )
        assert one.target_lengths == other.target_lengths and torch.equal(
            one.targets, other.targets
        )


@pytest.fixture
def corpus(utterances: list[Utterance]) -> Corpus:
    return Corpus(
        utterances, ENGLISH, 8000, _noisy
    )  # resampled, so that processes have something to differ in


def test_an_epoch_is_its_plan(corpus: Corpus) -> None:
    for loader in (
        Loader(corpus, batch_size=4),
        Loader(corpus, batch_seconds=2.0),
        Loader(corpus, batch_size=4, order="sorted"),
    ):
        batches = list(loader.epoch(3))
        indices = [
            [corpus.utterances.index(u) for u in batch.utterances] for batch in batches if batch
        ]
        assert indices == loader.plan(3)
        assert len(batches) == len(loader) == len(loader.plan(0)) and not loader.skipped
    assert loader.seconds == pytest.approx(sum(u.duration or 0 for u in corpus.utterances))


@pytest.mark.parametrize("start", [0, 1, 5, 6])
def test_resumed_anywhere_it_is_the_rest_of_the_epoch(corpus: Corpus, start: int) -> None:
    whole = list(Loader(corpus, batch_size=4, seed=1).epoch(2))
    assert_equal(Loader(corpus, batch_size=4, seed=1).epoch(2, start), whole[start:])


@pytest.mark.parametrize("method", [pytest.param("fork", marks=FORK), "spawn"])
def test_worker_processes_change_nothing(corpus: Corpus, method: str) -> None:
    here = Loader(corpus, batch_size=4)
    there = Loader(corpus, batch_size=4, workers=2 if method == "fork" else 1, start_method=method)
    state = torch.get_rng_state()
    for epoch in (0, 1):  # the same processes in both
        assert_equal(there.epoch(epoch), here.epoch(epoch))
    assert torch.equal(torch.get_rng_state(), state)
    there.close()


@FORK
def test_an_abandoned_epoch_leaves_no_batch_behind(corpus: Corpus) -> None:
    here, there = (
        Loader(corpus, batch_size=2),
        Loader(corpus, batch_size=2, workers=2, start_method="fork"),
    )
    trial = there.epoch(0)
    next(trial)
    assert_equal(there.epoch(1, 3), here.epoch(1, 3))
    with pytest.raises(RuntimeError, match="another epoch"):
        list(trial)
    assert list(there.epoch(1, len(there))) == []
    assert_equal(there.epoch(2), here.epoch(2))
    there.close()


@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_ranks_share_every_batch(corpus: Corpus, world: int) -> None:
    alone = list(Loader(corpus, batch_size=4).epoch(1))
    ranks = [
        list(Loader(corpus, batch_size=4, rank=rank, world=world).epoch(1)) for rank in range(world)
    ]
    assert all(len(batches) == len(alone) for batches in ranks)
    for number, whole in enumerate(alone):
        assert whole is not None
        parts = [ranks[rank][number] for rank in range(world)]
        assert sorted(i for part in parts if part for i in part.ids) == sorted(whole.ids)
        sizes = [len(part) if part is not None else 0 for part in parts]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=FORK)])
def test_nothing_unreadable_is_lost(
    utterances: list[Utterance], tmp_path: Path, workers: int
) -> None:
    bad = [replace(u, audio_filepath=tmp_path / "gone.wav") for u in utterances[:4]]
    corpus = Corpus([*bad, *utterances[4:]], ENGLISH, 16000)
    loader = Loader(
        corpus,
        batch_size=2,
        order="manifest",
        workers=workers,
        start_method="fork" if workers else None,
    )
    for epoch in (0, 1):
        batches = list(loader.epoch(epoch))
        assert batches[:2] == [None, None] and all(batch is not None for batch in batches[2:])
        assert [skip.where for skip in loader.unread] == [
            u.where for u in bad
        ]  # in each epoch anew
    assert [skip.where for skip in loader.skipped] == [
        u.where for u in bad
    ] and loader.utterances == len(utterances)
    loader.close()


@FORK
def test_a_dead_worker_is_told_and_the_next_epoch_works(utterances: list[Utterance]) -> None:
    loader = Loader(
        Corpus(utterances, ENGLISH, 16000, _fatal), batch_size=2, workers=1, start_method="fork"
    )
    with pytest.raises(
        WorkerError, match=r"1 worker processes died near batch \d+ of epoch 0.*workers=0"
    ):
        list(loader.epoch(0))
    loader.corpus.transform = None
    assert sum(len(batch) for batch in loader.epoch(1) if batch) == len(utterances)
    loader.close()


@FORK
def test_a_mistake_in_a_worker_keeps_its_type(utterances: list[Utterance]) -> None:
    loader = Loader(
        Corpus(utterances, ENGLISH, 16000, _broken), batch_size=2, workers=1, start_method="fork"
    )
    with pytest.raises(ZeroDivisionError, match="a mistake in the transform"):
        list(loader.epoch(0))
    loader.close()


def test_bad_settings(corpus: Corpus) -> None:
    for settings, match in [
        ({}, "neither"),
        ({"batch_size": 0}, "batch_size >= 1"),
        ({"batch_seconds": 0.0}, "batch_seconds > 0"),
        ({"batch_size": 1, "rank": 2, "world": 2}, "rank"),
        ({"batch_size": 1, "seed": -1}, "seed"),
        ({"batch_size": 1, "order": "random"}, "random"),
    ]:
        with pytest.raises(ValueError, match=match):
            Loader(corpus, **settings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one"):
        Loader(Corpus([], ENGLISH, 16000), batch_size=1)
    with pytest.raises(ValueError, match="start_batch"):
        next(Loader(corpus, batch_size=4).epoch(0, 7))


def test_workers_follow_the_ratio_of_reading_to_step(corpus: Corpus) -> None:
    assert item_seconds(corpus, 0.05) > 0
    assert measure_workers(corpus, batch_size=4, step_s=1e6, cores=8, budget_s=0.05) == 0
    assert measure_workers(corpus, batch_size=4, step_s=1e-9, cores=8, budget_s=0.05) == 7
    assert measure_workers(corpus, batch_size=4, step_s=1e-9, cores=1, budget_s=0.05) == 1


def test_no_workers_for_what_fits_in_memory(utterances: list[Utterance]) -> None:
    cached = Corpus(utterances, ENGLISH, 16000)
    assert measure_workers(cached, batch_size=4, step_s=100.0, cores=8, budget_s=0.05) == 0
    small = Corpus(utterances, ENGLISH, 16000, cache_bytes=100)
    assert measure_workers(small, batch_size=4, step_s=1e-9, cores=8, budget_s=0.05) == 7


@pytest.mark.parametrize(
    "name", ["fsdd/test", "speech_commands/valid", "librispeech_samples/train"]
)
def test_recordings(data_root: Path, name: str) -> None:
    from ctcasr.data import read_manifest

    utterances = read_manifest(data_root / f"{name}.jsonl").utterances
    loader = Loader(Corpus(utterances, ENGLISH, 16000), batch_seconds=60.0)
    batches = [batch for batch in loader.epoch(0) if batch is not None]
    assert sum(len(batch) for batch in batches) == len(utterances) and not loader.skipped
    assert sum(batch.audio.seconds for batch in batches) == pytest.approx(loader.seconds, rel=1e-3)
    assert all(batch.audio.data.numel() / 16000 <= 60.01 for batch in batches)
