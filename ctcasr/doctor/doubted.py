"""Words that were not said as they are written, as models of words hear it."""

from __future__ import annotations

from collections.abc import Sequence

from ctcasr.batch import Utterance
from ctcasr.doctor.finding import Finding, graded, lines_of
from ctcasr.scoring.figures import plural
from ctcasr.text import Tokenizer
from ctcasr.word_times import believed_texts


def doubted_words(
    utterances: Sequence[Utterance], tokenizer: Tokenizer, rate_hz: int
) -> list[Finding]:
    """Texts in which models of words, learnt from these utterances, believe other words.

    Where most words are seldom written, as in free speech, that cannot be told: a note says so.
    """
    believed = believed_texts(utterances, tokenizer, rate_hz)
    if believed.doubts is None:
        return [
            Finding(
                "words-not-doubted",
                "note",
                "words cannot be doubted: there is too little sound, or most of them are written "
                "fewer than twenty times",
                "ctcasr audit judges lines by networks, and needs an hour of free speech or more",
            )
        ]
    doubted = []
    examples = []
    for written, said in zip(utterances, believed.utterances, strict=True):
        if said.text != written.text:
            doubted.append(written)
            texts = [tokenizer.reference(text.text or "").text for text in (written, said)]
            examples.append(f"{written.full_name}: {texts[0]!r}, where {texts[1]!r} is heard")
    if not doubted:
        return []
    share = believed.changed / believed.words
    return [
        Finding(
            "doubted-words",
            graded(believed.changed, believed.words),
            f"{believed.changed} of {plural(believed.words, 'word')} ({share:.1%}), in "
            f"{plural(len(doubted), 'line')}, were probably not said as they are written "
            f"({examples[0]})",
            "listen to some; ctcasr audit says what is wrong with each line, and training with "
            "--doubt learns what is believed instead",
            lines_of(doubted),
            {
                "words": believed.words,
                "doubted": believed.changed,
                "share_right": believed.doubts.right,
            },
        )
    ]
