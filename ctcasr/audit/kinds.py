"""The kinds of what is wrong with a line, and the verdicts on words and lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ctcasr.audit.heard import Heard

RIGHT = "right"
SWAPPED = "swapped"  # the text belongs to another recording
SUBSTITUTED = "substituted"  # a word is another one
MISSING = "missing"  # words were said and are not written
SUPERFLUOUS = "superfluous"  # words are written and were not said
CUT = "cut"  # the recording ends, or begins, within the text
NO_SPEECH = "no-speech"  # nothing that is written is heard
FOREIGN = "foreign"  # the recording fits no text of the manifest
SPEAKER = "speaker"  # the text may be right, but another one speaks than the manifest says
KINDS = (RIGHT, SWAPPED, SUBSTITUTED, MISSING, SUPERFLUOUS, CUT, NO_SPEECH, FOREIGN, SPEAKER)


PROBABLY = 0.5  # posterior from which on a line or a word is taken for wrong


@dataclass(frozen=True)
class WordVerdict:
    """One word, or one gap between words, with the posterior that it is wrong."""

    place: int  # of the word among the words of the text; of a gap: of the word behind it
    written: str  # empty: a gap
    wrong: float
    kind: str
    suggestion: str  # the word that fits best there; empty: nothing


@dataclass(frozen=True, eq=False)
class LineVerdict:
    """One line: the posterior that it is wrong, of what kind, and what it should be."""

    heard: Heard
    wrong: float
    kinds: Mapping[str, float]  # posteriors; they sum to 1
    words: tuple[WordVerdict, ...]  # all words and gaps
    suggestion: str  # the likeliest text
    partner: str  # of a swap: the text that fits best among the others
    partner_share: float  # of all other texts' fit, that of the partner
    nats_per_symbol: float  # infinite where the text has no room in the recording

    @property
    def kind(self) -> str:
        """The likeliest kind; of a line that is probably wrong, the likeliest that is not right."""
        wrong = {kind: share for kind, share in self.kinds.items() if kind != RIGHT}
        if self.wrong < PROBABLY:
            return RIGHT
        return max(wrong, key=lambda kind: wrong[kind])
