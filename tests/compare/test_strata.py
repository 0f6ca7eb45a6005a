"""What is independent of what, and which utterances are looked at together."""

from __future__ import annotations

import pytest

from ctcasr.compare.results import References
from ctcasr.compare.strata import grouping_of, groups_of


def test_units_are_speakers_from_twenty_on_or_what_is_asked_for() -> None:
    names = [f"u{number}" for number in range(60)]
    many = References({}, {name: {"speaker": f"s{int(name[1:]) % 20}"} for name in names})
    few = References({}, {name: {"speaker": "s", "noise": name[-1]} for name in names})
    assert grouping_of(names, many).unit == "speaker"
    assert grouping_of(names, few).unit == "utterance"
    assert grouping_of(names, few, "noise").unit == "noise"
    assert grouping_of(names, many).rank_unit == "speaker"
    assert grouping_of(names, few).rank_unit == "utterance", "one speaker has no ranks"
    assert grouping_of(names, many, "utterance").unit == "utterance"
    with pytest.raises(ValueError, match=r"--block room: expected a field .* known are speaker"):
        grouping_of(names, many, "room")


def test_groups_stand_in_order() -> None:
    fields = {name: {"snr_db": value} for name, value in zip("abc", ("10", "-5", "0"), strict=True)}
    assert list(groups_of("abc", References({}, fields), "snr_db")) == ["-5", "0", "10"]


def test_speakers_that_are_called_by_numbers_are_no_measure() -> None:
    numbers = {f"u{number}": str(1000 + number) for number in range(20)}
    speakers = References({}, {name: {"speaker": number} for name, number in numbers.items()})
    years = References({}, {name: {"year": number} for name, number in numbers.items()})
    assert list(groups_of(list(numbers), speakers, "speaker")) == list(numbers.values())
    bins = list(groups_of(list(numbers), years, "year"))
    assert bins == ["1000 to 1004.75", "1004.75 to 1009.5", "1009.5 to 1014.25", "1014.25 to 1019"]


def test_the_unit_is_chosen_by_what_is_compared() -> None:
    names = [f"u{number}" for number in range(40)]
    speakers = References({}, {name: {"speaker": f"s{int(name[1:]) % 20}"} for name in names})
    assert grouping_of(names, speakers).unit == "speaker"
    found = grouping_of(names, speakers, compared=names[:19])
    assert (found.unit, found.rank_unit) == ("utterance", "speaker")
    assert set(found.unit_of) == set(names), "rows are of all"
    assert grouping_of(names, speakers, compared=names[:1]).rank_unit == "utterance"
