"""Of 57 kinds of defects in 8 of 120 lines of real corpora, how many are found?"""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.doctor import Examination, examine
from ctcasr.recognise.model import SpeechModel
from ctcasr.text import Alphabet
from tests.fixtures.defects import DEFECTS, lines_of_corpus, write_spoilt

FOUND = 45  # kinds, at least
_HITS = 5  # of the 8 lines
_OTHERS = 6  # lines that are named beside them, at most


def names(result: Examination, clean: Examination, planted: tuple[int, ...]) -> bool:
    """Whether a finding names most of the planted lines, and few that it does not name anyway."""
    before = {finding.slug: set(finding.lines) for finding in clean.findings}
    for finding in result.findings:
        new = set(finding.lines) - (before.get(finding.slug, set()) - set(planted))
        hits = len(new.intersection(planted))
        if hits >= _HITS and len(new) - hits <= _OTHERS:
            return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("corpus", ["an4", "grid_s1"])
def test_most_kinds_of_defects_are_found(
    corpus: str,
    data_root: Path,
    model: SpeechModel,
    tokenizer: Alphabet,
    tmp_path: Path,
) -> None:
    lines = lines_of_corpus([data_root / corpus / "train.jsonl"])
    manifest, _ = write_spoilt(tmp_path / "clean", lines, lambda line, draw, others: line, 0)
    clean = examine(manifest, model, tokenizer)
    assert not clean.hurts
    missed = []
    for number, (kind, spoil) in enumerate(DEFECTS.items()):
        manifest, planted = write_spoilt(tmp_path / str(number), lines, spoil, 7)
        if not names(examine(manifest, model, tokenizer), clean, planted):
            missed.append(kind)
    print(f"{corpus}: {len(DEFECTS) - len(missed)} of {len(DEFECTS)}; missed {missed}")
    assert len(DEFECTS) - len(missed) >= FOUND, missed
