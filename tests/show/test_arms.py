"""Pictures of several ways of training: one for each, however many there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.show import draw_arms

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("count", [1, 4, 5])
def test_any_number_of_arms_is_drawn(tmp_path: Path, count: int) -> None:
    curve = [(10, 1.0, 1.0), (20, 0.5, 0.7)]
    arms = {f"arm {k}": [curve, curve] for k in range(count)}
    path = draw_arms(tmp_path / "new" / "arms.png", arms)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_an_arm_without_a_check_is_an_empty_picture(tmp_path: Path) -> None:
    assert draw_arms(tmp_path / "arms.png", {"plain": [], "cure": [[]]}).is_file()
