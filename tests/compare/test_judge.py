"""What every judge returns: as many texts as there were sounds."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.compare.judge import JudgeError, TextsError, texts_of


def test_any_iterable_of_texts_will_do() -> None:
    assert texts_of("f", (text for text in ("one", "")), 2) == ["one", ""]


@pytest.mark.parametrize(
    ("returned", "sound"), [(None, None), (3, None), (["one"], None), (["one", np.zeros(2)], 1)]
)
def test_anything_else_names_the_judge_and_the_sound(returned: object, sound: int | None) -> None:
    with pytest.raises(TextsError, match=r"^asr:f: expected") as caught:
        texts_of("asr:f", returned, 2)
    assert caught.value.sound == sound
    assert isinstance(caught.value, JudgeError)
