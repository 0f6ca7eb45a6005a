"""Results of anybody's recogniser: what it wrote for each utterance, and what was said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

MANIFEST = "--manifest"  # as remarks call it
NAMED = 3  # utterances that a sentence names
_LABEL = re.compile(r"^([^=/\\]+)=(.+)$")


def first_names(names: Iterable[str]) -> str:
    """The first few of the names of utterances, and dots for the others.

    Example:
        >>> first_names(["u1", "u2", "u3", "u4"]), first_names(["u1"])
        ('u1, u2, u3 ...', 'u1')
    """
    known = list(names)
    dots = " ..." if len(known) > NAMED else ""
    return ", ".join(known[:NAMED]) + dots


def label_of(place: str) -> tuple[str, str]:
    """NAME and FILE of [NAME=]FILE.

    Example:
        >>> label_of("A=exp/a.trn"), label_of("exp/x=1/a.trn")
        (('A', 'exp/a.trn'), ('', 'exp/x=1/a.trn'))
    """
    found = _LABEL.match(place)
    return (found[1], found[2]) if found else ("", place)


@dataclass(frozen=True)
class Answer:
    """One utterance in a file of results."""

    id: str
    hypothesis: str | None = None
    reference: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)  # speaker, noise, ...

    @property
    def text(self) -> str | None:
        """Its only text, in a file of references."""
        return self.hypothesis if self.reference is None else self.reference


@dataclass(frozen=True)
class System:
    """What one recogniser (under one condition) wrote, by the utterances' names."""

    name: str
    answers: Mapping[str, Answer]
    path: Path = field(default_factory=Path)
    kind: str = ""  # the format of its file
    unheard: Sequence[Answer] = ()  # utterances for which its file has no result

    @staticmethod
    def of(name: str, answers: Iterable[Answer], path: Path, kind: str) -> System:
        """From the answers of a file.

        Raises:
            ValueError: where an utterance occurs twice, or no hypothesis is there.
        """
        by_id: dict[str, Answer] = {}
        for answer in answers:
            if answer.id in by_id:
                raise ValueError(f"{path}: expected each utterance once; {answer.id} occurs twice")
            by_id[answer.id] = answer
        unheard = [answer for answer in by_id.values() if answer.hypothesis is None]
        for answer in unheard:
            del by_id[answer.id]
        if not by_id:
            raise ValueError(
                f"{path}: expected hypotheses; found none. --columns hypothesis=NAME tells where "
                "they stand"
            )
        return System(name, by_id, path, kind, unheard)

    def renamed(self, name: str) -> System:
        """The same results by another name."""
        return replace(self, name=name)


@dataclass(frozen=True)
class References:
    """What was said, and what else is known of each utterance."""

    texts: Mapping[str, str]
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    differing: Mapping[str, int] = field(default_factory=dict)  # by system, from the texts

    def known_fields(self) -> list[str]:
        """Names of the fields that any utterance has."""
        names: dict[str, None] = {}
        for fields in self.fields.values():
            names.update(dict.fromkeys(fields))
        return list(names)


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a file that are not empty, each with its place; their ends are taken off.

    A line ends at a line feed: texts hold line separators of Unicode, too.

    Raises:
        ValueError: where it is no UTF-8.
    """
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", line.strip(" \r")


def text_of(path: Path) -> str:
    """What a file holds.

    Raises:
        ValueError: where it is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8; {error}") from error


def refuse_doubles(path: Path, answers: Iterable[Answer]) -> None:
    """ValueError for an utterance that a file of references has twice, and not alike."""
    known: dict[str, Answer] = {}
    for answer in answers:
        first = known.setdefault(answer.id, answer)
        if (first.text, first.fields) != (answer.text, answer.fields):
            raise ValueError(
                f"{path}: expected each utterance once; {answer.id} occurs twice, and not alike"
            )


def references_of(
    systems: Iterable[System], given: Iterable[Answer] = (), manifest: Iterable[Answer] = ()
) -> References:
    """References from a file of their own, or else those that the systems' files hold.

    Of several that differ, the first counts; how many differ is told by system. A manifest has
    fields of the utterances, and says what was said where nothing else does.

    Raises:
        ValueError: where no utterance of any system has one.
    """
    systems = list(systems)
    given = list(given)
    manifest = list(manifest)
    texts = {answer.id: answer.text for answer in given if answer.text is not None}
    fields: dict[str, dict[str, str]] = {}
    for answer in (*given, *manifest):
        fields.setdefault(answer.id, {}).update(answer.fields)
    from_file = bool(texts)
    differing: dict[str, int] = {}
    for system in systems:
        for answer in (*system.answers.values(), *system.unheard):
            known = fields.setdefault(answer.id, {})
            for name, value in answer.fields.items():
                known.setdefault(name, value)
            if not from_file:
                _take_in(answer, system.name, texts, differing)
    if not from_file:
        for answer in manifest:
            _take_in(answer, MANIFEST, texts, differing)
    _refuse_strangers(systems, texts)
    return References(texts, fields, differing)


def _take_in(answer: Answer, name: str, texts: dict[str, str], differing: dict[str, int]) -> None:
    """Its reference where the utterance has none yet; else count whether it differs."""
    if answer.reference is None:
        return
    first = texts.setdefault(answer.id, answer.reference)
    if first.split() != answer.reference.split():
        differing[name] = differing.get(name, 0) + 1


def _refuse_strangers(systems: Iterable[System], texts: Mapping[str, str]) -> None:
    """ValueError for a system of which no utterance has a reference."""
    for system in systems:
        if any(utterance in texts for utterance in system.answers):
            continue
        if not texts:
            raise ValueError(
                f"{system.path}: expected references in the files of results, or --reference FILE; "
                "there are none"
            )
        raise ValueError(
            f"{system.path}: expected utterances that have a reference; none of "
            f"{len(system.answers)} has one ({first_names(system.answers)}; references are "
            f"for {first_names(texts)})"
        )
