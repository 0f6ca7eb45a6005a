"""The page and the table about an audit."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ctcasr.audit import Audit, judge
from ctcasr.audit.scorer import Spelling
from ctcasr.batch import Skip
from ctcasr.show.audit_page import player, write_audit_page
from ctcasr.show.audit_table import audit_table
from tests.audit.conftest import ALPHABET, heard_as

TEXTS = ["bin blue now", "set white soon", "lay red again", "place green please"]


@pytest.fixture(scope="module")
def audit() -> Audit:
    lines = []
    for number in range(1, 41):
        text = TEXTS[number % 4]
        written = TEXTS[(number + 1) % 4] if number == 7 else text
        lines.append(heard_as(text, written, number))
    skipped = [Skip("train.jsonl:41", "no <sound>")]
    return Audit.of("corpus/train.jsonl", judge(lines, Spelling(ALPHABET)), skipped, {})


def test_suspects_have_players_and_pictures(audit: Audit, tmp_path: Path) -> None:
    page = write_audit_page(audit, tmp_path / "out").read_text("utf-8")
    assert page.count("<audio") == len(audit.suspects) == 1
    assert "u7.wav#t=0,2" in page and "swapped" in page
    assert 'class="raster"' in page
    assert "no &lt;sound&gt;" in page and "<sound>" not in page


def test_names_cannot_break_the_page(audit: Audit, tmp_path: Path) -> None:
    (suspect,) = audit.suspects
    evil = '"><script>x</script>'
    heard = replace(suspect.heard, text=evil, hypothesis=evil)
    line = replace(suspect, heard=heard, suggestion=evil, words=())
    page = write_audit_page(replace(audit, lines=(line,)), tmp_path).read_text("utf-8")
    assert "<script>x" not in page


def test_players_point_from_the_page_to_the_sound() -> None:
    html = player(Path("corpus/a b#1.wav"), 0.0, None, Path("corpus/out"))
    assert 'src="../a%20b%231.wav"' in html


def test_the_table_names_lines_and_cures(audit: Audit) -> None:
    paper = io.StringIO()
    Console(file=paper, width=120, color_system=None).print(audit_table(audit))
    text = " ".join(paper.getvalue().split())
    assert "suspected 1" in text and "1 could not be judged" in text
    assert "swapped" in text and audit.suspects[0].suggestion in text


def test_shares_close_to_nothing_cannot_break_the_page(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctcasr.show.audit_page.percent", lambda share: "<1 %")
    html = write_audit_page(replace(audit, shares={"swapped": 0.001}), tmp_path).read_text("utf-8")
    assert html.count("&lt;1 %") == 2
    assert not re.search(r"<(?![a-zA-Z/!])", html.partition("<script>")[0])
