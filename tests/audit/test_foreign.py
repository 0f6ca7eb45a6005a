"""A fit far below all others is of no text of the manifest."""

from __future__ import annotations

import pytest

from ctcasr.audit.foreign import Fits

FITS = [-0.5 - 0.01 * number for number in range(40)]


def test_only_a_fit_far_below_the_others_speaks_for_a_foreign_recording():
    fits = Fits.of(FITS)
    assert all(fits.log_ratio(fit) < 0 for fit in FITS)
    assert fits.log_ratio(-5.0) > 5.0
    assert fits.log_ratio(3.0) < 0  # better than all is not foreign


def test_a_few_foreign_ones_move_nothing():
    assert Fits.of([*FITS, -9.0, -9.5]).middle == pytest.approx(Fits.of(FITS).middle, abs=0.02)


def test_equal_fits_have_a_spread_all_the_same():
    assert Fits.of([-1.0, -1.0]).log_ratio(-1.01) < 0
