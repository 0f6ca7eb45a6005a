"""Lines are corrected slot by slot, and what was changed has its price."""

from __future__ import annotations

import math

import pytest

from ctcasr.audit.correction import Prices, correct_lines, pack_slots
from ctcasr.audit.wordnoise import BEFORE_CORRECTION, WordModel
from tests.audit.conftest import WRONG_WORDS


def test_what_fits_better_takes_the_place_of_what_is_written(lines, vocabulary, spelling):
    taken = []
    own = correct_lines(lines, lines, vocabulary, spelling, lambda: taken.append(1))
    assert len(taken) == len(own) == len(lines)
    for number, (line, text) in enumerate(zip(lines, own, strict=True), start=1):
        said, written = WRONG_WORDS.get(number, (line.heard.text, line.heard.text))
        assert " ".join(filter(None, line.context)) == said
        assert line.heard.text == written
        if number in WRONG_WORDS:
            assert text.corrected > text.written + 5
            assert text.price < -2
        else:
            assert text.corrected == -math.inf and text.fit(0.5) == pytest.approx(
                0.5 * text.written
            )


def test_lines_that_tell_nothing_of_the_shares_are_corrected_too(lines, vocabulary, spelling):
    right = [line for number, line in enumerate(lines, start=1) if number not in WRONG_WORDS]
    correct_lines(lines, right, vocabulary, spelling)
    assert " ".join(filter(None, lines[11].context)) == WRONG_WORDS[12][0]


def test_each_change_costs_its_share(lines, vocabulary):
    noise = WordModel(pack_slots(lines, vocabulary)).fit(BEFORE_CORRECTION)
    prices = Prices(noise, vocabulary)
    line = lines[0]
    assert prices(line) == 0.0
    line.context = list(line.written)
    line.context[1] = ""
    assert prices(line) == pytest.approx(math.log(noise.superfluous))
    share = vocabulary.log_shares[vocabulary.words.index("two")]
    line.context[1] = "two"
    assert prices(line) == pytest.approx(math.log(noise.substituted) + share)
    line.context[2] = "two"
    assert prices(line) == pytest.approx(
        math.log(noise.substituted) + math.log(noise.missing) + 2 * share
    )
    assert prices.own_text(line, -9.0, -5.0).price == prices(line)
