"""Cross-validation: every utterance is tested once, and no speaker is on both sides."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.batch import Utterance
from ctcasr.data import own_folds, rounds, speaker_folds, word_pairs


def clips(speakers: list[str]) -> list[Utterance]:
    return [Utterance(Path(f"{i}.wav"), speaker=name) for i, name in enumerate(speakers)]


@given(st.lists(st.sampled_from("abcdef"), min_size=4), st.integers(0, 5))
def test_every_clip_is_tested_once_and_no_speaker_is_on_both_sides(
    speakers: list[str], seed: int
) -> None:
    count = len(set(speakers))
    if count < 2:
        return
    utterances = clips(speakers)
    folds = speaker_folds(utterances, count, seed)
    tested = [utterance.id for fold in folds for utterance in fold.test]
    assert sorted(tested) == sorted(utterance.id for utterance in utterances)
    for fold in folds:
        assert len(fold.train) + len(fold.test) == len(utterances)
        assert not {u.speaker for u in fold.train} & {u.speaker for u in fold.test}


def test_folds_are_about_equal() -> None:
    folds = speaker_folds(clips(list("aaaabbccdd")), 2)
    assert sorted(len(fold.test) for fold in folds) == [4, 6]


def test_own_folds_are_those_of_the_lines() -> None:
    utterances = [Utterance(Path(f"{i}.wav"), fold=i % 10 + 1) for i in range(20)]
    folds = own_folds(utterances)
    assert [fold.name for fold in folds] == [f"fold{number}" for number in range(1, 11)]
    assert all(len(fold.test) == 2 for fold in folds)
    assert rounds(utterances[:7], utterances[7:], "own") == folds


def test_without_folds_train_and_test_are_as_they_are() -> None:
    utterances = clips(["a", "b", "c"])
    (fold,) = rounds(utterances[:2], utterances[2:])
    assert (fold.name, len(fold.train), len(fold.test)) == ("", 2, 1)


def test_what_cannot_be_folded_is_refused() -> None:
    with pytest.raises(ValueError, match="m:3: expected a speaker"):
        speaker_folds([*clips(["a", "b"]), Utterance(Path("x.wav"), where="m:3")], 2)
    with pytest.raises(ValueError, match=r"within 2\.\.3 folds"):
        speaker_folds(clips(["a", "b", "c"]), 4)
    with pytest.raises(ValueError, match="m:1: expected a fold"):
        own_folds([Utterance(Path("x.wav"), where="m:1")])
    with pytest.raises(ValueError, match="two folds or more"):
        own_folds([Utterance(Path("x.wav"), fold=1)])
    with pytest.raises(ValueError, match="'own', a number"):
        rounds(clips(["a", "b"]), [], "each")


def test_pairs_of_classes_keep_only_theirs() -> None:
    words = [Utterance(Path(f"{word}.wav"), label=word) for word in ("yes", "no", "up")]
    (fold,) = rounds(words, words)
    pairs = word_pairs(fold)
    assert [pair.name for pair in pairs] == ["no-up", "no-yes", "up-yes"]
    for pair in pairs:
        assert (
            {u.label for u in pair.train} == {u.label for u in pair.test} == {*pair.name.split("-")}
        )
