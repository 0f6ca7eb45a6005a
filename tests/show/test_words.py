from __future__ import annotations

import jiwer
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ctcasr.show.words import align, compare

TEXT = st.lists(st.sampled_from(["a", "bb", "ccc", "[red]", "日本"]), max_size=8)


@given(TEXT, TEXT)
def test_alignment_keeps_every_word_and_is_minimal(said, written):
    pairs = align(said, written)
    assert [r for r, _ in pairs if r is not None] == said
    assert [h for _, h in pairs if h is not None] == written
    errors = sum(r != h for r, h in pairs)
    assert errors == (
        jiwer.wer(" ".join(said), " ".join(written)) * len(said) if said else len(written)
    )


@given(TEXT, TEXT, st.integers(5, 60))
def test_lines_fit_and_words_stand_over_each_other(said, written, width):
    above, below = compare(" ".join(said), " ".join(written), width)
    assert cell_len(above.plain) <= width and cell_len(below.plain) <= width
    if said == written and said:
        assert above.plain == below.plain


def test_differences_are_legible_without_colour():
    above, below = compare("bin blue at f now", "bin at f too now please", 60)
    assert above.plain == "bin blue at f     now"
    assert below.plain == "bin **** at f too now please"
    assert compare("bin", "", 60)[1].plain == "(nothing)"
