"""Tables: every cell is read, or the line is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.data.table import Table


def table(folder: Path, text: str, name: str = "words.csv") -> Table:
    """A table of this text."""
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return Table(path)


def test_cells_come_by_column_and_missing_ones_are_none(tmp_path: Path) -> None:
    rows = list(table(tmp_path, 'path,text,speaker\na.wav,"so, it goes",anna\n\nb.wav,yes\n'))
    assert rows == [
        ("words.csv:2", {"path": "a.wav", "text": "so, it goes", "speaker": "anna"}),
        ("words.csv:4", {"path": "b.wav", "text": "yes", "speaker": None}),
    ]


def test_empty_lines_before_the_head_and_spaces_about_its_names(tmp_path: Path) -> None:
    (row,) = table(tmp_path, "\r\n\npath, text\na.wav,yes\n")
    assert row == ("words.csv:4", {"path": "a.wav", "text": "yes"})


def test_spaces_behind_a_comma_are_none_of_a_cell(tmp_path: Path) -> None:
    (row,) = table(tmp_path, 'text, path, note\nyes, my a.wav, "so, it goes"\n')
    assert row[1] == {"text": "yes", "path": "my a.wav", "note": "so, it goes"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('path,text\na.wav,yes\nb.wav,"no\nc.wav,so\n', "words.csv:3: expected a row"),
        ('path,text\na.wav,"yes" no\n', "words.csv:2: expected a row"),
        ("path,text,speaker\na.wav,yes, no,anna\n", "words.csv:2: expected 3 columns; got 4"),
        ("path,text,text\na.wav,yes,no\n", "text twice"),
    ],
)
def test_what_would_be_lost_or_displaced_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        list(table(tmp_path, text))


def test_with_tabs_a_quote_is_a_character(tmp_path: Path) -> None:
    for name in ("words.tsv", "WORDS.TSV"):
        rows = list(table(tmp_path, 'path\ttext\na.wav\t"yes\nb.wav\t no"\n', name))
        assert [row["text"] for _, row in rows] == ['"yes', ' no"']


def test_a_folder_nothing_and_another_encoding_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a table; there is a folder"):
        Table(tmp_path)
    with pytest.raises(ValueError, match="expected a table; there is nothing"):
        Table(tmp_path / "none.csv")
    latin = tmp_path / "latin.csv"
    latin.write_bytes("path,text\na.wav,für\n".encode("latin-1"))
    with pytest.raises(ValueError, match="expected UTF-8"):
        Table(latin)
