"""The study of what lips are worth: a road that is walked once, and a table that counts right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tools.study import eyes, eyes_table


def trial(gain_db: float, fewer_words: int) -> list[dict[str, str]]:
    """Rows of forty scenes, two seeds and one judge; `true` is better than `zeroed` by so much."""
    draw = np.random.default_rng(0)
    rows = []
    for scene in range(40):
        base_db = draw.normal(5.0, 3.0)
        for seed in range(2):
            for name, better in (("zeroed", 0), ("true", 1)):
                wrong = 4 - better * fewer_words
                row = {"scene": f"S{scene}", "source": f"s{scene // 2}", "recogniser": "R1"}
                row |= {"condition": f"{name}.{seed}", "words": "6", "substitutions": str(wrong)}
                row |= {"deletions": "0", "insertions": "0", "estoi": "0.5"}
                value = base_db + better * gain_db + draw.normal(0.0, 0.1)
                row |= {"si_sdr_db": f"{value:.3f}", "snr_db": "-7.5", "interferer": "own"}
                rows.append(row)
    return rows


def test_the_table_says_what_was_put_in() -> None:
    rows = trial(2.0, 2)
    remixed = [{**row, "condition": f"{row['condition']} + 0.2 noisy"} for row in rows]
    lines = list(eyes_table.table([*rows, *remixed], "zeroed"))
    assert not any("noisy" in line for line in lines)
    strata = [line.split("|")[1].strip() for line in lines[2:]]
    assert strata == ["all", "own", "own, -5 dB and below", "own, -10 to -5 dB"]
    numbers = [float(number) for number in re.findall(r"[-+]\d+\.\d+", lines[2])]
    wer, wer_low, wer_high, si_sdr, low, high, estoi, *_ = numbers
    assert wer == wer_low == wer_high == pytest.approx(-33.33)
    assert low < si_sdr < high and si_sdr == pytest.approx(2.0, abs=0.05)
    assert estoi == 0.0


def test_a_scene_that_only_one_condition_has_is_in_no_difference() -> None:
    rows = trial(1.0, 0)
    lonely = [{**row, "si_sdr_db": "90", "scene": "S99"} for row in rows[:1]]
    assert list(eyes_table.table([*rows, *lonely], "true"))[2].count("-1.0") >= 1


def test_the_road_is_told_in_order_and_what_is_done_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    road = eyes.Road(tmp_path / "data", tmp_path / "out", [0, 1], epochs=2)
    eyes.write_babble(road.data, road.out)
    halves = []
    for name in ("learnt", "scored"):
        halves.append(json.loads((road.out / f"babble_{name}.jsonl").read_text()))
    assert halves[0]["offset"] + halves[0]["duration"] == halves[1]["offset"]
    names = [step.name for step in road.eyes()]
    assert names[:3] == ["judges", "lips", "scenes"] and names[-1] == "score"
    assert len(names) == len(set(names))
    eyes.work(road, road.eyes(), run=False)
    told = capsys.readouterr().out.splitlines()
    assert len(told) == len(names)
    (road.out / "done" / "judges").touch()
    eyes.work(road, road.eyes(), run=False)
    assert capsys.readouterr().out.splitlines() == told[1:]
    published = [step.name for step in road.published()]
    arms = [name for name in published if name.endswith(".1") and "enhanced" not in name]
    assert arms == ["fixed.1", "as_published.1", "zeroed.1", "shuffled.1"]
    assert published[-2:] == ["enhanced.shuffled.1", "score"]


def test_every_flag_of_the_road_exists(tmp_path: Path) -> None:
    road = eyes.Road(tmp_path, tmp_path / "out", [0], epochs=2)
    known = (eyes.ROOT / "ctcasr" / "train" / "config.py").read_text()
    for path in (eyes.ROOT / "recipes").glob("*.py"):
        known += path.read_text()
    for step in (*road.eyes(), *road.published()):
        script = str(step.words[0])
        if not script.startswith("recipes/"):
            continue
        for word in map(str, step.words):
            if word.startswith("--"):
                field = word.removeprefix("--").replace("-", "_")
                assert re.search(rf"^    {field}: ", known, re.MULTILINE), word
