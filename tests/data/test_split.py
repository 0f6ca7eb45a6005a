"""The dev part: a partition, by speaker where there are enough, the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.batch import Utterance
from ctcasr.data import find_leaks, read_manifest, source_of, split_dev, take_minutes


def _line(index: int, speaker: int | None, file: int, text: int) -> Utterance:
    name = None if speaker is None else f"s{speaker}"
    return Utterance(Path(f"{file}.wav"), 1.0, f"t{text}", speaker=name, where=f"m:{index}")


LINES = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 8)), st.integers(0, 20), st.integers(0, 3)),
    min_size=2,
    max_size=60,
).map(lambda rows: [_line(i, *row) for i, row in enumerate(rows)])


@given(LINES, st.floats(0.01, 0.9), st.integers(0, 3))
def test_a_partition_that_parts_no_group(lines: list[Utterance], share: float, seed: int) -> None:
    try:
        train, dev = split_dev(lines, share, seed)
    except ValueError:
        speakers = {u.speaker for u in lines}
        assert len({(u.audio_filepath, u.text) for u in lines}) < 2 and (
            None in speakers or len(speakers) < 5
        )
        return
    assert train and dev
    assert sorted([*train, *dev], key=lines.index) == lines
    assert [u for u in lines if u in train] == list(train)
    if None not in {u.speaker for u in lines} and len({u.speaker for u in lines}) >= 5:
        assert not {u.speaker for u in train} & {u.speaker for u in dev}
    else:
        assert not {(u.audio_filepath, u.text) for u in train} & {
            (u.audio_filepath, u.text) for u in dev
        }
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


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=40),
    st.booleans(),
    st.floats(0.1, 0.9),
)
def test_a_source_recording_is_not_parted(
    rows: list[tuple[int, int]], named: bool, share: float
) -> None:
    """Neither where the file names tell it nor where the lines do; speakers stay whole."""
    lines = [
        Utterance(
            Path(f"1-{source}-{'ABCDEFGHIJ'[i % 10]}-{i}.wav" if named else f"{i}.wav"),
            speaker=f"s{speaker}",
            label="x",
            extra={} if named else {"source": source},
        )
        for i, (speaker, source) in enumerate(rows)
    ]
    try:
        train, dev = split_dev(lines, share)
    except ValueError:
        return
    assert train and dev and len(train) + len(dev) == len(lines)
    assert not {source_of(u) for u in train} & {source_of(u) for u in dev}
    if len({u.speaker for u in lines}) >= 5:
        assert not {u.speaker for u in train} & {u.speaker for u in dev}


def test_one_source_alone_leaves_nothing_to_hold_out() -> None:
    lines = [Utterance(Path(f"{i}.wav"), label="x", extra={"source": 7}) for i in range(9)]
    with pytest.raises(ValueError, match="two different"):
        split_dev(lines)


def test_bad_calls() -> None:
    with pytest.raises(ValueError, match="two different"):
        split_dev([_line(0, 0, 0, 0)] * 3)
    with pytest.raises(ValueError, match="share"):
        split_dev([_line(i, 0, i, 0) for i in range(3)], 1.0)


def test_recordings(data_root: Path) -> None:
    train, dev = split_dev(read_manifest(data_root / "librispeech_samples/train.jsonl").utterances)
    assert (len(train), len(dev)) == (81, 9) and not {u.speaker for u in train} & {
        u.speaker for u in dev
    }
    assert len(split_dev(read_manifest(data_root / "grid_s1/train.jsonl").utterances)[1]) == 68


def test_the_dev_part_of_esc10_has_recordings_of_its_own(data_root: Path) -> None:
    lines = [
        u for n in (1, 2) for u in read_manifest(data_root / "esc10" / f"fold{n}.jsonl").utterances
    ]
    assert len({source_of(u) for u in lines}) < len(
        lines
    )  # several clips of one recording: there is something to part
    for seed in range(5):
        train, dev = split_dev(lines, 0.2, seed)
        assert not find_leaks(train, dev, listen=False) and 20 <= len(dev) <= 40


def test_minutes_are_taken_evenly_and_never_more_than_there_are() -> None:
    clips = [Utterance(Path(f"{number}.wav"), duration=6.0) for number in range(50)]
    taken = take_minutes(clips, 2.0, seed=1)
    assert len(taken) == len({clip.audio_filepath for clip in taken}) == 20
    assert taken == take_minutes(clips, 2.0, seed=1) != take_minutes(clips, 2.0, seed=2)
    assert len(take_minutes(clips, 0.01)) == 2  # one to learn from, one to select by
    assert len(take_minutes(clips, 60.0)) == 50
    assert take_minutes(clips, 0.0) == tuple(clips)
    assert take_minutes([], 5.0) == ()
    assert take_minutes([Utterance(Path("unknown.wav"))], 5.0) == (Utterance(Path("unknown.wav")),)


def test_minutes_of_lines_without_a_duration_are_those_of_the_headers(tmp_path: Path) -> None:
    clips = []
    for number in range(10):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.zeros(8000 * 6), 8000)
        clips.append(Utterance(path))
    assert len(take_minutes(clips, 0.5)) == 5


def test_a_seed_below_zero_is_told() -> None:
    lines = [Utterance(Path(f"{index}.wav")) for index in range(4)]
    with pytest.raises(ValueError, match="seed of the dev part: expected 0 or more; got -1"):
        split_dev(lines, 0.5, seed=-1)
