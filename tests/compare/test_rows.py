"""Lines with named fields: a table is read as it was written, or the line is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.result_files import read, texts, write


def test_tables_that_are_none_are_told(tmp_path: Path) -> None:
    twice = write(tmp_path, "twice.csv", "id,hypothesis,hypothesis", "u1,a,b")
    with pytest.raises(ValueError, match="hypothesis twice"):
        read(twice)
    long = write(tmp_path, "long.csv", "id,hypothesis", "u0,a", "u1," + "a " * 80_000)
    with pytest.raises(ValueError, match=r"long.csv:3: expected a row of the table"):
        read(long)
    quote = write(tmp_path, "quote.csv", "id,hypothesis", 'u1,"a', "u2,b")
    with pytest.raises(ValueError, match=r"quote.csv:2: expected a row of the table"):
        read(quote)


def test_lines_that_are_too_deep_or_too_long_are_told(tmp_path: Path) -> None:
    for name, line in (("deep", '{"a":' + "[" * 100_000), ("long", '{"a":' + "1" * 5000 + "}")):
        with pytest.raises(ValueError, match=rf"{name}:1: expected a JSON object"):
            read(write(tmp_path, name, line))
    with pytest.raises(ValueError, match=r"list.json: expected a JSON list of segments"):
        read(write(tmp_path, "list.json", "[1,"))


def test_quotes_in_a_table_by_tabs_are_characters(tmp_path: Path) -> None:
    lines = ['u1\t"the bat\tthe cat', 'u2\tsat" down\tsat down', "u3\tx\ty"]
    path = write(tmp_path, "r.tsv", "id\thypothesis\treference", *lines)
    assert texts(read(path))["u1"] == ("the cat", '"the bat')
    assert list(read(path)) == ["u1", "u2", "u3"]


@pytest.mark.parametrize("head", ["id, hypothesis", "\n\nid,hypothesis"])
def test_spaces_and_empty_lines_about_the_head_of_a_table(tmp_path: Path, head: str) -> None:
    assert texts(read(write(tmp_path, "r.csv", head, "u1,the bat"))) == {"u1": (None, "the bat")}
    broken = write(tmp_path, "s.csv", head, "u1,the bat", "u2")
    line = 3 + head.count("\n")
    with pytest.raises(ValueError, match=rf"s.csv:{line}: expected 2 columns"):
        read(broken)
