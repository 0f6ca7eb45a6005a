"""What is wrong with single words, as all lines together say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from ctcasr.audit.correction import Line, pack_slots
from ctcasr.audit.habits import without_habits
from ctcasr.audit.kinds import MISSING, SUBSTITUTED, SUPERFLUOUS, WordVerdict
from ctcasr.audit.slotarrays import Floats
from ctcasr.audit.slots import NOTHING, SlotTable, Vocabulary
from ctcasr.audit.wordnoise import Posteriors, WordModel, WordNoise


def judge_words(single: Sequence[Line], lines: Sequence[Line], vocabulary: Vocabulary) -> WordNoise:
    """Note what is wrong with the words of all lines, as those say that have their own text."""
    packed = pack_slots(single, vocabulary)
    model = WordModel(packed)
    noise = model.fit()
    posteriors = without_habits(model.posteriors(noise), noise, packed)
    _note_words(single, posteriors, vocabulary)
    known = {id(line) for line in single}
    others = [line for line in lines if id(line) not in known]
    _note_words(others, WordModel(pack_slots(others, vocabulary)).posteriors(noise), vocabulary)
    return noise


def words_of_line(words: Sequence[WordVerdict], swapped: float, partner: str) -> list[WordVerdict]:
    """Verdicts on the words of a line whose text is another one's with probability `swapped`.

    They were judged as if the text were its own. If it is not, the `partner` was said: then words
    are wrong that it does not have, and words that it has beyond them are missing. Of both, the
    likelier says what a word is called and what is suggested.
    """
    if not partner:
        return list(words)
    changes = _changes([word.written for word in words if word.written], partner.split())
    of_line = []
    for word in words:
        as_own = (1 - swapped) * word.wrong
        change = changes.get((word.place, bool(word.written)))
        if change is None:
            of_line.append(replace(word, wrong=as_own))
            continue
        named = word
        if swapped > as_own:
            named = replace(word, kind=change.kind, suggestion=change.suggestion)
        of_line.append(replace(named, wrong=as_own + swapped))
    return of_line


class _Change(NamedTuple):
    """What makes of one word of a text, or of a gap, that of another text."""

    kind: str
    suggestion: str


def _changes(written: Sequence[str], said: Sequence[str]) -> dict[tuple[int, bool], _Change]:
    """The changes from one text to another, by place and whether a word stands there or a gap.

    Example:
        >>> _changes(["bin", "blue"], ["set", "blue", "now"])[2, False]
        _Change(kind='missing', suggestion='now')
    """
    changes: dict[tuple[int, bool], _Change] = {}
    for edit in Levenshtein.editops(written, said):
        if edit.tag == "insert":
            missing = _Change(MISSING, said[edit.dest_pos])
            changes.setdefault((edit.src_pos, False), missing)  # a gap tells of one word
        elif edit.tag == "delete":
            changes[edit.src_pos, True] = _Change(SUPERFLUOUS, NOTHING)
        else:
            changes[edit.src_pos, True] = _Change(SUBSTITUTED, said[edit.dest_pos])
    return changes


def _note_words(lines: Sequence[Line], posteriors: Posteriors, vocabulary: Vocabulary) -> None:
    """Give each line the verdicts of its words."""
    row = 0
    for line in lines:
        for place, slot in enumerate(line.slots):
            another = posteriors.another[row, : len(slot.nats)]
            nothing = float(posteriors.nothing[row])
            verdict = _word_verdict(place, slot, another, nothing, vocabulary)
            line.words.append(verdict)
            row += 1


def _word_verdict(
    place: int, slot: SlotTable, another: Floats, nothing: float, vocabulary: Vocabulary
) -> WordVerdict:
    """The verdict on one slot, of posteriors of its candidates and of nothing."""
    of_words = float(another.sum())
    kind = MISSING if slot.gap else SUBSTITUTED
    suggestion = NOTHING
    if not slot.gap and nothing > of_words:
        kind = SUPERFLUOUS
    elif len(another):
        likeliest = slot.words[int(np.argmax(another))]
        suggestion = vocabulary.words[likeliest]
    return WordVerdict(
        place=place // 2,
        written=slot.written,
        wrong=min(of_words + nothing, 1.0),
        kind=kind,
        suggestion=suggestion,
    )
