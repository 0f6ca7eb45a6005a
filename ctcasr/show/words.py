"""A hypothesis under its reference, word under word, with the differences in colour (and legible without)."""

from __future__ import annotations

from itertools import zip_longest

import jiwer
from rich.cells import cell_len
from rich.text import Text

from ctcasr.show.units import ORANGE, PURPLE, SKY

SUBSTITUTED, DELETED, INSERTED = f"bold {ORANGE}", f"bold {SKY}", f"bold {PURPLE}"


def align(reference: list[str], hypothesis: list[str]) -> list[tuple[str | None, str | None]]:
    """Pairs of a minimal edit alignment: (word, word), (word, None) for a deletion, (None, word) for an insertion."""
    if not reference:  # jiwer refuses
        return [(None, word) for word in hypothesis]
    pairs: list[tuple[str | None, str | None]] = []
    for chunk in jiwer.process_words(" ".join(reference), " ".join(hypothesis)).alignments[0]:
        pairs += zip_longest(
            reference[chunk.ref_start_idx : chunk.ref_end_idx],
            hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx],
        )
    return pairs


def compare(reference: str, hypothesis: str, width: int) -> tuple[Text, Text]:
    """Two lines of at most `width` cells: stars (as in NIST's sclite) below a deletion, a gap above an insertion."""
    above, below = Text(no_wrap=True), Text(no_wrap=True)
    if not hypothesis.strip():
        above.append(reference)
        below.append("(nothing)", style=DELETED)
    else:
        # A line shows `width` cells: aligning more words than that could cost seconds and change nothing that is seen.
        for ref, hyp in align(reference.split()[:width], hypothesis.split()[:width]):
            cells = max(cell_len(ref or ""), cell_len(hyp or "")) + 1
            style = (
                ""
                if ref == hyp
                else DELETED
                if hyp is None
                else INSERTED
                if ref is None
                else SUBSTITUTED
            )
            for line, word, gap in ((above, ref, " "), (below, hyp, "*")):
                shown = gap * (cells - 1) if word is None else word
                line.append(shown, style=style)
                line.append(" " * (cells - cell_len(shown)))
    for line in (above, below):
        line.rstrip()
        line.truncate(width, overflow="ellipsis")
    return above, below
