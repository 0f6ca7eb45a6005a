"""The share of noisy sound: the lowest WER of the dev part, of equals the smaller."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.batch import Utterance
from ctcasr.compare.choice import Choice, choose_shares
from ctcasr.compare.hearing import Hearing
from ctcasr.compare.scene import Scene, scene_of
from ctcasr.compare.trial import Trial, added
from ctcasr.scoring.errors import ErrorRates


def scene(name: str) -> Scene:
    return scene_of(Utterance(Path(f"{name}.wav"), text="one two three four"))


def heard(of: Scene, share: float, wrong: int, judge: str = "j") -> Hearing:
    words = of.text.split()
    hypothesis = " ".join(["zero"] * wrong + words[wrong:])
    errors = ErrorRates.of(of.text, hypothesis)
    return Hearing(of, judge, added("e", share), "ok", errors=errors)


@pytest.mark.parametrize(
    ("wrong", "share"),
    [({0.0: 3, 0.5: 1, 1.0: 2}, 0.5), ({0.0: 2, 0.5: 2, 1.0: 2}, 0.0), ({0.0: 4, 1.0: 3}, 1.0)],
)
def test_the_lowest_rate_decides(wrong: dict[float, int], share: float) -> None:
    dev, test = scene("dev"), scene("test")
    hearings = [heard(dev, part, errors) for part, errors in wrong.items()]
    hearings += [heard(test, part, 4 - errors) for part, errors in wrong.items()]  # not asked
    (choice,) = choose_shares(Trial(hearings), [dev], ["e"], tuple(wrong))
    assert choice.share == share
    assert choice.dev_wer == {part: errors / 4 for part, errors in wrong.items()}
    assert choice.is_mixture == (0 < share < 1)


def test_without_a_dev_part_nothing_is_chosen() -> None:
    test = scene("test")
    assert choose_shares(Trial([heard(test, 0.5, 1)]), [], ["e"], (0.5,)) == []
    assert Choice("j", "e", 0.4, {}).condition == "e + 0.4 noisy"
