"""Classes, folds, and what train and test may not share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ctcasr.batch import Skip, Utterance
from ctcasr.data import (
    Clip,
    Corpus,
    LeakError,
    chosen_classes,
    classes_of,
    collate,
    count_classes,
    find_leaks,
    own_folds,
    read_manifest,
    refuse_leaks,
    rounds,
    source_of,
    speaker_folds,
    word_pairs,
)


def sound(path: Path, seed: int, rate_hz: int = 8000, count: int = 800) -> Path:
    draw = np.random.default_rng(seed)
    soundfile.write(path, (3000 * draw.standard_normal(count)).astype(np.int16), rate_hz)
    return path


def line(label: str | None, speaker: str | None = None, **more: Any) -> Utterance:
    return Utterance(Path(f"{label}_{speaker}.wav"), label=label, speaker=speaker, **more)


def test_classes_are_sorted_and_may_have_odd_names() -> None:
    odd = ["straße/1", "a b\t", "$x$", "日本"]
    assert classes_of([line(name) for name in odd]) == tuple(sorted(odd))


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["a", "a"], "two classes or more"),
        (["a", None], "expected a label"),
        (["a", " "], "expected a label"),
        ([], "no utterance"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(labels: list[str | None], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        classes_of([line(label) for label in labels])


def test_an_empty_class_is_named() -> None:
    assert count_classes([line("a"), line("b"), line("a"), line("c")], ("a", "b")) == {
        "a": 2,
        "b": 1,
    }
    with pytest.raises(ValueError, match=r"none of 'c'$"):
        count_classes([line("a")], ("a", "c"))
    with pytest.raises(ValueError, match=r"none of 'b'; 1 could not be read, as .*no sound"):
        count_classes([line("a"), line("b", where="m:2")], ("a", "b"), [Skip("m:2", "no sound")])


def test_a_corpus_numbers_labels_and_names_those_it_does_not_know(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.wav", 0)
    lines = [
        Utterance(path, label=name, where=f"m:{n}")
        for n, name in enumerate(["b", "a", "zebra", None])
    ]
    items = [Corpus(lines, None, 8000, Clip(1000), labels={"a": 0, "b": 1})[i] for i in range(4)]
    batch = collate(items, 8000)
    assert (
        batch is not None
        and batch.labels is not None
        and batch.labels.tolist() == [1, 0]
        and batch.audio.lengths == (1000, 1000)
    )
    assert [(skip.where, "2 classes (a, b)" in skip.reason) for skip in batch.skipped] == [
        ("m:2", True),
        ("m:3", True),
    ]
    assert isinstance(items[2], Skip) and "'zebra'" in items[2].reason


def test_without_labels_a_batch_has_none(tmp_path: Path) -> None:
    batch = collate([Corpus([Utterance(sound(tmp_path / "a.wav", 0))], None, 8000)[0]], 8000)
    assert batch is not None and batch.labels is None


def test_sources_by_line_or_by_the_names_of_known_collections() -> None:
    assert (
        source_of(Utterance(Path("x/3-118656-A.ogg"))) == "118656"
        and source_of(Utterance(Path("1-30226-A-0.wav"))) == "30226"
    )
    assert source_of(Utterance(Path("100032-3-0-0.wav"))) == "100032"
    assert (
        source_of(Utterance(Path("x.wav"), extra={"source": 7})) == "7"
        and source_of(Utterance(Path("dog_1.wav"))) is None
    )


def test_the_same_file_source_or_sound_is_an_error_that_names_it(tmp_path: Path) -> None:
    a, b, c = (
        Utterance(sound(tmp_path / f"{name}.wav", seed), label=name, where=name)
        for seed, name in enumerate("abc")
    )
    refuse_leaks([a], [b, c])
    with pytest.raises(LeakError, match=r"the same file: a \(train\) and a \(test\)"):
        refuse_leaks([a, b], [a])
    with pytest.raises(LeakError, match=r"the same source recording: a .* c"):
        refuse_leaks([replace(a, extra={"source": "77"})], [replace(c, extra={"source": "77"})])
    copy = tmp_path / "copy.flac"
    data, rate = soundfile.read(a.audio_filepath, dtype="int16")
    soundfile.write(
        copy, np.concatenate([np.zeros(99, np.int16), data, np.zeros(5, np.int16)]), rate
    )
    other = Utterance(copy, where="copy")
    assert find_leaks([a], [other], listen=False) == []
    with pytest.raises(LeakError, match=r"the same sound: a .* copy"):
        refuse_leaks([a, b], [other])


def test_clips_of_one_file_leak_where_they_share_seconds() -> None:
    long = Path("long.wav")
    whole = Utterance(long, where="whole")
    first = Utterance(long, 1.0, where="first")
    inside = Utterance(long, 1.0, offset=0.5, where="inside")
    second = Utterance(long, 1.0, offset=1.0, where="second")
    for train, test in (([whole], [second]), ([first], [inside]), ([inside, first], [second])):
        (leak,) = find_leaks(train, test, listen=False)
        assert leak.what == "the same file" and leak.train == (train[0],)
    assert find_leaks([first], [second], listen=False) == []  # as packed corpora have them


def test_two_silent_clips_are_no_leak(tmp_path: Path) -> None:
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(100, np.int16), 8000)
    assert find_leaks([Utterance(tmp_path / "a.wav")], [Utterance(tmp_path / "b.wav")]) == []


def test_folds_of_the_lines() -> None:
    lines = [line("a", str(n), fold=n % 3 + 1) for n in range(9)]
    found = own_folds(lines)
    assert [fold.name for fold in found] == ["fold1", "fold2", "fold3"]
    for fold in found:
        train, test = set_of(fold.train), set_of(fold.test)
        assert train | test == set_of(lines) and not train & test and len(fold.test) == 3
    with pytest.raises(ValueError, match="expected a fold"):
        own_folds([*lines, line("a")])


def set_of(lines: Any) -> set[str]:
    return {u.id for u in lines}


def test_folds_over_speakers_share_none_and_are_even() -> None:
    lines = [line("ab"[n % 2], f"s{n % 17}") for n in range(170)]
    found = speaker_folds(lines, 5)
    assert sorted(u.speaker or "" for fold in found for u in fold.test) == sorted(
        u.speaker or "" for u in lines
    )
    for fold in found:
        assert (
            not {u.speaker for u in fold.train} & {u.speaker for u in fold.test}
            and 20 <= len(fold.test) <= 50
        )
    assert found == speaker_folds(lines, 5) and found != speaker_folds(lines, 5, seed=1)
    with pytest.raises(ValueError, match=r"2\.\.17 folds"):
        speaker_folds(lines, 18)
    with pytest.raises(ValueError, match="expected a speaker"):
        speaker_folds([line("a")], 2)


def test_rounds_by_what_was_asked_for() -> None:
    train, test = (
        [line("ab"[n % 2], f"s{n}", fold=n % 2 + 1) for n in part]
        for part in (range(8), range(8, 12))
    )
    (only,) = rounds(train, test)
    assert (only.name, list(only.train), list(only.test)) == ("", train, test)
    assert rounds(train, test, "own") == own_folds(
        [*train, *test]
    )  # both parts are folded together
    assert rounds(train, test, "3", 5) == speaker_folds([*train, *test], 3, 5)
    with pytest.raises(ValueError, match="'own', a number, or nothing; got 'five'"):
        rounds(train, test, "five")


def test_pairs_of_classes() -> None:
    (fold, *_) = speaker_folds([line(name, speaker) for name in "abcd" for speaker in "xy"], 2)
    pairs = word_pairs(fold)
    assert [p.name for p in pairs] == [
        f"{p}-fold1" for p in ("a-b", "a-c", "a-d", "b-c", "b-d", "c-d")
    ]
    assert {u.label for u in pairs[3].train} == {u.label for u in pairs[3].test} == {"b", "c"}


def test_the_folds_of_esc10_share_no_recording(data_root: Path) -> None:
    lines = [
        u
        for n in (1, 2, 3)
        for u in read_manifest(data_root / "esc10" / f"fold{n}.jsonl").utterances
    ]
    for fold in own_folds(lines):
        refuse_leaks(fold.train, fold.test, listen=False)
    assert all(source_of(u) for u in lines) and len(classes_of(lines)) == 10


def test_a_class_that_is_asked_for_and_does_not_occur_is_named() -> None:
    clips = [Utterance(Path(f"{word}.wav"), label=word) for word in ("yes", "no", "up")]
    assert chosen_classes(" yes,no ,", clips) == ["yes", "no"]
    with pytest.raises(ValueError, match=r"\(no, up, yes\); there is none of 'nein', 'YES'"):
        chosen_classes("yes,no,nein,YES", clips)
