"""Hypotheses that repeat themselves, as some recognisers write of what they cannot hear."""

from __future__ import annotations

LONGEST_UNIT = 6  # words that are repeated together
FEWEST_TIMES = 4  # in a row
FEWEST_WORDS = 8  # that the repetitions fill: "no no no no" may have been said


def is_loop(hypothesis: str, reference: str = "") -> bool:
    """Whether a run of words is repeated four times and more, which the reference does not do.

    Example:
        >>> is_loop("thank you " * 12), is_loop("bin blue at f two now")
        (True, False)
    """
    repeated = _longest_run(hypothesis.split())
    return repeated >= FEWEST_WORDS and repeated > _longest_run(reference.split())


def _longest_run(words: list[str]) -> int:
    """The number of words in the longest row of repetitions; 0 for none."""
    longest = 0
    for size in range(1, LONGEST_UNIT + 1):
        same = 0
        for position in range(size, len(words)):
            same = same + 1 if words[position] == words[position - size] else 0
            if same >= (FEWEST_TIMES - 1) * size:
                longest = max(longest, same + size)
    return longest
