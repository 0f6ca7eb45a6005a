"""Sentences that may be said, as a list or as a grammar, and the search that writes no others.

Grammars are JSGF's (JSpeech Grammar Format, W3C Note of 2000) without weights and recursion:

    #JSGF V1.0;
    grammar lamp;
    public <command> = [please] turn the (lamp | <room> light) (on | off);
    <room> = kitchen | hall;
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from ctcasr.text.lexicon import writable
from ctcasr.text.tokenizer import Tokenizer

_HEADER = "#JSGF"
_MOST_REPEATS = 7  # of what may be repeated without end, where sentences are drawn
_SAMPLED = 200  # sentences, where it is asked how long they are
_FORBIDDEN = -math.inf  # nats
_HEADING = re.compile(r"#JSGF[^<=]*|grammar\s+[^\s<=]+")  # what stands before the rules
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_TAG = re.compile(r"\{[^}]*\}")
_TOKEN = re.compile(r"<[^<>]*>|[()\[\]|*+]|/[^/]*/|[^\s()\[\]|*+<>/]+")
_RULE = re.compile(r"(?P<public>public\s+)?<(?P<name>[^<>]+)>\s*=(?P<body>.*)", re.DOTALL)


@dataclass(frozen=True)
class Word:
    """One word, as it is written."""

    text: str


@dataclass(frozen=True)
class InOrder:
    """One part after the other; without parts it is nothing."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class OneOf:
    """Any one of the parts."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Repeated:
    """A part again and again, at least so many times (0 or 1)."""

    part: Expression
    least: int


Expression: TypeAlias = Word | InOrder | OneOf | Repeated
NOTHING = InOrder(())
State: TypeAlias = frozenset[int]


@dataclass
class Grammar:
    """The sentences that an expression allows, and an automaton over words that follows them.

    Example:
        >>> grammar = read_grammar("#JSGF V1.0; public <s> = turn (on | off) [now];", str)
        >>> grammar.sentence(Random(0))
        'turn off now'
        >>> state = grammar.start
        >>> sorted(grammar.after(state)), grammar.may_end(state)
        (['turn'], False)
    """

    expression: Expression
    _edges: list[list[tuple[str, int]]] = field(default_factory=list, repr=False)
    _silent: list[list[int]] = field(default_factory=list, repr=False)  # edges without a word
    _after: dict[State, dict[str, State]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        first = self._new_place()
        self._end = self._add(self.expression, first)
        self.start = self._closed({first})

    @property
    def words(self) -> list[str]:
        """Every word, sorted."""
        return sorted({word for edges in self._edges for word, _ in edges})

    def sentence(self, draw: Random) -> str:
        """A random sentence: of alternatives each is as likely as the others."""
        return " ".join(_drawn(self.expression, draw))

    def lengths(self, draw: Random) -> list[int]:
        """The numbers of words of some random sentences."""
        return [len(self.sentence(draw).split()) for _ in range(_SAMPLED)]

    def after(self, state: State) -> Mapping[str, State]:
        """The words that may follow, each with the state behind it."""
        known = self._after.get(state)
        if known is not None:
            return known
        places: dict[str, set[int]] = {}
        for place in state:
            for word, next_place in self._edges[place]:
                places.setdefault(word, set()).add(next_place)
        states = {word: self._closed(behind) for word, behind in places.items()}
        self._after[state] = states
        return states

    def may_end(self, state: State) -> bool:
        """Whether a sentence may end here."""
        return self._end in state

    def _new_place(self) -> int:
        self._edges.append([])
        self._silent.append([])
        return len(self._edges) - 1

    def _add(self, expression: Expression, place: int) -> int:
        """The place behind an expression that begins at `place` (Thompson's construction)."""
        if isinstance(expression, Word):
            end = self._new_place()
            self._edges[place].append((expression.text, end))
            return end
        if isinstance(expression, InOrder):
            for part in expression.parts:
                place = self._add(part, place)
            return place
        end = self._new_place()
        if isinstance(expression, OneOf):
            for part in expression.parts:
                self._silent[self._add(part, place)].append(end)
            return end
        loop = self._new_place()
        self._silent[place].append(loop)
        behind = self._add(expression.part, loop)
        self._silent[behind] += [loop, end]
        if expression.least == 0:
            self._silent[place].append(end)
        return end

    def _closed(self, places: Iterable[int]) -> State:
        """Of these places and all that are reached from them without a word, those that count.

        Those from which a word leads on, and the end: what goes on alike is one state.
        """
        reached = set(places)
        waiting = list(reached)
        while waiting:
            for place in self._silent[waiting.pop()]:
                if place not in reached:
                    reached.add(place)
                    waiting.append(place)
        return frozenset(place for place in reached if self._edges[place] or place == self._end)


def _drawn(expression: Expression, draw: Random) -> Iterator[str]:
    """The words of a random sentence."""
    if isinstance(expression, Word):
        yield expression.text
    elif isinstance(expression, InOrder):
        for part in expression.parts:
            yield from _drawn(part, draw)
    elif isinstance(expression, OneOf):
        yield from _drawn(draw.choice(expression.parts), draw)
    else:
        for _ in range(draw.randint(expression.least, _MOST_REPEATS)):
            yield from _drawn(expression.part, draw)


Write: TypeAlias = Callable[[str], str]
"""What a word of the file is in the form that the recogniser writes."""


def load_grammar(path: Path | str, tokenizer: Tokenizer) -> Grammar:
    """The grammar of a file: JSGF where it begins with "#JSGF", else one sentence a line.

    Raises:
        ValueError: that names the file, for one that cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: expected sentences or a grammar, a text file in UTF-8; {error}"
        ) from error
    try:
        return grammar_of(text, tokenizer)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def grammar_of(text: str, tokenizer: Tokenizer) -> Grammar:
    """The grammar of a text, in words as the tokenizer writes them; ValueError as `load_grammar`.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> grammar_of("Lights on\\nlights off", Alphabet.english38()).words
        ['lights', 'off', 'on']
    """
    return read_grammar(text, lambda word: writable(word, tokenizer, "grammar"))


def read_grammar(text: str, write: Write) -> Grammar:
    """The grammar of a text; ValueError for no sentence, and for what is no JSGF."""
    if text.lstrip().startswith(_HEADER):
        expression = _Rules(text, write).public()
    else:
        lines = [line.split() for line in text.splitlines() if line.strip()]
        expression = OneOf(tuple(_written(words, write) for words in lines))
    grammar = Grammar(expression)
    if not grammar.words:
        raise ValueError("expected at least one sentence with words in it; got none")
    return grammar


def _written(words: Iterable[str], write: Write) -> InOrder:
    """Words one after the other; one of the file may be several as they are written."""
    parts = []
    for word in words:
        parts += [Word(part) for part in write(word).split()]
    return InOrder(tuple(parts))


class _Rules:
    """The rules of a JSGF text, expanded as they are asked for."""

    def __init__(self, text: str, write: Write) -> None:
        self._write = write
        self._bodies: dict[str, str] = {}
        self._public: list[str] = []
        self._open: list[str] = []  # rules that are being expanded
        self._known: dict[str, Expression] = {}
        plain = _TAG.sub(" ", _COMMENT.sub(" ", text))
        for statement in map(str.strip, plain.split(";")):
            rule = _RULE.fullmatch(statement)
            if rule is not None:
                self._define(rule["name"].strip(), rule["body"], is_public=bool(rule["public"]))
            elif statement and not _HEADING.fullmatch(statement):
                raise ValueError(
                    f"JSGF: expected rules as <name> = ...; with a semicolon behind each and "
                    f"behind every line before them; got {statement[:60]!r}"
                )

    def _define(self, name: str, body: str, is_public: bool) -> None:
        if name in self._bodies:
            raise ValueError(
                f"JSGF: expected one rule <{name}> = ...; there are several: write what each "
                "allows as one, with | between"
            )
        self._bodies[name] = body
        if is_public:
            self._public.append(name)

    def public(self) -> Expression:
        """What the public rules allow; ValueError where there is none."""
        if not self._public:
            raise ValueError("JSGF: expected a public rule, as in: public <command> = ...;")
        return OneOf(tuple(self._rule(name) for name in self._public))

    def _rule(self, name: str) -> Expression:
        if name == "NULL":
            return NOTHING
        if name in self._known:
            return self._known[name]
        if name not in self._bodies:
            raise ValueError(f"JSGF: <{name}> is used, but there is no rule <{name}> = ...;")
        if name in self._open:
            raise ValueError(f"JSGF: <{name}> is made of itself; write what repeats with * or +")
        self._open.append(name)
        body = self._bodies[name]
        tokens = _TOKEN.findall(body)
        if "".join("".join(tokens).split()) != "".join(body.split()):
            raise ValueError(f"JSGF: <{name}>: expected < and > around names of rules; got {body}")
        expression = self._alternatives(name, tokens, "")
        self._open.pop()
        self._known[name] = expression
        return expression

    def _alternatives(self, name: str, tokens: list[str], closing: str) -> Expression:
        """What stands before `closing`, which is taken; `tokens` are used up from the front."""
        choices: list[Expression] = []
        parts: list[Expression] = []
        while tokens and tokens[0] != closing:
            token = tokens.pop(0)
            if token == "|":
                choices.append(InOrder(tuple(parts)))
                parts = []
            elif token in "*+" and parts:
                parts.append(Repeated(parts.pop(), least=int(token == "+")))
            else:
                parts.append(self._part(name, token, tokens))
        if closing:
            if not tokens:
                raise ValueError(f"JSGF: <{name}>: expected {closing!r} before the rule ends")
            tokens.pop(0)
        choices.append(InOrder(tuple(parts)))
        if len(choices) == 1:
            return choices[0]
        return OneOf(tuple(choices))

    def _part(self, name: str, token: str, tokens: list[str]) -> Expression:
        if token == "(":
            return self._alternatives(name, tokens, ")")
        if token == "[":
            return OneOf((self._alternatives(name, tokens, "]"), NOTHING))
        if token.startswith("<"):
            return self._rule(token[1:-1].strip())
        if token.startswith("/") or token in ")]*+":
            raise ValueError(
                f"JSGF: <{name}>: expected words, <rules>, ( | ), [ ], * and +, no weights; "
                f"got {token!r}"
            )
        return _written([token], self._write)


class InGrammar:
    """A scorer of the beam search that forbids all but the sentences of a grammar.

    State: (state of the grammar, the word so far).

    Example:
        >>> from ctcasr.text import Alphabet
        >>> abc = Alphabet(" abc")
        >>> scorer = InGrammar(grammar_of("ab c", abc), abc)
        >>> state, gain = scorer.step(scorer.start(), abc.encode("b")[0])
        >>> gain
        -inf
    """

    def __init__(self, grammar: Grammar, tokenizer: Tokenizer) -> None:
        self.grammar = grammar
        self._symbols = [tokenizer.symbol(index) for index in range(tokenizer.size)]
        self._symbols[tokenizer.blank] = ""
        self._beginnings: dict[State, frozenset[str]] = {}

    def start(self) -> Hashable:
        """The state before everything."""
        return (self.grammar.start, "")

    def step(self, state: Any, token: int) -> tuple[Hashable, float]:
        """The state behind a symbol; 0 nats, or -inf where no sentence goes on so."""
        place, word = state
        symbol = self._symbols[token]
        if symbol.startswith("_"):
            place = self._behind(place, word)
            word = ""
            if place is not None and not self.grammar.after(place):
                place = None  # a word would begin where none may follow
        word += symbol.removeprefix("_")
        if place is None or word not in self._beginnings_at(place):
            return (self.grammar.start, ""), _FORBIDDEN
        return (place, word), 0.0

    def end(self, state: Any) -> float:
        """0 nats where a sentence ends here, else -inf."""
        place = self._behind(*state)
        if place is None or not self.grammar.may_end(place):
            return _FORBIDDEN
        return 0.0

    def _behind(self, place: State, word: str) -> State | None:
        """The state behind a word; an empty one (a space after a space) is none."""
        if not word:
            return place
        return self.grammar.after(place).get(word)

    def _beginnings_at(self, place: State) -> frozenset[str]:
        """Whatever a word begins with that may follow."""
        if place not in self._beginnings:
            found = {""}
            for word in self.grammar.after(place):
                found.update(word[:end] for end in range(1, len(word) + 1))
            self._beginnings[place] = frozenset(found)
        return self._beginnings[place]
