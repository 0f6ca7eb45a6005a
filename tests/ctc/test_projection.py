"""The walk over frames: groups, chunks and both ways to take a chunk give the same."""

from __future__ import annotations

import pytest
import torch

from ctcasr.ctc import projection
from ctcasr.ctc.batch import CtcBatch
from ctcasr.ctc.projection import row_groups, without_subnormals
from tests.ctc.test_linear import FRAMES, LABELS, both, targets


def flat_batch() -> CtcBatch:
    labels = torch.cat([row[:count] for row, count in zip(targets(), LABELS, strict=True)])
    return CtcBatch(labels, tuple(FRAMES), tuple(LABELS), blank=0)


@pytest.mark.parametrize("frames", [1, 50, 2048])
def test_groups_cover_all_rows_in_order(monkeypatch: pytest.MonkeyPatch, frames: int) -> None:
    monkeypatch.setattr(projection, "_FRAMES_OF_A_THREAD", frames)
    rows = 0
    for group in row_groups(flat_batch(), torch.device("cpu")):
        assert group.start == rows
        rows = group.end
        start = 0
        for row, count in enumerate(group.ctc_batch.target_lengths):
            columns = group.ctc_batch.targets[start : start + count]
            start += count
            labels = group.classes[row][columns]
            assert labels.tolist() == targets()[group.start + row, :count].tolist()
    assert rows == len(FRAMES)


@pytest.mark.parametrize("numba", [True, False], ids=["kernel", "torch"])
@pytest.mark.parametrize("frames", [1, 2048])
def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch, frames: int, numba: bool) -> None:
    monkeypatch.setattr(projection, "_FRAMES_OF_A_THREAD", frames)
    monkeypatch.setattr(projection, "_CHUNK_BYTES", {"cpu": 1, "cuda": 1})
    monkeypatch.setattr(projection, "_FEWEST_FRAMES", 7)
    if not numba:
        monkeypatch.setattr(projection, "_has_numba", lambda: False)
    plain, lean = both(torch.float64, 1.0, zero_infinity=True)
    for wanted, got in zip(plain, lean, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-13)


def test_no_product_is_given_subnormal_numbers() -> None:
    exponents = torch.arange(-50, 1, dtype=torch.float64)
    slopes = -(10.0**exponents)
    rounded = without_subnormals(slopes).float()
    least = torch.finfo(torch.float32).tiny
    assert not bool(((rounded != 0) & (rounded.abs() < least)).any())
    assert torch.equal(rounded[slopes < -1e-29], slopes[slopes < -1e-29].float())
