"""A hypothesis under its reference, word under word, with the differences in colour."""

from __future__ import annotations

from itertools import zip_longest

import jiwer
from rich.cells import cell_len
from rich.text import Text

from ctcasr.show.units import ORANGE, PURPLE, SKY

SUBSTITUTED = f"bold {ORANGE}"
DELETED = f"bold {SKY}"
INSERTED = f"bold {PURPLE}"

WordPair = tuple[str | None, str | None]


def align(reference: list[str], hypothesis: list[str]) -> list[WordPair]:
    """Pairs of a minimal edit alignment.

    (word, word), (word, None) for a deletion, (None, word) for an insertion.

    Example:
        >>> align(["bin", "blue"], ["bin", "a", "blue"])
        [('bin', 'bin'), (None, 'a'), ('blue', 'blue')]
    """
    if not reference:  # jiwer refuses
        return [(None, word) for word in hypothesis]
    aligned = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    pairs: list[WordPair] = []
    for chunk in aligned.alignments[0]:
        reference_span = reference[chunk.ref_start_idx : chunk.ref_end_idx]
        hypothesis_span = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
        pairs += zip_longest(reference_span, hypothesis_span)
    return pairs


def compare(reference: str, hypothesis: str, width: int) -> tuple[Text, Text]:
    """Two lines of at most `width` cells, legible without colour as well.

    Stars (as in NIST's sclite) stand below a deletion, a gap above an insertion.

    Example:
        >>> for line in compare("bin blue at f now", "bin at f too now", 60):
        ...     print(line.plain)
        bin blue at f     now
        bin **** at f too now
    """
    above = Text(no_wrap=True)
    below = Text(no_wrap=True)
    if not hypothesis.strip():
        above.append(reference)
        below.append("(nothing)", style=DELETED)
    else:
        # A line shows `width` cells: to align more words than that could cost seconds, and change
        # nothing that is seen.
        pairs = align(reference.split()[:width], hypothesis.split()[:width])
        for reference_word, hypothesis_word in pairs:
            _append_pair(above, below, reference_word, hypothesis_word)
    for line in (above, below):
        line.rstrip()
        line.truncate(width, overflow="ellipsis")
    return above, below


def _append_pair(
    above: Text, below: Text, reference_word: str | None, hypothesis_word: str | None
) -> None:
    """Two words over each other, in as many cells as the longer one takes, and a space."""
    reference_cells = cell_len(reference_word or "")
    hypothesis_cells = cell_len(hypothesis_word or "")
    cells = max(reference_cells, hypothesis_cells)
    style = _style(reference_word, hypothesis_word)
    if reference_word is None:
        reference_word = " " * cells
    if hypothesis_word is None:
        hypothesis_word = "*" * cells
    for line, word in ((above, reference_word), (below, hypothesis_word)):
        line.append(word, style=style)
        gap = cells + 1 - cell_len(word)
        line.append(" " * gap)


def _style(reference_word: str | None, hypothesis_word: str | None) -> str:
    if reference_word == hypothesis_word:
        return ""
    if hypothesis_word is None:
        return DELETED
    if reference_word is None:
        return INSERTED
    return SUBSTITUTED
