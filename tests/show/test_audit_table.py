"""An audit as a table: long ones are cut short."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from ctcasr.audit import Audit, judge
from ctcasr.audit.scorer import Spelling
from ctcasr.show.audit_table import audit_table
from tests.audit.conftest import ALPHABET, heard_as


def test_the_first_suspects_are_shown_and_the_others_counted() -> None:
    lines = [heard_as("bin blue", "bin blue", number) for number in range(1, 31)]
    judged = judge(lines, Spelling(ALPHABET))
    wrong = [replace(line, wrong=0.97) for line in judged.lines]
    audit = Audit.of("train.jsonl", replace(judged, lines=tuple(wrong)), [], {})
    paper = io.StringIO()
    Console(file=paper, width=100, color_system=None).print(audit_table(audit))
    text = " ".join(paper.getvalue().split())
    assert "suspected 30" in text and "and 10 more" in text
