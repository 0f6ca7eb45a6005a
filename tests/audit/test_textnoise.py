"""Every recording against all texts: shares and partners of swaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctcasr.audit.textnoise import (
    Texts,
    TextTable,
    Worth,
    fit_swaps,
    fit_worth,
    partners,
    text_table,
)


def tables_with(swapped: float, lines: int = 300) -> tuple[list[TextTable], np.ndarray]:
    """Tables of lines with different texts, of which a share has another line's."""
    draw = np.random.default_rng(5)
    wrong = draw.random(lines) < swapped
    log_share = -np.log(lines)
    made = []
    for line in range(lines):
        nats = draw.normal(-30, 4, lines - 1)
        own = float(draw.normal(-30, 4)) if wrong[line] else float(draw.normal(-5, 4))
        if wrong[line]:
            nats[line % (lines - 1)] = draw.normal(-5, 4)
        others = np.array([number for number in range(lines) if number != line])
        shares = np.full(lines - 1, log_share)
        made.append(TextTable(own, log_share, others, nats, shares, np.full(lines - 1, 9), 9))
    return made, wrong


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_the_share_of_swaps_is_found(share):
    tables, wrong = tables_with(share)
    noise = fit_swaps(tables)
    assert noise.swapped == pytest.approx(wrong.mean(), abs=0.04)
    odds = np.array([noise.log_odds(table, table.own_text) for table in tables])
    assert ((odds > 0) == wrong).mean() > 0.97


def test_corrected_texts_are_trusted_no_further_than_models_of_words_as_they_came():
    tables, _ = tables_with(0.1)
    own = [table.own_text for table in tables]
    assert fit_swaps(tables, own).trust > 1 / 8
    assert fit_swaps(tables, own, Worth(sound=8.0)).trust <= 1 / 8


def test_the_partner_is_the_text_that_fits_best():
    tables, wrong = tables_with(0.5)
    line = int(np.argmax(wrong))
    best, share = partners(tables[line], trust=0.5)[0]
    assert best == tables[line].others[line % 299] and share > 0.9


def test_a_table_has_the_own_text_apart(heard_line, spelling):
    heard = heard_line("bin blue", "bin blue")
    texts = Texts.of(["bin blue", "set white", "set white"])
    table = text_table(heard, texts, spelling)
    assert table.own > table.nats.max() and len(table.nats) == 1
    assert np.exp(table.log_shares[0]) == pytest.approx(2 / 3)


def test_a_manifest_of_one_text_has_no_swaps(heard_line, spelling):
    texts = Texts.of(["bin blue"] * 3)
    table = text_table(heard_line("bin blue", "bin blue"), texts, spelling)
    noise = fit_swaps([table] * 3)
    assert noise.log_odds(table, table.own_text) < 0 and partners(table, 0.5) == []


def test_of_many_texts_the_nearest_are_tried():
    texts = Texts.of([f"text {number}" for number in range(1500)] + ["bin blue now"])
    near = texts.near("bin blu now", own="text 3")
    chosen = [texts.texts[number] for number in near]
    assert "bin blue now" in chosen and "text 3" in chosen and len(chosen) <= 201


def test_what_a_symbol_is_worth_is_found():
    tables, _ = tables_with(0.1)
    draw = np.random.default_rng(6)
    shorter_is_liked = []
    for table in tables:
        symbols = draw.integers(5, 30, len(table.nats))
        own_symbols = int(draw.integers(5, 30))
        one = replace(
            table,
            nats=table.nats - 2.0 * symbols,
            own=table.own - 2.0 * own_symbols,
            symbols=symbols,
            own_symbols=own_symbols,
        )
        shorter_is_liked.append(one)
    assert fit_worth(shorter_is_liked) == Worth(sound=1.0, symbol=2.0)
