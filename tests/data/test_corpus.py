"""A corpus: items, skips with their reasons, batches, randomness by seed, epoch and utterance."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError, Corpus, Item, collate, read_audio
from ctcasr.data.corpus import STATES_HZ
from ctcasr.text import Alphabet, UncoveredText

Write = Callable[..., Path]
ENGLISH = Alphabet.english38()


def _noisy(samples: Tensor, generator: torch.Generator, utterance: Utterance) -> Tensor:
    return samples + torch.randn(samples.shape, generator=generator)


def test_items_are_samples_and_tokens(utterances: list[Utterance]) -> None:
    corpus = Corpus(utterances, ENGLISH, 16000)
    assert len(corpus) == len(utterances)
    for index, utterance in enumerate(utterances):
        for _ in range(2):  # from the file, then from memory
            item = corpus[index]
            assert isinstance(item, Item) and item.utterance is utterance
            assert torch.equal(item.samples, read_audio(utterance, 16000))
            assert item.tokens == ENGLISH.encode(f"word {index}")
    assert len(corpus.cache) == len(corpus)


def test_durations_come_from_the_header_where_the_manifest_has_none(
    utterances: list[Utterance],
) -> None:
    bare = [replace(u, duration=None) for u in utterances]
    assert Corpus(bare, None, 16000).durations == pytest.approx(
        Corpus(utterances, None, 16000).durations
    )
    assert Corpus([replace(bare[0], offset=0.05)], None, 8000).seconds == pytest.approx(
        Corpus(bare, None, 1).durations[0] - 0.05
    )
    assert Corpus([Utterance(Path("missing.wav"))], None, 16000).durations == (0.0,)


def test_what_cannot_be_used_is_a_skip_with_where_and_why(write: Write, tmp_path: Path) -> None:
    good = write("good.wav")
    write("nan.wav", np.full(10, np.nan, np.float32), subtype="FLOAT")
    (tmp_path / "empty.wav").write_bytes(b"")
    lines = [
        (Utterance(tmp_path / "missing.wav", 1.0, "a"), "found nothing"),
        (Utterance(tmp_path / "empty.wav", 1.0, "a"), "0 bytes"),
        (Utterance(tmp_path / "nan.wav", None, "a"), "NaN"),
        (Utterance(good, 9.0, "a"), "9.000 s"),
        (Utterance(good, 1.0, None), "has none"),
        (Utterance(good, 1.0, "?!"), "'\\?!'"),
    ]
    corpus = Corpus([replace(u, where=f"m:{i}") for i, (u, _) in enumerate(lines)], ENGLISH, 16000)
    for index, (_, reason) in enumerate(lines):
        skip = corpus[index]
        assert isinstance(skip, Skip) and skip.where == f"m:{index}"
        assert reason.replace("\\", "") in skip.reason


def test_empty_text_is_an_utterance_without_words(write: Write) -> None:
    item = Corpus([Utterance(write("a.wav"), 1.0, " ")], ENGLISH, 16000)[0]
    assert isinstance(item, Item) and item.tokens == []


def test_texts_are_not_needed_without_a_tokenizer(write: Write) -> None:
    item = Corpus([Utterance(write("a.wav"))], None, 16000)[0]
    assert isinstance(item, Item) and item.tokens == []


def test_strict_alphabets_refuse(write: Write) -> None:
    with pytest.raises(UncoveredText):
        Corpus([Utterance(write("a.wav"), 1.0, "a&b")], Alphabet.english38(strict=True), 16000)[0]


def test_any_rate_in_one_rate_inside(write: Write) -> None:
    corpus = Corpus(
        [Utterance(write("a.wav", 8000, 8000)), Utterance(write("b.wav", 44100, 44100, 2))],
        None,
        16000,
    )
    assert [len(corpus[i].samples) for i in range(2)] == [16000, 16000]  # type: ignore[union-attr]


def test_randomness_is_keyed_by_seed_epoch_and_utterance(utterances: list[Utterance]) -> None:
    def samples(index: int, seed: int, epoch: int) -> Tensor:
        item = Corpus(utterances, None, 16000, _noisy).item(index, seed=seed, epoch=epoch)
        assert isinstance(item, Item)
        return item.samples[:1000] - Corpus(utterances, None, 16000)[index].samples[:1000]  # type: ignore[union-attr]

    keys = [(3, 0, 0), (3, 0, 1), (3, 1, 0), (4, 0, 0)]
    first = [samples(*key) for key in keys]
    for row, key in enumerate(keys):
        assert torch.equal(first[row], samples(*key))
        assert all(not torch.allclose(first[row], first[other], atol=0.1) for other in range(row))
    seeds = {Corpus(utterances, None, 16000).item(i, seed=s, epoch=e).seed for i, s, e in keys}  # type: ignore[union-attr]
    assert len(seeds) == 4 and all(0 <= seed < 2**63 for seed in seeds)


def test_a_failing_transform_is_an_error_not_a_skip(utterances: list[Utterance]) -> None:
    def broken(samples: Tensor, generator: torch.Generator, utterance: Utterance) -> Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Corpus(utterances, None, 16000, broken)[0]


def test_pickled_without_its_cache(utterances: list[Utterance]) -> None:
    corpus = Corpus(utterances, ENGLISH, 16000, _noisy)
    corpus[0]
    copy = pickle.loads(pickle.dumps(corpus))
    assert len(copy.cache) == 0 and torch.equal(copy[0].samples, corpus[0].samples)  # type: ignore[union-attr]


def test_collate_pads_concatenates_and_names_what_is_missing(utterances: list[Utterance]) -> None:
    corpus = Corpus(
        [*utterances[:3], Utterance(Path("gone.wav"), 1.0, "x", where="m:9")], ENGLISH, 16000
    )
    batch = collate([corpus.item(i, epoch=2) for i in (0, 3, 1, 2)], 16000)
    assert (
        batch is not None
        and batch.ids == ("u0", "u1", "u2")
        and batch.audio.rate == Fraction(16000)
    )
    targets = batch.targets.split(list(batch.target_lengths))
    for row in range(3):
        assert torch.equal(batch.audio.row(row), corpus[row].samples)  # type: ignore[union-attr]
        assert targets[row].tolist() == ENGLISH.encode(f"word {row}")
        assert not batch.audio.data[row, batch.audio.lengths[row] :].any()
    assert batch.targets.dtype == torch.int64
    assert batch.seeds == tuple(corpus.item(i, epoch=2).seed for i in range(3))  # type: ignore[union-attr]
    assert [skip.where for skip in batch.skipped] == ["m:9"]
    assert collate([corpus[3]], 16000) is None and collate([], 16000) is None


def test_bad_rate(utterances: list[Utterance]) -> None:
    with pytest.raises(ValueError, match="rate_hz"):
        Corpus(utterances, None, 0)
    with pytest.raises(AudioError):
        read_audio(Path("nowhere.wav"), 16000)


def test_scenes_without_speech_are_known_when_the_batch_is_made() -> None:
    items = []
    for level in (0.0, 0.5):
        samples = level * torch.sin(torch.arange(80.0))
        utterance = Utterance(Path(f"{level}.wav"))
        items.append(Item(utterance, samples + 0.1, [], 0, clean=samples))
    scenes = collate(items, 8000)
    assert scenes is not None and scenes.silent == (True, False)
    assert scenes.rows([1]).silent == (False,)
    without_clean = collate([Item(items[0].utterance, items[0].samples, [], 0)], 8000)
    assert without_clean is not None and without_clean.silent == ()


def test_states_are_collated_where_every_item_tells_them() -> None:
    items = []
    for count in (3, 2):
        states = torch.arange(count)
        items.append(Item(Utterance(Path("a.wav")), torch.ones(160), [1], states=states))
    batch = collate(items, 16000)
    assert batch is not None and batch.states is not None
    assert batch.states.rate == STATES_HZ and batch.states.lengths == (3, 2)
    assert batch.states.data.tolist() == [[0, 1, 2], [0, 1, 0]]
    untold = collate([*items, Item(Utterance(Path("b.wav")), torch.ones(160), [1])], 16000)
    assert untold is not None and untold.states is None
