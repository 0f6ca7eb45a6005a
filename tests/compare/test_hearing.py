"""What is heard is kept and told piece by piece: a slow judge is neither silent nor lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from numpy.typing import NDArray

from ctcasr.batch import Utterance
from ctcasr.compare import hearing as hearings
from ctcasr.compare.function_judge import FunctionJudge
from ctcasr.compare.hearing import SceneStimuli, Stimulus, hear
from ctcasr.compare.memory import HEARD, Memory
from ctcasr.compare.scene import scene_of
from ctcasr.text import plain_words

RATE_HZ = 100


def stimuli(scenes: int) -> list[SceneStimuli]:
    """A second of a constant for each scene; no file for the last one's enhanced sound."""
    made = []
    for number in range(scenes):
        scene = scene_of(Utterance(Path(f"s{number}.wav"), text="one"))
        noisy = Stimulus(torch.full((RATE_HZ,), float(number)))
        enhanced = Stimulus(torch.full((RATE_HZ,), -1.0 - number))
        if number == scenes - 1:
            enhanced = Stimulus(None, "missing", "no file")
        made.append(SceneStimuli(scene, RATE_HZ, {"noisy": noisy, "e": enhanced}))
    return made


def judge(listen: Callable[[list[NDArray], int], Sequence[str]]) -> FunctionJudge:
    return FunctionJudge("j", listen, plain_words, fingerprint="f")


def test_every_sound_is_told_once_and_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearings, "SECONDS_BETWEEN", 3.0)
    sizes: list[int] = []
    told: list[int] = []

    def listen(sounds: list[NDArray], rate_hz: int) -> list[str]:
        sizes.append(len(sounds))
        return ["one"] * len(sounds)

    heard = list(hear(judge(listen), stimuli(8), Memory(), told.append))
    assert sizes == [3, 3, 2, 3, 3, 1]
    assert sum(told) == len(heard) == 16
    assert [one.status for one in heard].count("missing") == 1


def test_what_is_remembered_is_told_too_and_not_heard(tmp_path: Path) -> None:
    writer = judge(lambda sounds, rate_hz: ["one"] * len(sounds))
    first = list(hear(writer, stimuli(4), Memory(tmp_path)))
    nobody = judge(lambda sounds, rate_hz: pytest.fail("heard again"))
    told: list[int] = []
    again = list(hear(nobody, stimuli(4), Memory(tmp_path), told.append))
    assert [one.hypothesis for one in again] == [one.hypothesis for one in first]
    assert sum(told) == 8


def test_an_interruption_loses_a_piece_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearings, "SECONDS_BETWEEN", 2.0)
    calls = []

    def listen(sounds: list[NDArray], rate_hz: int) -> list[str]:
        calls.append(sounds)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return ["one"] * len(sounds)

    with pytest.raises(KeyboardInterrupt):
        list(hear(judge(listen), stimuli(8), Memory(tmp_path)))
    assert len((tmp_path / HEARD).read_text().splitlines()) == 4


def test_conditions_can_be_left_out() -> None:
    (one,) = stimuli(1)
    assert list(one.without({"e"}).stimuli) == ["noisy"]
    assert list(one.stimuli) == ["noisy", "e"]
