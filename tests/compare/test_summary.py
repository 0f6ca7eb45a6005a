"""Rows and strata: one family for a table, no row for what nobody has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ctcasr.batch import Utterance
from ctcasr.compare.hearing import Hearing
from ctcasr.compare.scene import Scene, scene_of
from ctcasr.compare.summary import Setting, Summary, summarise, unit_of
from ctcasr.compare.trial import Trial
from ctcasr.scoring.errors import ErrorRates

WORDS = ["one", "two", "three", "four", "five", "six"]


def make_scenes(count: int, bins: int = 4, speakers: int = 1) -> list[Scene]:
    lines = []
    for number in range(count):
        extra = {"snr_db": 5.0 * (number % bins) + 1, "source": f"sentence{number}"}
        path = Path(f"s{number:03d}.wav")
        speaker = f"p{number % speakers}"
        lines.append(Utterance(path, text=" ".join(WORDS), speaker=speaker, extra=extra))
    return [scene_of(line) for line in lines]


def heard(
    rng: np.random.Generator, scenes: Sequence[Scene], judge: str, condition: str, rate: float
) -> list[Hearing]:
    hearings = []
    for scene in scenes:
        wrong = rng.random(len(WORDS)) < rate
        text = " ".join("zero" if bad else word for word, bad in zip(WORDS, wrong, strict=True))
        errors = ErrorRates.of(scene.text, text)
        hearings.append(Hearing(scene, judge, condition, "ok", "", scene.text, text, errors))
    return hearings


def summary_of(
    rng: np.random.Generator, scenes: Sequence[Scene], rates: dict[str, float], judges: str = "j"
) -> Summary:
    hearings = []
    for judge in judges:
        for condition, rate in {"noisy": 0.4, **rates}.items():
            hearings += heard(rng, scenes, judge, condition, rate)
    setting = Setting(dict.fromkeys(rates, ""), dict.fromkeys(judges, ""), draws=1000)
    return summarise(Trial(hearings), scenes, setting)


def test_words_wrong_are_pooled_and_lost_ones_counted() -> None:
    scenes = make_scenes(12)
    rng = np.random.default_rng(0)
    hearings = heard(rng, scenes, "j", "noisy", 0.5)
    hearings += [
        Hearing(scene, "j", "e", "missing", "no file", scene.text) if number < 2 else found
        for number, (scene, found) in enumerate(
            zip(scenes, heard(rng, scenes, "j", "e", 0.0), strict=True)
        )
    ]
    summary = summarise(Trial(hearings), scenes, Setting({"e": ""}, {"j": ""}, draws=1000))
    noisy, row = summary.rows
    assert row.lost == {"missing": 2} and row.wer_lost_as_deletions == pytest.approx(12 / 72)
    assert row.against is not None and row.against.units == 10
    assert noisy.errors.words.total == 72 and noisy.against is None


def test_short_utterances_count_as_much_as_long_ones_in_the_mean() -> None:
    texts = {"short": ("one", "two"), "long": ("one two three four", "one two three four")}
    hearings = []
    scenes = []
    for name, (reference, hypothesis) in texts.items():
        scene = scene_of(Utterance(Path(f"{name}.wav"), text=reference))
        errors = ErrorRates.of(reference, hypothesis)
        scenes.append(scene)
        hearings.append(Hearing(scene, "j", "noisy", "ok", "", reference, hypothesis, errors))
    (row,) = summarise(Trial(hearings), scenes, Setting({}, {"j": ""}, draws=1000)).rows
    assert row.errors.words.rate == 0.2
    assert row.mean_wer == 0.5


def test_a_real_difference_has_its_word_in_the_whole_and_in_large_strata() -> None:
    summary = summary_of(np.random.default_rng(1), make_scenes(160), {"e": 0.1})
    (_, row) = summary.rows
    assert row.against is not None and row.against.word == "helps"
    assert row.sign_flip_p is not None and row.sign_flip_p < 0.01
    words = [rows[1].against.word for rows in summary.strata["snr"].values() if rows[1].against]
    assert words == ["helps"] * 4


def test_strata_of_a_kind_are_one_family() -> None:
    """Four bins and two judges: of families without a real difference few have a wrong word."""
    rng = np.random.default_rng(2)
    scenes = make_scenes(80)
    families = 24
    wrong = 0
    for _ in range(families):
        summary = summary_of(rng, scenes, {"e": 0.4}, judges="jk")
        rows = [row for rows in summary.strata["snr"].values() for row in rows]
        wrong += any(row.against and row.against.word != "undecided" for row in rows)
    assert wrong / families <= 0.17  # 35 % where each bin was a family of its own


def test_the_interval_of_a_family_is_wider_than_that_of_one_test() -> None:
    summary = summary_of(np.random.default_rng(3), make_scenes(80), {"e": 0.4})
    for rows in summary.strata["snr"].values():
        against = rows[1].against
        assert against is not None
        assert against.tested[0] <= against.interval[0]


def test_without_targets_there_is_no_clean_row() -> None:
    scenes = make_scenes(12)
    hearings = heard(np.random.default_rng(4), scenes, "j", "noisy", 0.4)
    missing = [Hearing(scene, "j", "clean", "missing", "no target") for scene in scenes]
    summary = summarise(Trial(hearings + missing), scenes, Setting({}, {"j": ""}, draws=1000))
    assert [row.condition for row in summary.rows] == ["noisy"]


def test_speakers_are_the_units_where_there_are_twenty() -> None:
    assert unit_of(make_scenes(40, speakers=20))[0] == "speaker"
    assert unit_of(make_scenes(40, speakers=19))[0] == "sentence"


def test_any_field_can_be_the_unit() -> None:
    scenes = make_scenes(12, bins=4)
    name, unit = unit_of(scenes, "snr")
    assert name == "snr"
    assert len({unit(scene) for scene in scenes}) == 4
    assert len({unit_of(scenes, "source")[1](scene) for scene in scenes}) == 12
    with pytest.raises(ValueError, match="--block room: expected this field in every scene"):
        unit_of(scenes, "room")


def test_only_what_was_heard_is_counted() -> None:
    """Of the scenes of a list, those that could not be read are no units and choose none."""
    scenes = make_scenes(40, bins=40, speakers=20)
    readable = [scene for scene in scenes if scene.speaker != "p0"]
    hearings = heard(np.random.default_rng(5), readable, "j", "noisy", 0.4)
    lost = Hearing(scenes[0], "j", "noisy", "failed", "no model")
    for trial in (Trial(hearings), Trial([*hearings, lost])):
        summary = summarise(trial, scenes, Setting({}, {"j": ""}, draws=1000))
        assert (summary.unit, summary.units) == ("sentence", len(readable)), "19 speakers are few"
        (row,) = summary.rows
        assert row.errors.utterances == summary.units
    assert row.lost == {"failed": 1}
    alone = summarise(Trial(hearings), scenes, Setting({}, {"j": ""}, draws=1000))
    assert len(alone.strata["snr"]) == len(readable), "no stratum of scenes that nobody heard"


def test_without_words_there_is_no_difference() -> None:
    scenes = [scene_of(Utterance(Path(f"s{number}.wav"), text="")) for number in range(16)]
    hearings = []
    for scene in scenes:
        for condition in ("noisy", "e"):
            errors = ErrorRates.of("", "you you")
            hearings.append(Hearing(scene, "j", condition, "ok", "", "", "you you", errors))
    summary = summarise(Trial(hearings), scenes, Setting({"e": ""}, {"j": ""}, draws=1000))
    assert all(row.against is None and row.sign_flip_p is None for row in summary.rows)
