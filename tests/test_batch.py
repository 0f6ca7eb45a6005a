"""Utterances check themselves; batches move."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.batch import Batch, Utterance
from ctcasr.seq import Seq

SECONDS = st.floats(0, 1e6)


@given(
    st.fixed_dictionaries(
        {"audio_filepath": st.sampled_from(["a.wav", "b/c.flac"])},
        optional={
            "duration": SECONDS,
            "offset": SECONDS,
            "text": st.text(),
            "speaker": st.text(),
            "note": st.integers(),
        },
    )
)
def test_every_key_of_a_line_is_kept(line: dict[str, Any]) -> None:
    utterance = Utterance.from_json(line, Path("folder"), "m.jsonl:3")
    assert utterance.audio_filepath == Path("folder") / line["audio_filepath"]
    for name in ("duration", "text"):
        assert getattr(utterance, name) == line.get(name)
    assert utterance.speaker == (line.get("speaker") or None), "an empty name is none"
    assert utterance.offset == line.get("offset", 0.0)
    assert utterance.extra == {key: value for key, value in line.items() if key == "note"}
    assert utterance.where == "m.jsonl:3"


@given(
    st.one_of(
        st.floats(max_value=-1e-9),
        st.just(float("nan")),
        st.just(float("inf")),
        st.text(),
        st.booleans(),
        st.lists(SECONDS),
    )
)
def test_what_is_no_time_is_refused_with_the_line(value: Any) -> None:
    for name in ("duration", "offset"):
        with pytest.raises(ValueError, match=rf"m\.jsonl:3: {name}: expected seconds >= 0"):
            Utterance(**{"audio_filepath": Path("a.wav"), "where": "m.jsonl:3", name: value})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ([], "JSON object"),
        ({}, "audio_filepath"),
        ({"audio_filepath": ""}, "audio_filepath"),
        ({"audio_filepath": None}, "audio_filepath"),
        ({"audio_filepath": "a.wav", "video_filepath": 1}, "video_filepath"),
        ({"audio_filepath": "a.wav", "text": ["a"]}, "text"),
        ({"audio_filepath": "a.wav", "speaker": 1.5}, "speaker"),
        ({"audio_filepath": "a.wav", "label": {}}, "label"),
    ],
)
def test_broken_lines(line: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^m:1: .*{reason}"):
        Utterance.from_json(line, Path(), "m:1")


def test_numbers_serve_as_speakers_and_labels() -> None:
    utterance = Utterance.from_json(
        {"audio_filepath": "a.wav", "speaker": 12, "label": 0, "offset": None}, Path()
    )
    assert (utterance.speaker, utterance.label, utterance.offset) == ("12", "0", 0.0)


def test_names() -> None:
    assert Utterance(Path("x/a.wav")).id == "a"
    assert Utterance(Path("x/a.wav"), offset=1.5).id == "a@1.5"
    assert Utterance(Path("a.wav"), 1.0, "old").with_text("new") == Utterance(
        Path("a.wav"), 1.0, "new"
    )


def test_a_batch_moves_with_all_that_it_holds() -> None:
    sound = Seq(torch.zeros(2, 4), (4, 3), Fraction(16000))
    batch = Batch(
        (Utterance(Path("a.wav")), Utterance(Path("b.wav"))),
        sound,
        torch.tensor([1, 2]),
        (1, 1),
        seeds=(5, 6),
        clean=sound,
        video=Seq(torch.zeros(2, 1, 2, 2), (1, 1), Fraction(25)),
        labels=torch.tensor([0, 1]),
        states=Seq(torch.tensor([[1, 2], [3, 0]]), (2, 1), Fraction(100)),
    )
    second = batch.rows([1])
    assert second.states is not None and second.states.data.tolist() == [[3]]
    assert len(batch) == 2 and batch.ids == ("a", "b")
    moved = batch.to("meta")
    assert moved.clean is not None and moved.video is not None and moved.labels is not None
    assert moved.states is not None
    parts = (moved.audio, moved.clean, moved.video, moved.labels, moved.states)
    assert {part.device.type for part in parts} == {"meta"}
    assert (
        moved.targets.device.type == "cpu"
        and moved.seeds == (5, 6)
        and moved.audio.lengths == (4, 3)
    )


def test_a_batch_without_extras_moves_too() -> None:
    sound = Seq(torch.zeros(1, 4), (4,), Fraction(16000))
    moved = Batch((Utterance(Path("a.wav")),), sound, torch.tensor([1]), (1,)).to("meta")
    assert moved.clean is None and moved.labels is None


@pytest.mark.cuda
def test_pinned_memory() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    sound = Seq(torch.zeros(1, 4), (4,), Fraction(16000))
    pinned = Batch((Utterance(Path("a.wav")),), sound, torch.tensor([1]), (1,), clean=sound).pin()
    assert (
        pinned.audio.data.is_pinned() and pinned.clean is not None and pinned.clean.data.is_pinned()
    )
