"""Every utterance of every system scored, beside its reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ctcasr.compare.loops import is_loop
from ctcasr.compare.normalisers import Normalise
from ctcasr.compare.pairs import Scored
from ctcasr.compare.results import References, System
from ctcasr.scoring.errors import ErrorRates
from ctcasr.scoring.matched_pairs import aligned_words

Scores = Mapping[str, Mapping[str, Scored]]  # system -> utterance


def score_systems(
    systems: Iterable[System], references: References, normalise: Normalise
) -> dict[str, dict[str, Scored]]:
    """Every utterance that has a reference with a word in it."""
    normal_references: dict[str, str] = {}
    scores: dict[str, dict[str, Scored]] = {}
    for system in systems:
        of_system: dict[str, Scored] = {}
        for utterance, answer in system.answers.items():
            if utterance not in references.texts or answer.hypothesis is None:
                continue
            if utterance not in normal_references:
                normal_references[utterance] = normalise(references.texts[utterance])
            reference = normal_references[utterance]
            if reference:
                of_system[utterance] = score(reference, normalise(answer.hypothesis))
        scores[system.name] = of_system
    return scores


def score(reference: str, hypothesis: str) -> Scored:
    """One utterance, both texts normalised.

    Example:
        >>> score("the cat", "the bat").errors.words.errors
        1
    """
    return Scored(
        reference,
        hypothesis,
        ErrorRates.of(reference, hypothesis),
        aligned_words(reference.split(), hypothesis.split()),
        is_loop(hypothesis, reference),
    )


def shared_utterances(scores: Scores) -> set[str]:
    """The utterances that at least two systems have, which alone are compared."""
    counts = Counter(utterance for of_system in scores.values() for utterance in of_system)
    return {utterance for utterance, systems in counts.items() if systems > 1}
