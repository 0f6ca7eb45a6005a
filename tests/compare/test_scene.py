"""Scenes from lines: names, strata, parts that must be as long, dev and test apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.compare.scene import dev_and_test, read_scenes, read_sound, snr_bin
from ctcasr.data import AudioError

Make = Callable[..., Path]


@given(st.floats(-30, 40))
def test_a_bin_holds_its_snr(snr_db: float) -> None:
    low, _, high, _ = (snr_bin(snr_db) or "").split()
    assert float(low) <= snr_db < float(high) == float(low) + 5


def rewrite(scenes: Path, change: Callable[[int, dict[str, object]], None]) -> None:
    lines = [json.loads(line) for line in scenes.read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate(lines):
        change(number, line)
    scenes.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_an_id_names_a_scene_and_two_alike_are_refused(world: Make) -> None:
    path = world(4)
    rewrite(path, lambda number, line: line.update(id=f"s{number}"))
    scenes, _ = read_scenes(path)
    assert [scene.id for scene in scenes] == ["s0", "s1", "s2", "s3"]
    rewrite(path, lambda number, line: line.update(id="same"))
    with pytest.raises(ValueError, match="both called same"):
        read_scenes(path)


def test_equal_names_in_two_folders_are_told_apart_by_their_paths(world: Make) -> None:
    path = world(4)
    for folder in ("a", "b"):
        (path.parent / folder).mkdir()

    def change(number: int, line: dict[str, object]) -> None:
        place = f"{'ab'[number % 2]}/{number // 2:03d}_mixed.wav"
        (path.parent / str(line["audio_filepath"])).rename(path.parent / place)
        line["audio_filepath"] = place

    rewrite(path, change)
    scenes, _ = read_scenes(path)
    assert [scene.id for scene in scenes] == [
        "a/000_mixed",
        "b/000_mixed",
        "a/001_mixed",
        "b/001_mixed",
    ]
    rewrite(path, lambda number, line: line.update(audio_filepath="a/000_mixed.wav"))
    with pytest.raises(ValueError, match="both called 000_mixed"):
        read_scenes(path)


def test_lines_without_a_text_are_left_out_and_told(world: Make) -> None:
    path = world(4)
    rewrite(path, lambda number, line: line.pop("text") if number == 1 else None)
    scenes, skipped = read_scenes(path)
    assert len(scenes) == 3 and skipped[0].where == "SCENES.jsonl:2"


@pytest.mark.parametrize(("missing_s", "fits"), [(0.025, True), (0.2, False)])
def test_a_target_may_end_a_little_before(world: Make, missing_s: float, fits: bool) -> None:
    path = world(2)
    target = path.parent / "S000_target.wav"
    samples, rate_hz = soundfile.read(target)
    soundfile.write(target, samples[: -round(missing_s * rate_hz)], rate_hz, subtype="FLOAT")
    (scene, _), _ = read_scenes(path)
    if not fits:
        with pytest.raises(AudioError, match="expected"):
            read_sound(scene)
        return
    sound = read_sound(scene)
    assert sound.clean is not None and sound.clean.shape == sound.noisy.shape


def test_what_is_left_without_the_clean_sound_stands_for_the_interferer(world: Make) -> None:
    path = world(1)
    (scene,), _ = read_scenes(path)
    sound = read_sound(scene)
    rewrite(path, lambda number, line: line.pop("interferer_filepath"))
    (other,), _ = read_scenes(path)
    noise = read_sound(other).noise
    assert noise is not None and sound.noise is not None
    assert np.allclose(noise.numpy(), sound.noise.numpy(), atol=1e-6)


def test_no_source_is_in_both_parts(world: Make) -> None:
    scenes, _ = read_scenes(world(24))
    dev, test = dev_and_test(scenes, 0.5, 3)
    assert not {scene.source for scene in dev} & {scene.source for scene in test}
    assert len(dev) + len(test) == 24 and dev_and_test(scenes, 0.5, 3) == (dev, test)
    with pytest.raises(ValueError, match="all 24 are in the dev part"):
        dev_and_test(scenes, 1.0, 0)
