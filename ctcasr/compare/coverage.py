"""What is to be known beside the rates of systems: what is missing, empty or in no rate."""

from __future__ import annotations

from collections.abc import Sequence

from ctcasr.compare.results import References, System, first_names
from ctcasr.compare.scores import Scores
from ctcasr.compare.system_rows import Group
from ctcasr.scoring.figures import plural


def remarks_on(whole: Group, references: References, scores: Scores) -> list[str]:
    """What is to be known beside the rates."""
    remarks = []
    for row in whole.rows:
        if row.missing:
            remarks.append(
                f"{row.system}: {plural(row.missing, 'utterance', 'are missing')}; pairs are on "
                "those that both have"
            )
        if row.loops:
            remarks.append(
                f"{row.system}: endless repetitions in {row.loops} of {row.errors.utterances} "
                "hypotheses; their insertions count in the rates"
            )
    for system, count in references.differing.items():
        remarks.append(
            f"{system}: {count} references differ from those of the first file, which count"
        )
    for system, of_system in scores.items():
        empty = sum(not scored.hypothesis for scored in of_system.values())
        if empty:
            remarks.append(f"{system}: {plural(empty, 'text', 'are empty')}")
    return remarks


def remarks_on_coverage(
    systems: Sequence[System], references: References, scores: Scores
) -> list[str]:
    """What is in no rate: results without a reference, references without a result or a word."""
    remarks = []
    answered: set[str] = set()
    scored: set[str] = set()
    for system in systems:
        answered.update(system.answers)
        scored.update(scores[system.name])
        strays = [name for name in system.answers if name not in references.texts]
        if strays:
            remarks.append(
                f"{system.name}: {len(strays)} of {len(system.answers)} results have no reference "
                f"and are in no rate ({first_names(strays)})"
            )
    unanswered = [name for name in references.texts if name not in answered]
    if unanswered:
        remarks.append(
            f"{len(unanswered)} of {len(references.texts)} references have no result of any "
            f"system and are in no rate ({first_names(unanswered)})"
        )
    wordless = [name for name in references.texts if name in answered and name not in scored]
    if wordless:
        written = ", ".join(
            f"{system.name} {plural(_words_written(system, wordless), 'word')}"
            for system in systems
        )
        remarks.append(
            f"{len(wordless)} references hold no word as they are scored; what was written for "
            f"them is in no rate ({first_names(wordless)}): {written}"
        )
    return remarks


def _words_written(system: System, utterances: Sequence[str]) -> int:
    """How many words a system wrote for these utterances."""
    answers = [system.answers[name] for name in utterances if name in system.answers]
    return sum(len((answer.hypothesis or "").split()) for answer in answers)
