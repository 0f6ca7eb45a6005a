"""Lines whose errors are known: each is named, and so is what it should be."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.audit import KINDS, judge
from ctcasr.audit.correction import Line
from ctcasr.audit.evidence import Evidence
from ctcasr.audit.foreign import Fits
from ctcasr.audit.kinds import CUT, FOREIGN, NO_SPEECH, SWAPPED
from ctcasr.audit.textnoise import OwnText, TextNoise
from ctcasr.audit.verdicts import Scales


def test_each_kind_is_named_with_its_cure(corpus_of, spelling):
    right = [line.text for line in corpus_of({})]
    wrong = {
        5: (right[4], right[8]),
        9: (right[8], right[4]),
        12: ("bin blue two red now", "bin blue one red now"),
        20: ("set green two soon", "set green please two soon"),
        28: ("lay white two red again", "lay white red again"),
        36: ("place red", "place red two again please"),
        44: ("", "bin green one two soon"),
        50: ("set green two soon now", "set green two soon bin"),
        55: ("lay white one two again", "lay white red two again"),
    }
    judged = judge(corpus_of(wrong), spelling)
    line = {number: judged.lines[number - 1] for number in wrong}
    kinds = {number: verdict.kind for number, verdict in line.items()}
    assert kinds == {
        5: "swapped",
        9: "swapped",
        12: "substituted",
        20: "superfluous",
        28: "missing",
        36: "cut",
        44: "no-speech",
        50: "substituted",
        55: "substituted",
    }
    for number, (said, _) in wrong.items():
        assert line[number].suggestion == said
    assert line[5].partner == right[4]
    others = [verdict for number, verdict in enumerate(judged.lines, 1) if number not in wrong]
    assert not [verdict.heard.text for verdict in others if verdict.wrong >= 0.5]
    assert sum(verdict.wrong for verdict in judged.lines) == pytest.approx(len(wrong), abs=2)


def test_a_text_that_has_no_room_changes_no_other_line_and_is_nobodys(corpus_of, spelling):
    right = [line.text for line in corpus_of({})]
    absurd = " ".join(right[:40])
    judged = judge(corpus_of({30: (right[29], absurd)}), spelling)
    assert judged.worth == judge(corpus_of({}), spelling).worth
    line = judged.lines[29]
    assert line.wrong > 0.9 and line.nats_per_symbol == np.inf
    assert all(verdict.partner != absurd for verdict in judged.lines)


def test_recordings_that_no_text_fits_are_foreign(corpus_of, spelling):
    said = {11: "xqzvj kwyfg hjvzx", 31: "zzgfk vwxyj qqhkv", 41: "kjxwv fgzqh yyvkw"}
    right = [line.text for line in corpus_of({})]
    judged = judge(
        corpus_of({line: (sound, right[line - 1]) for line, sound in said.items()}), spelling
    )
    called = {line.heard.utterance.name: line for line in judged.lines if line.wrong >= 0.5}
    assert {name: line.kind for name, line in called.items()} == {
        "u11": "foreign",
        "u31": "foreign",
        "u41": "foreign",
    }
    assert {line.suggestion for line in called.values()} == {""}


def test_the_wrong_word_is_named(corpus_of, spelling):
    judged = judge(corpus_of({12: ("bin blue two red now", "bin blue one red now")}), spelling)
    words = [word for word in judged.lines[11].words if word.written]
    surest = max(words, key=lambda word: word.wrong)
    assert (surest.written, surest.kind, surest.suggestion) == ("one", "substituted", "two")
    assert surest.place == 2


def test_two_errors_in_one_line_are_both_found(corpus_of, spelling):
    judged = judge(corpus_of({7: ("bin blue two red now", "bin white two red again")}), spelling)
    verdict = judged.lines[6]
    assert verdict.suggestion == "bin blue two red now"
    doubtful = [word.written for word in verdict.words if word.wrong > 0.5]
    assert doubtful == ["white", "again"]


def test_posteriors_are_shares(corpus_of, spelling):
    told = []
    judged = judge(corpus_of({}), spelling, lambda done, total: told.append((done, total)))
    for verdict in judged.lines:
        assert set(verdict.kinds) == set(KINDS)
        assert sum(verdict.kinds.values()) == pytest.approx(1)
        assert 0 <= verdict.wrong <= 1
    assert told[-1][0] == told[-1][1]


def test_a_text_that_does_not_fit_its_recording_breaks_nothing(corpus_of, spelling):
    judged = judge(corpus_of({3: ("red", "please again " * 6 + "now")}), spelling)
    assert judged.lines[2].wrong > 0.5


FAR_OFF = Evidence(  # a line whose own text fits no better than any
    words=(),
    own=OwnText(-120.0),
    log_right=0.0,
    part_nats=np.array([-51.0]),
    part_edges=np.array([6.9]),
    silent_nats=-1000.0,
    best_fit=-2.0,
    cut_text="",
    suggestion="",
)


def kinds_at(line: Line, trust_in_swaps: float, trust: float) -> dict[str, float]:
    """Posteriors of its kinds at two trusts: in which texts are swapped, and in texts at all."""
    shares = {CUT: 0.01, NO_SPEECH: 0.01, FOREIGN: 0.01}
    swaps = TextNoise(swapped=0.05, trust=trust_in_swaps)
    return Scales(swaps, trust, Fits(0.0, 0.25)).kinds(line, FAR_OFF, shares)


def test_much_trust_in_swaps_takes_nothing_from_foreign_recordings_beside_cut_ones(lines):
    little, much = (kinds_at(lines[0], trust_in_swaps, 0.1) for trust_in_swaps in (0.1, 1.0))
    assert little[FOREIGN] / little[CUT] == pytest.approx(much[FOREIGN] / much[CUT])


def test_much_trust_in_texts_makes_no_swapped_line_foreign(lines):
    little, much = (kinds_at(lines[0], 0.1, trust) for trust in (0.1, 1.0))
    assert little[FOREIGN] / little[SWAPPED] == pytest.approx(much[FOREIGN] / much[SWAPPED])
