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


VOICE = {"pitch_hz": 150.0, "pitch_spread": 0.3, "pitch_jumps": 0.05}
LENGTHS = {"paired_rows": 40, "label_spread": 0.7, "active_spread": 0.6, "labels": 120}
SOUNDS = {"paired_rows": 160, "label_spread": 0.1, "active_spread": 0.1, "labels": 12}


@pytest.mark.parametrize("tells", [LENGTHS, SOUNDS])
def test_texts_that_do_not_go_with_their_recordings_are_shuffled(tells: dict[str, float]) -> None:
    def slugs(paired: float, lengths: float, **others: float) -> list[str]:
        part = VOICE | tells | {"paired": paired, "paired_lengths": lengths} | others
        return [cause.slug for cause in verdict(run_records([1.0, 1.0], train=part)).causes]

    assert slugs(0.5, -1.0) == ["transcripts-shuffled"]
    assert not slugs(9.0, 0.0) and not slugs(0.5, 9.0)
    assert not slugs(0.5, -1.0, paired_rows=20)
    assert not slugs(0.5, -1.0, pitch_jumps=0.4)  # noise goes with no text


def test_sentences_tell_nothing_by_their_sounds() -> None:
    part = VOICE | SOUNDS | {"labels": 90, "paired": 0.0, "paired_lengths": 0.0}
    assert not verdict(run_records([1.0, 1.0], train=part)).causes


def test_some_texts_of_other_recordings_beside_a_dev_part_that_agrees() -> None:
    part = VOICE | SOUNDS | {"paired": 6.0, "paired_lengths": 0.0}
    part |= {"paired_over_dev": 0.5, "paired_less": 3.0, "dev_agrees": 5.0}
    causes = verdict(run_records([1.0, 1.0], train=part)).causes
    assert [cause.slug for cause in causes] == ["transcripts-shuffled"]
    assert not verdict(run_records([1.0, 1.0], train=part | {"paired_over_dev": 0.9})).causes
    assert not verdict(run_records([1.0, 0.4, 0.3, 0.2], train=part)).causes


def test_texts_that_go_with_their_recordings_are_not_called_shuffled_at_the_end() -> None:
    records = run_records([1.0] * 6, [10.0] * 6, train={"nll": 3.0, "paired": 9.0})
    assert not verdict(records).causes
