"""The trial: equal sounds are heard once, one gain for a scene, delays undone and told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.compare import trial as trials
from ctcasr.compare.enhanced import NOISY, EnhancedFolder
from ctcasr.compare.function_judge import FunctionJudge
from ctcasr.compare.hearing import Hearing
from ctcasr.compare.judge import JudgeError
from ctcasr.compare.remarks import remarks_on_trial
from ctcasr.compare.scene import Scene, Sound, read_scenes, read_sound, scene_of
from ctcasr.compare.trial import Design, Trial, added, hold_trial
from ctcasr.scoring.errors import ErrorRates
from ctcasr.text import plain_words

Make = Callable[..., Path]


class Recorder(FunctionJudge):
    """Keeps what it hears."""

    def __init__(self) -> None:
        super().__init__("recorder", lambda sounds, rate_hz: [], plain_words)
        self.sounds: list[Tensor] = []

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        self.sounds += sounds
        return ["one two"] * len(sounds)


def trial_of(path: Path, folder: Path, shares: Sequence[float] = ()) -> tuple[Trial, Recorder]:
    judge = Recorder()
    design = Design([EnhancedFolder.open(folder, "e")], [judge], {"e": shares}, metrics=False)
    return hold_trial(read_scenes(path)[0], design), judge


def test_equal_sounds_are_heard_once(world: Make, enhanced: Make) -> None:
    path = world(3)
    trial, judge = trial_of(path, enhanced(path), shares=(0.0, 0.5, 1.0))
    assert len(trial.hearings) == 3 * (3 + 3)
    # noisy, clean and the mixture, whose rounding differs; shares 0 and 1 are the noisy file
    assert len(judge.sounds) <= 3 * 3
    assert {hearing.reference for hearing in trial.hearings} == {"one two three four five six"}


def test_an_enhancer_is_heard_with_its_own_shares_alone(world: Make, enhanced: Make) -> None:
    path = world(2)
    folders = [EnhancedFolder.open(enhanced(path, name=name), name) for name in ("a", "b")]
    design = Design(folders, [Recorder()], {"a": (0.2,)}, metrics=False)
    trial = hold_trial(read_scenes(path)[0], design)
    conditions = {hearing.condition for hearing in trial.hearings}
    assert conditions == {"noisy", "clean", "a", "b", added("a", 0.2)}


def test_a_judge_hears_the_mixtures_that_it_chose_alone(world: Make, enhanced: Make) -> None:
    path = world(2)
    folder = EnhancedFolder.open(enhanced(path), "e")
    judges = [Recorder(), Recorder()]
    judges[1].name = "other"
    mixtures = {"recorder": [added("e", 0.2)], "other": [added("e", 0.8)]}
    design = Design([folder], judges, {"e": (0.2, 0.8)}, metrics=False, mixtures=mixtures)
    told: list[int] = []
    trial = hold_trial(read_scenes(path)[0], design, told.append)
    assert sum(told) == design.sounds(2) == 2 * (5 + 4 + 4)
    for judge in judges:
        heard = {one.condition for one in trial.hearings if one.judge == judge.name}
        assert heard == {"noisy", "clean", "e", *mixtures[judge.name]}


def test_scenes_that_cannot_be_read_are_told_as_done(world: Make, enhanced: Make) -> None:
    path = world(3)
    folder = EnhancedFolder.open(enhanced(path), "e")
    (path.parent / "S001_target.wav").unlink()
    design = Design([folder], [Recorder()], metrics=False)
    told: list[int] = []
    trial = hold_trial(read_scenes(path)[0], design, told.append)
    assert len(trial.skipped) == 1
    assert sum(told) == design.sounds(3)


def test_what_is_beyond_full_scale_makes_the_whole_scene_quieter(
    world: Make, enhanced: Make
) -> None:
    path = world(2)
    loud = path.parent / "S000_mixed.wav"
    samples, rate_hz = soundfile.read(loud, dtype="float32")
    peak = float(np.abs(samples).max())
    for part in ("mixed", "target", "interferer"):
        file = path.parent / f"S000_{part}.wav"
        quiet, _ = soundfile.read(file, dtype="float32")
        soundfile.write(file, quiet * (0.99 / peak), rate_hz, subtype="FLOAT")
    # a click that the level fit to the noisy file drives beyond full scale
    folder = enhanced(path, "mixed", lambda x: np.where(np.arange(len(x)) == 4000, 1.0, 0.1 * x))
    trial, judge = trial_of(path, folder)
    assert trial.quieter and all(float(sound.abs().max()) <= 1.000001 for sound in judge.sounds)
    assert any("beyond full scale" in remark for remark in remarks_on_trial(trial))


@pytest.mark.parametrize("delay_s", [0.12, 0.3])
def test_a_long_delay_is_undone_and_told(world: Make, enhanced: Make, delay_s: float) -> None:
    path = world(4)
    late = np.zeros(round(8000 * delay_s), np.float32)
    trial, _ = trial_of(path, enhanced(path, "mixed", lambda x: np.concatenate([late, x])))
    lags = [quality.lag for quality in trial.qualities if quality.condition == "e"]
    assert lags == [len(late)] * 4
    remark = f"e: 4 of 4 files come {1000 * delay_s:.0f} ms late"
    assert any(remark in text for text in remarks_on_trial(trial))


def test_the_wrong_sentences_are_told(world: Make, enhanced: Make, tmp_path: Path) -> None:
    path = world(8)
    rng = np.random.default_rng(3)
    others = tmp_path / "others"
    others.mkdir()
    for file in path.parent.glob("*_mixed.wav"):
        speech = 0.1 * np.convolve(rng.normal(size=8000), np.ones(4), "same")
        soundfile.write(others / file.name, speech, 8000, subtype="FLOAT")
    trial, _ = trial_of(path, others)
    assert any("do they hold other sentences" in text for text in remarks_on_trial(trial))
    good, _ = trial_of(path, enhanced(path, "target"))
    assert remarks_on_trial(good) == []


def test_a_judge_that_gives_no_texts_ends_the_trial(world: Make, enhanced: Make) -> None:
    path = world(2)
    judge = FunctionJudge("j", lambda sounds, rate_hz: [None] * len(sounds), plain_words)
    design = Design([EnhancedFolder.open(enhanced(path))], [judge], metrics=False)
    with pytest.raises(JudgeError, match="got NoneType None for sound 1"):
        hold_trial(read_scenes(path)[0], design)


def test_scenes_of_which_a_text_is_scored_are_heard() -> None:
    first, second, third = [scene_of(Utterance(Path(f"s{n}.wav"), text="one")) for n in range(3)]
    errors = ErrorRates.of("one", "one")
    trial = Trial([Hearing(first, "j", NOISY, "ok", errors=errors)])
    trial.hearings.append(Hearing(second, "j", NOISY, "failed", "no model"))
    assert trial.heard([first, second, third]) == [first]


def test_a_disk_that_fails_loses_one_scene(
    world: Make, enhanced: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world(2)
    folder = enhanced(path)

    def failing(scene: Scene) -> Sound:
        if scene.id == "S000_mixed":
            raise OSError(5, "Input/output error", str(scene.noisy.audio_filepath))
        return read_sound(scene)

    monkeypatch.setattr(trials, "read_sound", failing)
    trial, _ = trial_of(path, folder)
    (skip,) = trial.skipped
    assert "SCENES.jsonl:1" in skip.where and "Input/output error" in skip.reason
    assert {hearing.scene.id for hearing in trial.hearings} == {"S001_mixed"}
