from __future__ import annotations

import numpy as np
import pytest

from ctcasr.show.picture import draw_utterance, find_spikes

SYMBOLS = ["-", " ", "a", "b"]


def posteriors(path: list[int]) -> np.ndarray:
    return np.full((len(path), 4), 0.05) + 0.8 * np.eye(4)[path]


def test_spikes_are_what_greedy_decoding_writes():
    rng = np.random.default_rng(0)
    for _ in range(100):
        path = rng.integers(0, 4, rng.integers(1, 12)).tolist()
        found = find_spikes(posteriors(path))
        collapsed = [c for i, c in enumerate(path) if c and (not i or path[i - 1] != c)]
        assert [c for _, c in found] == collapsed
        assert all(path[frame] == c for frame, c in found)


def test_a_spike_stands_at_its_peak():
    shares = posteriors([0, 2, 2, 2, 0])
    shares[2, 2] = 0.95
    assert find_spikes(shares) == [(2, 2)]
    assert find_spikes(shares, blank=2) == [(0, 0), (4, 0)]


@pytest.mark.parametrize("path", [[0], [0] * 20, [2], [0, 2, 0, 3, 1, 2] * 10])
def test_a_picture_is_drawn(tmp_path, path):
    pytest.importorskip("matplotlib")
    where = draw_utterance(
        tmp_path / "u.png",
        features=np.zeros((2 * len(path), 5)),
        posteriors=posteriors(path),
        symbols=SYMBOLS,
        frame_s=0.02,
        reference="ab",
        hypothesis="",
    )
    assert where.read_bytes().startswith(b"\x89PNG")


def test_dollar_signs_begin_no_formula(tmp_path):
    pytest.importorskip("matplotlib")
    text = "$x_{ or 5$"
    where = draw_utterance(
        tmp_path / "u.png",
        features=np.zeros((4, 5)),
        posteriors=posteriors([0, 1]),
        symbols=["$_{$", *SYMBOLS[1:]],
        frame_s=0.02,
        title=text,
        reference=text,
        hypothesis=text,
    )
    assert where.is_file()


def test_shapes_that_do_not_fit_are_refused(tmp_path):
    def draw(**changed):
        given = {
            "features": np.zeros((4, 5)),
            "posteriors": posteriors([0, 1]),
            "symbols": SYMBOLS,
            **changed,
        }
        draw_utterance(tmp_path / "u.png", frame_s=0.02, **given)

    with pytest.raises(ValueError, match="each of the 4 classes; got 2"):
        draw(symbols=["-", "a"])
    with pytest.raises(ValueError, match="softmax of the logits"):
        draw(posteriors=np.array([[-3.0, 2.0, 1.0, 0.0]]))
    with pytest.raises(ValueError, match="neither empty"):
        draw(features=np.zeros((0, 5)))
