"""A comparison as files: JSON, CSV and LaTeX."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from ctcasr.compare.comparison import Comparison, ComparisonSetting, compare_systems
from ctcasr.compare.results import Answer, System, references_of
from ctcasr.show.comparison_files import latex_table, write_comparison

SETTING = ComparisonSetting(draws=1000)


def test_everything_is_written_and_read_again(comparison: Comparison, tmp_path: Path) -> None:
    paths = write_comparison(tmp_path / "out", comparison, SETTING)
    assert [path.name for path in paths] == [
        "scores.json",
        "utterances.csv",
        "pairs.csv",
        "table.tex",
    ]
    plain = json.loads(paths[0].read_text(encoding="utf-8"))
    assert [row["system"] for row in plain["systems"]] == comparison.systems
    assert {pair["better"] for pair in plain["pairs"]} == {"good", "same", ""}
    assert {"p", "p_holm", "segments", "z"} <= set(plain["pairs"][0]["mapsswe"])
    assert set(plain["strata"]["speaker"]) == {"s0", "s1"}
    with paths[1].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 60
    errors = sum(int(row["substitutions"]) for row in rows if row["system"] == "good")
    assert errors == comparison.whole.rows[0].errors.words.substitutions
    with paths[2].open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    assert [pair["group"] for pair in pairs] == ["all"] * 3 + ["s0"] * 3 + ["s1"] * 3


def test_the_latex_table_is_whole_and_escaped(comparison: Comparison) -> None:
    tex = latex_table(comparison, SETTING)
    assert r"poor \& <bad>" in tex and r"95 \% ones" in tex
    assert tex.count(r"\begin{") == tex.count(r"\end{") == 2
    rows = [line for line in tex.splitlines() if line.endswith(r"\\") and "rule" not in line]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {6}
    assert tex.index("good") < tex.index("poor"), "the best stands first"


def test_the_latex_table_knows_who_beats_a_system_that_heard_the_easy_part_alone() -> None:
    references = [Answer(f"u{number}", "the cat sat") for number in range(40)]
    easy = [Answer(f"u{number}", "the cat sit") for number in range(20)]
    good = [Answer(f"u{number}", "the cat sat") for number in range(20)]
    whole = [*good, *(Answer(f"u{number}", "a dog") for number in range(20, 40))]
    systems = [System.of("part", easy, Path(), "text"), System.of("whole", whole, Path(), "text")]
    comparison = compare_systems(systems, references_of(systems, references), SETTING)
    assert comparison.whole.pairs[0].better == "whole"
    (row,) = [line for line in latex_table(comparison, SETTING).splitlines() if "whole &" in line]
    assert "-33.33 & better" in row
