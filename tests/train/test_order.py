"""The hash of an epoch's batches: equal where the batches are, other where anything of them is."""

from __future__ import annotations

from typing import Any

from ctcasr.data import Corpus, Loader
from ctcasr.text import Alphabet
from ctcasr.train.order import epoch_order, part_content

RATE = 8000


def loader(tones: Any, count: int = 12, **how: Any) -> Loader:
    corpus = Corpus(tones[:count], Alphabet("abc "), RATE)
    return Loader(corpus, **{"batch_size": 3, "order": "shuffle", "seed": 5, **how})


def test_it_depends_on_what_the_batches_are_and_on_nothing_else(tones: Any) -> None:
    order = epoch_order(loader(tones), 1)
    assert order == epoch_order(loader(tones), 1) == epoch_order(loader(tones, rank=1, world=2), 1)
    others = [
        epoch_order(loader(tones), 2),
        epoch_order(loader(tones, batch_size=4), 1),
        epoch_order(loader(tones, seed=6), 1),
        epoch_order(loader(tones, order="sorted"), 1),
        epoch_order(loader(tones, count=13), 1),
        epoch_order(loader(tones[::-1]), 1),
    ]
    assert order not in others and len(set(others)) == len(others)


def test_a_loader_that_tells_nothing_is_known_by_its_length(fixed: Any, make_batch: Any) -> None:
    one, two = fixed([make_batch("a")]), fixed([make_batch("a"), make_batch("b")])
    assert epoch_order(one, 0) == epoch_order(one, 3) != epoch_order(two, 0)


def test_a_part_is_known_by_its_utterances_whatever_their_order_and_batches(tones: Any) -> None:
    content = part_content(loader(tones))
    same = [
        part_content(loader(tones[:12][::-1])),
        part_content(loader(tones, batch_size=4, order="sorted", seed=6)),
        part_content(loader(tones, rank=1, world=2)),
    ]
    assert set(same) == {content}
    other_text = [tones[0].with_text("abc abc"), *tones[1:12]]
    others = [part_content(loader(tones, count=13)), part_content(loader(other_text))]
    assert len({content, part_content(None), *others}) == 4


def test_a_part_that_tells_no_utterances_is_not_told_apart(fixed: Any, make_batch: Any) -> None:
    one, two = fixed([make_batch("a")]), fixed([make_batch("a"), make_batch("b")])
    assert part_content(one) == part_content(two) == part_content(None)
