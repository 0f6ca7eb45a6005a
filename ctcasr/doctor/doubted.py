"""Words that were not said as they are written, as models of words hear it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ctcasr.batch import Utterance
from ctcasr.doctor.finding import Finding, graded, lines_of
from ctcasr.scoring.figures import plural
from ctcasr.text import Tokenizer
from ctcasr.word_times import Believed, believed_texts


def doubted_words(
    utterances: Sequence[Utterance],
    tokenizer: Tokenizer,
    rate_hz: int,
    took_one: Callable[[], None] = lambda: None,
) -> list[Finding]:
    """Texts in which models of words, learnt from these utterances, believe other words.

    Where hardly a word comes back often, as in free speech, that cannot be told: a note says so.
    `took_one` is called after each utterance.
    """
    believed = believed_texts(utterances, tokenizer, rate_hz, took_one)
    if believed.doubts is None:
        return [_not_doubted(len(utterances))]
    if not believed.doubted:
        return []
    lines = [utterances[number] for number in believed.doubted]
    changes = plural(believed.changed, "difference")
    example = _example(utterances, believed, tokenizer)
    return [
        Finding(
            "doubted-words",
            graded(believed.changed, believed.words),
            f"{plural(len(lines), 'text')} with words that were probably not said: {changes} from "
            f"{plural(believed.words, 'word')}, as in {example}",
            "listen to some; ctcasr audit says what is wrong with each line, and training with "
            "--doubt learns what is believed instead",
            lines_of(lines),
            {"words": believed.words, "differences": believed.changed},
        )
    ]


def _example(utterances: Sequence[Utterance], believed: Believed, tokenizer: Tokenizer) -> str:
    """The first doubted line, as it is written and as it is heard."""
    number = believed.doubted[0]
    written = utterances[number]
    written_text = tokenizer.reference(written.text or "").text
    said_text = tokenizer.reference(believed.utterances[number].text or "").text
    heard = "nothing of it" if said_text == written_text else repr(said_text)
    return f"{written.full_name}: {written_text!r}, where {heard} is heard"


def _not_doubted(listened: int) -> Finding:
    """Why nothing can be said."""
    return Finding(
        "words-not-doubted",
        "note",
        f"no word can be doubted by the {plural(listened, 'line')} that were decoded: too few "
        "words come back twenty times or more",
        "with --sample, decode more; in free speech ctcasr audit judges lines by networks, and "
        "needs an hour or more",
    )
