"""By the fields of utterances: what is independent of what, and which are looked at together."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from ctcasr.compare.pairs import Grouping
from ctcasr.compare.results import References, first_names
from ctcasr.scoring.bootstrap import FEW_SPEAKERS

USUAL_STRATA = ("snr_db", "interferer", "noise", "seen", "split", "label")
MOST_GROUPS = 12  # numbers of more values are put into bins
BINS = 4
SPEAKER = "speaker"
SOURCE = "source"
UTTERANCE = "utterance"
# Whose values are names, also where these are numbers, as LibriSpeech's speakers are.
NAMES = (SPEAKER, SOURCE, "session", "interferer", "noise", "split", "label")


def grouping_of(
    utterances: Sequence[str],
    references: References,
    block: str = "",
    compared: Collection[str] = (),
) -> Grouping:
    """Units of the bootstrap, and what is ranked by NIST's tests.

    `compared` are those of the utterances (default: all) whose speakers count in the choice.

    Raises:
        ValueError: for a field that an utterance lacks.
    """
    by_itself = {utterance: utterance for utterance in utterances}
    speakers = _values(utterances, references, SPEAKER)
    sources = _values(utterances, references, SOURCE)
    rank_unit = UTTERANCE
    ranked = by_itself
    compared_speakers = {speakers.get(utterance) for utterance in compared or utterances}
    if len(compared_speakers) > 1:  # of one speaker no test of ranks can tell anything
        rank_unit = SPEAKER
        ranked = speakers
    if block == UTTERANCE:
        return Grouping(UTTERANCE, by_itself, rank_unit, ranked)
    if block:
        blocks = _values(utterances, references, block)
        if not blocks:
            raise ValueError(
                f"--block {block}: expected a field that every utterance has; "
                + _who_lacks(utterances, references, block)
            )
        return Grouping(block, blocks, rank_unit, ranked)
    if len(compared_speakers) >= FEW_SPEAKERS:
        return Grouping(SPEAKER, speakers, rank_unit, ranked)
    if sources:
        return Grouping("sentence", sources, rank_unit, ranked)
    return Grouping(UTTERANCE, by_itself, rank_unit, ranked)


def _who_lacks(utterances: Iterable[str], references: References, name: str) -> str:
    """The utterances without a field, or the fields that are known where nobody has it."""
    known = references.known_fields()
    if name not in known:
        return f"known are {', '.join(known) or 'none'}"
    lacking = [one for one in utterances if name not in references.fields.get(one, {})]
    return f"{first_names(lacking)} have none"


def _values(utterances: Sequence[str], references: References, name: str) -> dict[str, str]:
    """A field by utterance; empty where one lacks it."""
    values = {}
    for utterance in utterances:
        value = references.fields.get(utterance, {}).get(name)
        if value is None:
            return {}
        values[utterance] = value
    return values


def strata_names(references: References, asked: Sequence[str]) -> list[str]:
    """The fields that were asked for; else the speaker and the usual ones that are there.

    Raises:
        ValueError: for one that no utterance has.
    """
    known = references.known_fields()
    if not asked:
        return [name for name in (SPEAKER, *USUAL_STRATA) if name in known]
    for name in asked:
        if name not in known:
            raise ValueError(
                f"--strata {name}: expected a field of the utterances; known are "
                f"{', '.join(known) or 'none'}"
            )
    return list(asked)


def groups_of(utterances: Sequence[str], references: References, name: str) -> dict[str, list[str]]:
    """Utterances by the values of a field; numbers of many values in four bins of equal size."""
    values: dict[str, str] = {}
    for utterance in utterances:
        value = references.fields.get(utterance, {}).get(name)
        if value is not None:
            values[utterance] = value
    numbers = {} if name in NAMES else _numbers(values)
    if numbers and len(set(numbers.values())) > MOST_GROUPS:
        values = _bins(numbers)
    groups: dict[str, list[str]] = {}
    for utterance, value in values.items():
        groups.setdefault(value, []).append(utterance)
    return {value: groups[value] for value in sorted(groups, key=natural_order)}


def _numbers(values: Mapping[str, str]) -> dict[str, float]:
    """The values as numbers; empty where one is none."""
    numbers = {}
    for utterance, value in values.items():
        try:
            numbers[utterance] = float(value)
        except ValueError:
            return {}
    return numbers


def _bins(numbers: Mapping[str, float]) -> dict[str, str]:
    """Names of bins with about as many utterances each; what is infinite has one of its own."""
    finite = [number for number in numbers.values() if math.isfinite(number)]
    edges = np.quantile(finite or [0.0], np.linspace(0, 1, BINS + 1))
    names = {}
    for utterance, number in numbers.items():
        if not math.isfinite(number):
            names[utterance] = str(number)
            continue
        index = min(int(np.searchsorted(edges, number, side="right")) - 1, BINS - 1)
        names[utterance] = f"{edges[index]:g} to {edges[index + 1]:g}"
    return names


def natural_order(name: str) -> tuple[float, str]:
    """A key by which names that begin with numbers are sorted by these.

    Example:
        >>> sorted(["10 dB", "-5 dB", "0 dB"], key=natural_order)
        ['-5 dB', '0 dB', '10 dB']
    """
    try:
        number = float(name.split(" ")[0])
    except ValueError:
        return 0.0, name
    return (0.0 if math.isnan(number) else number), name
