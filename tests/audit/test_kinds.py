"""The kind of a line is its likeliest; of one that is probably wrong, the likeliest wrong one."""

from __future__ import annotations

import pytest

from ctcasr.audit.kinds import CUT, KINDS, RIGHT, SWAPPED, LineVerdict


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        ({RIGHT: 0.9, SWAPPED: 0.1}, RIGHT),
        ({RIGHT: 0.4, SWAPPED: 0.35, CUT: 0.25}, SWAPPED),
        ({RIGHT: 0.0, CUT: 1.0}, CUT),
    ],
)
def test_the_kind_of_a_line(heard_line, kinds, kind):
    posteriors = {**dict.fromkeys(KINDS, 0.0), **kinds}
    verdict = LineVerdict(
        heard_line("a", "a"), 1 - posteriors[RIGHT], posteriors, (), "", "", 0.0, 1.0
    )
    assert verdict.kind == kind
