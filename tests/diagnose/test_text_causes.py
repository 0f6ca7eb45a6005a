"""Which text belongs to which recording: causes by their counts."""

from __future__ import annotations

import pytest

from ctcasr.diagnose import verdict
from tests.fixtures.run_records import run_records


@pytest.mark.parametrize(
    ("slug", "count", "few"),
    [
        ("dominant-text", "same_text", 100),
        ("contradictory-transcripts", "contradicted", 4),
        ("transcripts-shuffled", "swapped", 10),
    ],
)
def test_counts_over_all_rows_decide(slug: str, count: str, few: int) -> None:
    def causes(rows: int) -> list[str]:
        corpus = {"train": {"rows": 200, count: rows}}
        return [cause.slug for cause in verdict(run_records([1.0, 1.0], corpus=corpus)).causes]

    assert causes(180) == [slug]
    assert not causes(few)
