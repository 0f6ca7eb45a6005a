"""The dev part: a partition, by speaker where there are enough, the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.batch import Utterance
from ctcasr.data import read_manifest, split_dev


def _line(index: int, speaker: int | None, file: int, text: int) -> Utterance:
    name = None if speaker is None else f"s{speaker}"
    return Utterance(Path(f"{file}.wav"), 1.0, f"t{text}", speaker=name, where=f"m:{index}")


LINES = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 8)), st.integers(0, 20), st.integers(0, 3)), min_size=2, max_size=60
).map(lambda rows: [_line(i, *row) for i, row in enumerate(rows)])


@given(LINES, st.floats(0.01, 0.9), st.integers(0, 3))
def test_a_partition_that_parts_no_group(lines: list[Utterance], share: float, seed: int) -> None:
    try:
        train, dev = split_dev(lines, share, seed)
    except ValueError:
        speakers = {u.speaker for u in lines}
        assert len({(u.audio_filepath, u.text) for u in lines}) < 2 and (None in speakers or len(speakers) < 5)
        return
    assert train and dev
    assert sorted([*train, *dev], key=lines.index) == lines
    assert [u for u in lines if u in train] == list(train)
    if None not in {u.speaker for u in lines} and len({u.speaker for u in lines}) >= 5:
        assert not {u.speaker for u in train} & {u.speaker for u in dev}
    else:
        assert not {(u.audio_filepath, u.text) for u in train} & {(u.audio_filepath, u.text) for u in dev}
    assert (train, dev) == split_dev(lines, share, seed)


def test_sizes_and_seeds() -> None:
    lines = [_line(i, 0, i, i) for i in range(200)]
    assert len(split_dev(lines, 0.1)[1]) == 20
    assert len(split_dev(lines, 0.1, least=50)[1]) == 50
    assert len(split_dev(lines, 0.1, least=500)[1]) == 100
    assert split_dev(lines, 0.1, seed=0)[1] != split_dev(lines, 0.1, seed=1)[1]


def test_a_speaker_with_most_of_the_data_stays_in_train() -> None:
    lines = [_line(i, 0 if i < 80 else 1 + i % 5, i, i) for i in range(100)]
    for seed in range(10):
        train, dev = split_dev(lines, 0.1, seed)
        assert "s0" in {u.speaker for u in train} and 4 <= len(dev) <= 12


def test_bad_calls() -> None:
    with pytest.raises(ValueError, match="two different"):
        split_dev([_line(0, 0, 0, 0)] * 3)
    with pytest.raises(ValueError, match="share"):
        split_dev([_line(i, 0, i, 0) for i in range(3)], 1.0)


def test_recordings(data_root: Path) -> None:
    train, dev = split_dev(read_manifest(data_root / "librispeech_samples/train.jsonl").utterances)
    assert (len(train), len(dev)) == (81, 9) and not {u.speaker for u in train} & {u.speaker for u in dev}
    assert len(split_dev(read_manifest(data_root / "grid_s1/train.jsonl").utterances)[1]) == 68
