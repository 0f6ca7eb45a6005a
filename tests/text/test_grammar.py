from __future__ import annotations

import math
from pathlib import Path
from random import Random

import pytest
import torch

from ctcasr.ctc import BeamSearch
from ctcasr.text import Alphabet
from ctcasr.text.grammar import Grammar, InGrammar, grammar_of, load_grammar, read_grammar

ENGLISH = Alphabet.english38()
LAMP = """#JSGF V1.0;
/* of a house */
grammar lamp;
public <command> = [please] turn the (lamp | <room> light) <state> {said = 1}; // and so on
<room> = kitchen | hall;
<state> = on | off;
"""


def accepts(grammar: Grammar, sentence: str) -> bool:
    state = grammar.start
    for word in sentence.split():
        after = grammar.after(state)
        if word not in after:
            return False
        state = after[word]
    return grammar.may_end(state)


@pytest.mark.parametrize(
    ("sentence", "is_allowed"),
    [
        ("turn the lamp on", True),
        ("please turn the hall light off", True),
        ("turn the hall on", False),
        ("turn the lamp", False),
        ("please please turn the lamp on", False),
        ("", False),
    ],
)
def test_jsgf_allows_its_sentences_alone(sentence: str, is_allowed: bool) -> None:
    assert accepts(grammar_of(LAMP, ENGLISH), sentence) is is_allowed


def test_what_is_drawn_is_allowed_and_all_is_drawn() -> None:
    grammar = grammar_of(LAMP, ENGLISH)
    drawn = {grammar.sentence(Random(seed)) for seed in range(300)}
    assert all(accepts(grammar, sentence) for sentence in drawn)
    assert len(drawn) == 2 * 3 * 2


@pytest.mark.parametrize(
    ("count", "star", "plus"), [(0, True, False), (1, True, True), (9, True, True)]
)
def test_repetition(count: int, star: bool, plus: bool) -> None:
    sentence = " ".join(["one"] * count)
    assert accepts(read_grammar("#JSGF; public <s> = one* ;", str), sentence) is star
    assert accepts(read_grammar("#JSGF; public <s> = (one)+ ;", str), sentence) is plus


def test_repetition_of_what_may_be_nothing_ends() -> None:
    grammar = read_grammar("#JSGF; public <s> = ([one] | <NULL>)* two;", str)
    assert accepts(grammar, "one one two")


def test_lines_are_sentences_in_written_form() -> None:
    grammar = grammar_of("Lights ON\n\nlights off\n", ENGLISH)
    assert accepts(grammar, "lights on")
    assert not accepts(grammar, "lights")
    assert grammar.words == ["lights", "off", "on"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at least one sentence"),
        ("#JSGF; <s> = a;", "public rule"),
        ("#JSGF; public <s> = <t>;", "no rule <t>"),
        ("#JSGF; public <s> = a <s>;", "made of itself"),
        ("#JSGF; public <s> = (a | b;", "before the rule ends"),
        ("#JSGF; public <s> = a ) b;", "no weights"),
        ("#JSGF; public <s> = /2/ a | /1/ b;", "no weights"),
        ("#JSGF; public <s> = a < b;", "around names"),
        ("#JSGF; public s = a;", "<name> = ...;"),
        ("#JSGF; public <s> = <t>; <t> = a; <t> = b;", "one rule <t> = ...; there are several"),
        ("#JSGF; public <s> = a; <s> = b;", "one rule <s>"),
        ("#JSGF; grammar g public <s> = a; public <t> = b;", "semicolon behind each .* 'grammar g"),
        ("#JSGF V1.0 public <s> = a; public <t> = b;", "semicolon behind each .* '#JSGF V1"),
        ("#JSGF; grammar; public <t> = b;", "got 'grammar'"),
        ("turn лампу on", "grammar: expected words of the alphabet's characters"),
    ],
)
def test_what_is_no_grammar_is_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", "\\(")):
        grammar_of(text, ENGLISH)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing\.jsgf: expected sentences"):
        load_grammar(tmp_path / "missing.jsgf", ENGLISH)
    (tmp_path / "bad.jsgf").write_text("#JSGF; <s> = a;", encoding="utf-8")
    with pytest.raises(ValueError, match=r"bad\.jsgf: JSGF"):
        load_grammar(tmp_path / "bad.jsgf", ENGLISH)


def gain_of(scorer: InGrammar, text: str) -> float:
    state = scorer.start()
    total = 0.0
    for token in ENGLISH.encode(text):
        state, gain = scorer.step(state, token)
        total += gain
    return total + scorer.end(state)


@pytest.mark.parametrize(
    ("text", "gain"),
    [("turn on", 0.0), ("turn o", -math.inf), ("tun on", -math.inf), ("on", -math.inf)],
)
def test_the_scorer_forbids_all_else(text: str, gain: float) -> None:
    assert gain_of(InGrammar(grammar_of("turn on\nturn off", ENGLISH), ENGLISH), text) == gain


@pytest.mark.parametrize(
    "heard", ["turn the lamp of", "pleas turm the hall lite on", "turn on the lamp"]
)
def test_the_search_writes_a_sentence_whatever_is_heard(heard: str) -> None:
    grammar = grammar_of(LAMP, ENGLISH)
    scorer = InGrammar(grammar, ENGLISH)
    search = BeamSearch(ENGLISH.blank, beam=64, floor=-math.inf, scorer=scorer)
    path = []
    for token in ENGLISH.encode(heard):
        path += [token, ENGLISH.blank]
    logits = 5.0 * torch.eye(ENGLISH.size)[[*path, *[ENGLISH.blank] * 30]]
    ((best, *_),) = search(logits[None], [len(logits)])
    assert accepts(grammar, ENGLISH.decode(best.tokens))
