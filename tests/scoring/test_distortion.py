"""SI-SDR: by its definition, whatever the level, and row by row."""

from __future__ import annotations

import math

import pytest
import torch

from ctcasr.scoring.distortion import Distortions, si_sdr, silent
from ctcasr.seq import Seq


def rows(*lengths: int, seed: int = 0) -> Seq:
    draw = torch.Generator().manual_seed(seed)
    return Seq.stack([torch.randn(n, generator=draw) for n in lengths], 8000)


def test_definition_on_orthogonal_parts() -> None:
    t = torch.arange(8000) / 8000
    wanted, other = torch.sin(2 * math.pi * 50 * t), torch.sin(2 * math.pi * 70 * t)
    found = si_sdr(Seq.stack([3 * wanted + 0.3 * other], 8000), Seq.stack([wanted], 8000))
    assert float(found[0]) == pytest.approx(20.0, abs=1e-2)


@pytest.mark.parametrize("scale", [0.01, -1.0, 5.0])
def test_level_sign_and_mean_do_not_count(scale: float) -> None:
    clean, other = rows(500), rows(500, seed=1)
    mixed = clean.with_data(clean.data + 0.3 * other.data)
    changed = mixed.with_data(scale * mixed.data + 0.7)
    torch.testing.assert_close(si_sdr(changed, clean), si_sdr(mixed, clean), atol=1e-2, rtol=1e-3)


def test_batch_mates_change_nothing() -> None:
    clean, mixed = rows(500, 300), rows(500, 300, seed=1)
    together = si_sdr(mixed, clean)
    for row in range(2):
        alone = si_sdr(Seq.stack([mixed.row(row)], 8000), Seq.stack([clean.row(row)], 8000))
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-4, rtol=1e-4)


def test_silence_is_known_and_counts_nothing() -> None:
    clean = Seq.stack([torch.zeros(100), torch.randn(100)], 8000)
    assert silent(clean).tolist() == [True, False]
    tally = Distortions.of(rows(100, 100), rows(100, 100, seed=2), clean)
    assert tally.metrics()["files"] == 1


def test_tallies_add() -> None:
    total = Distortions((0.0, 1.0), (5.0, 0.0)) + Distortions((2.0,), (9.0,))
    metrics = total.metrics()
    assert metrics["files"] == 3 and metrics["worse"] == 1
    assert (
        metrics["si_sdr_improvement"] == pytest.approx(11 / 3)
        and metrics["si_sdr_improvement_median"] == 5.0
    )
    assert Distortions().metrics() == {"files": 0}
