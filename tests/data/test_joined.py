from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from ctcasr.batch import Utterance
from ctcasr.data import Corpus, JoinedCorpus, Loader, repeats_for
from ctcasr.data.corpus import Item

RATE = 8000


def corpus(folder: Path, name: str, count: int, **options: Any) -> Corpus:
    utterances = []
    for index in range(count):
        path = folder / f"{name}{index}.wav"
        soundfile.write(path, torch.full((RATE // 2 + index,), 0.1).numpy(), RATE)
        utterances.append(Utterance(path, duration=0.5))
    return Corpus(utterances, None, RATE, **options)


def test_every_utterance_is_heard_as_often_as_asked(tmp_path: Path) -> None:
    large = corpus(tmp_path, "large", 3)
    small = corpus(tmp_path, "small", 2)
    joined = JoinedCorpus([large, small], repeats=[1, 2])
    names = []
    for index in range(len(joined)):
        item = joined[index]
        assert isinstance(item, Item)
        names.append(item.utterance.file_name)
    assert names == [u.file_name for u in joined.utterances]
    assert len([name for name in names if name.startswith("small")]) == 4
    assert joined.seconds == pytest.approx(7 * 0.5)


def test_what_is_heard_again_is_augmented_anew(tmp_path: Path) -> None:
    small = corpus(tmp_path, "small", 1, speeds=(0.8, 0.9, 1.0, 1.1, 1.2))
    joined = JoinedCorpus([small], repeats=[8])
    first = [len(joined.item(index, epoch=0).samples) for index in range(8)]  # type: ignore[union-attr]
    second = [len(joined.item(index, epoch=1).samples) for index in range(8)]  # type: ignore[union-attr]
    assert len(set(first)) > 1
    assert first != second
    again = [len(joined.item(index, epoch=1).samples) for index in range(8)]  # type: ignore[union-attr]
    assert again == second


def test_a_loader_takes_all(tmp_path: Path) -> None:
    joined = JoinedCorpus([corpus(tmp_path, "a", 3), corpus(tmp_path, "b", 1)], [1, 3])
    loader = Loader(joined, batch_size=2, order="shuffle", seed=0)
    assert sum(len(batch) for batch in loader.epoch(0) if batch) == 6


@pytest.mark.parametrize("repeats", [[1], [1, 0]])
def test_repeats_must_be_one_of_each(tmp_path: Path, repeats: list[int]) -> None:
    parts = [corpus(tmp_path, "a", 1), corpus(tmp_path, "b", 1)]
    with pytest.raises(ValueError, match="how often"):
        JoinedCorpus(parts, repeats)


def test_rates_must_be_one() -> None:
    with pytest.raises(ValueError, match="one sample rate"):
        JoinedCorpus([Corpus([], None, 8000), Corpus([], None, 16000)], [1, 1])


@pytest.mark.parametrize(("share", "repeats"), [(0.5, 10), (0.01, 1), (0.9, 90)])
def test_repeats_make_the_share(share: float, repeats: int) -> None:
    assert repeats_for(share, small_s=10, large_s=100) == repeats
