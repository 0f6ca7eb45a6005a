"""What is wrong with single words, as all lines together say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
    are wrong that it does not have, and words that it has beyond them are missing.
    """
    written = [word.written for word in words if word.written]
    wrong_words: set[int] = set()
    wrong_gaps: set[int] = set()
    for block in Levenshtein.opcodes(written, partner.split()):
        if block.tag == "insert":
            wrong_gaps.add(block.src_start)
        elif block.tag != "equal":
            wrong_words.update(range(block.src_start, block.src_end))
    of_line = []
    for word in words:
        wrong_if_swapped = word.place in (wrong_words if word.written else wrong_gaps)
        wrong = (1 - swapped) * word.wrong + swapped * wrong_if_swapped
        of_line.append(replace(word, wrong=wrong))
    return of_line


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
