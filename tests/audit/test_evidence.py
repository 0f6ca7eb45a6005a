"""What is known of a line: its own text, parts of it, silence, and the text that is believed."""

from __future__ import annotations

import pytest
import torch

from ctcasr.audit.correction import Line, Prices
from ctcasr.audit.edges import LineEdges
from ctcasr.audit.evidence import evidence_of
from ctcasr.audit.kinds import SUBSTITUTED, WordVerdict
from ctcasr.audit.slots import Vocabulary
from ctcasr.audit.textnoise import Texts, text_table
from ctcasr.audit.wordnoise import WordNoise


@pytest.fixture
def line_of(heard_line, spelling):
    def make(said: str, written: str, edges: LineEdges | None = None) -> Line:
        heard = heard_line(said, written)
        texts = Texts.of([written, "lay white two again", "set red one now"])
        line = Line(heard, text_table(heard, texts, spelling), edges=edges or LineEdges())
        line.context = line.written
        return line

    return make


@pytest.fixture
def prices() -> Prices:
    vocabulary = Vocabulary.of(["bin blue two red now", "one"])
    return Prices(WordNoise(torch.zeros(len(vocabulary.words))), vocabulary)


def test_a_right_text_fits_better_than_its_parts_and_than_nothing(line_of, prices, spelling):
    line = line_of("bin blue two red now", "bin blue two red now")
    known = evidence_of(line, prices, 0.5, spelling)
    own = known.own.written
    assert own > known.part_nats.max() > known.silent_nats
    assert known.log_right == 0.0 and known.suggestion == "bin blue two red now"
    assert known.best_fit == pytest.approx(own / len(spelling("bin blue two red now")))


def test_of_a_cut_recording_the_heard_part_is_told(line_of, prices, spelling):
    line = line_of("bin blue two", "bin blue two red now", LineEdges(ends_in_speech=2.0))
    known = evidence_of(line, prices, 0.5, spelling)
    assert known.cut_text == "bin blue two"
    assert known.part_nats.max() > known.own.written


def test_words_that_are_probably_wrong_give_way_in_what_is_suggested(line_of, prices, spelling):
    line = line_of("bin blue two red now", "bin blue one red now")
    for place, written in enumerate(line.written):
        wrong = 0.75 if written == "one" else 0.0
        line.words.append(WordVerdict(place // 2, written, wrong, SUBSTITUTED, "two"))
    known = evidence_of(line, prices, 0.5, spelling)
    assert known.suggestion == "bin blue two red now"
    assert known.log_right == pytest.approx(torch.tensor(0.25).log().item())


def test_a_short_text_has_no_parts(line_of, prices, spelling):
    known = evidence_of(line_of("a", "a"), prices, 0.5, spelling)
    assert len(known.part_nats) == 0 and known.cut_text == "a"
