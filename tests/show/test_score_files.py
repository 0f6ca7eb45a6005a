"""Files of a trial: strict JSON, and a CSV line for every hearing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ctcasr.compare.summary import Summary
from ctcasr.compare.trial import Trial
from ctcasr.show.score_files import scores, write_rows, write_scores


def test_scores_are_strict_json_with_every_row(
    summary: Summary, trial: Trial, tmp_path: Path
) -> None:
    path = write_scores(tmp_path / "scores.json", scores(summary, trial, {"seed": 3}))
    plain = json.loads(path.read_text(encoding="utf-8"))
    assert plain["seed"] == 3 and plain["unit"] == "sentence" and plain["units"] == 12
    rows = {(row["recogniser"], row["condition"]): row for row in plain["rows"]}
    assert len(rows) == 6
    enhanced = rows["first", "enhanced"]
    assert enhanced["wer"] == pytest.approx(1 / 6) and enhanced["lost"] == {"missing": 1}
    assert enhanced["against_noisy"]["word"] == "helps"
    assert enhanced["words"]["total"] == 66
    assert set(plain["strata"]["snr"]) == {"-5 to 0 dB", "0 to 5 dB"}
    assert plain["metrics"]["enhanced"]["si_sdr_db_median"] == pytest.approx(4.55)
    assert plain["skipped"] == [{"where": "scenes.jsonl:99", "reason": "unreadable <noise>"}]


def test_every_hearing_has_a_line(trial: Trial, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", trial, {"s00", "s01"})
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(trial.hearings)
    lost = [row for row in rows if row["status"] == "missing"]
    assert [(row["scene"], row["reason"], row["words"]) for row in lost] == [
        ("s00", "no file", "")
    ] * 2
    heard = next(row for row in rows if row["scene"] == "s03" and row["condition"] == "enhanced")
    assert (heard["part"], heard["words"], heard["substitutions"]) == ("dev", "6", "1")
    assert (heard["lag"], heard["si_sdr_db"]) == ("1", "4.3")
    assert heard["metric_failures"] == "pesq: too <short>"
    clean = next(row for row in rows if row["condition"] == "clean")
    assert (clean["part"], clean["lag"], clean["si_sdr_db"]) == ("test", "", "")
