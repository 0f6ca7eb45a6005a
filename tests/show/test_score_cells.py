"""The texts of a trial's rows, the same on the terminal and on the page."""

from __future__ import annotations

import math
from dataclasses import replace

from ctcasr.compare.summary import Summary
from ctcasr.show.score_cells import (
    difference_text,
    failure_texts,
    family_size,
    measured,
    resolvable_of,
    row_cells,
    sound_cells,
    word_differences,
)


def test_a_row_tells_rates_counts_and_the_word(summary: Summary) -> None:
    rows = {(row.judge, row.condition): row for row in summary.rows}
    cells = row_cells(rows["first", "enhanced"])
    assert cells.condition == "enhanced (own listener)"
    assert (cells.wer, cells.counts, cells.lost) == ("16.67 %", "11 / 0 / 0", "1")
    assert cells.word == "helps" and cells.against.startswith("-")
    assert row_cells(rows["second", "enhanced"]).condition == "enhanced"
    clean = row_cells(rows["first", "clean"])
    assert clean.word == "" and clean.against.startswith("-")
    noisy = row_cells(rows["first", "noisy"])
    assert (noisy.against, noisy.word, noisy.resolvable) == ("", "", "-")


def test_the_clean_sound_is_no_test(summary: Summary) -> None:
    assert len(word_differences(summary)) == 2
    none = [replace(found, resolvable=None) for found in word_differences(summary)]
    assert resolvable_of(none) == []


def test_what_has_no_interval_has_none(summary: Summary) -> None:
    (found, _) = word_differences(summary)
    one_unit = replace(found, difference=0.25, interval=(-math.inf, math.inf), units=1)
    assert difference_text(one_unit) == "+25.00"
    assert difference_text(replace(one_unit, difference=math.nan, units=0)) == "-"
    assert family_size([found, one_unit]) == 1


def test_a_difference_of_nothing_has_no_sign(summary: Summary) -> None:
    (found, _) = word_differences(summary)
    nothing = replace(found, difference=-1e-9, interval=(-0.0, 0.0))
    assert difference_text(nothing) == "0.00 [0.00, 0.00]"
    sound = summary.sound["enhanced"]
    same = replace(sound.metrics["si_sdr_db"], median=-0.001, gain_median=-0.004)
    cells = sound_cells(replace(sound, metrics={"si_sdr_db": same}), ["si_sdr_db"])
    assert cells[0] == "0.00 (0.00)"


def test_the_sound_tells_what_was_measured(summary: Summary) -> None:
    titles = {"si_sdr_db": "SI-SDR dB", "pesq": "PESQ"}
    assert measured(summary.sound, titles) == {"si_sdr_db": "SI-SDR dB"}
    assert sound_cells(summary.sound["enhanced"], ["si_sdr_db", "pesq"]) == [
        "4.55 (+3.00)",
        "-",
        "1 / 0 / 0",
    ]
    assert failure_texts(summary.failures) == ["pesq failed for 24 sounds: too <short>"]
