"""How often is nothing called something, and how often do intervals hold the truth?

Two systems with the same word error rate on sentences of 4 to 14 words: the share of sets in which
`ctcasr compare` gives a word (all of them wrong), alone, among the six pairs of four systems, and
where 2 % of the hypotheses of either system never end; and the share of 95 % intervals that hold a
true difference of 3 points. Speakers differ in difficulty; from 20 on they are drawn, and each may
be better understood by either system. With fewer, the interval is about these speakers alone.

python tools/study/null_sets.py [--sentences 30,70] [--sets 2000]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from ctcasr.compare.significance import decide_family
from ctcasr.scoring.bootstrap import (
    FEW_SPEAKERS,
    UNDECIDED,
    Paired,
    draw,
    interval,
)

SPEAKERS = (1, 5, 30)
GAIN = 0.03
INTERACTION = 0.03  # standard deviation of what a system does better or worse for a speaker
LOOPS = 0.02
LOOP_WORDS = (50, 200)
PAIRS = 6
DRAWS = 1000
MOST_FOR_FAMILIES = 200  # sentences: six pairs of more take too long


@dataclass(frozen=True)
class Shares:
    """Of all sets of one kind, in %."""

    alone: float
    family: float | None
    loops: float
    covered: float


def main() -> None:
    """Print a row of a Markdown table for each kind of set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", default="30,70,200,1000")
    parser.add_argument("--speakers", default=",".join(map(str, SPEAKERS)))
    parser.add_argument("--sets", type=int, default=2000)
    arguments = parser.parse_args()
    print("| sentences | speakers | drawn | wrong words | six pairs | endless 2 % | covered |")
    print("| ---: | ---: | --- | ---: | ---: | ---: | ---: |")
    for sentences in map(int, arguments.sentences.split(",")):
        for speakers in map(int, arguments.speakers.split(",")):
            found = shares(sentences, speakers, arguments.sets)
            unit = "speakers" if speakers >= FEW_SPEAKERS else "sentences"
            family = "-" if found.family is None else f"{found.family:.1f} %"
            print(
                f"| {sentences} | {speakers} | {unit} | {found.alone:.1f} % | {family} | "
                f"{found.loops:.1f} % | {found.covered:.1f} % |",
                flush=True,
            )


def shares(sentences: int, speakers: int, sets: int) -> Shares:
    """What happens in so many sets, all from one seed."""
    rng = np.random.default_rng([sentences, speakers])
    alone = 0
    family = 0
    loops = 0
    covered = 0
    with_families = sentences <= MOST_FOR_FAMILIES
    for seed in range(sets):
        alone += has_word([simulated(rng, sentences, speakers)], seed)
        loops += has_word([simulated(rng, sentences, speakers, loops=LOOPS)], seed)
        if with_families:
            pairs = [simulated(rng, sentences, speakers) for _ in range(PAIRS)]
            family += has_word(pairs, seed)
        pair = simulated(rng, sentences, speakers, gain=GAIN)
        low, high = interval(draw(pair, DRAWS, seed), len(pair.words), 0.05)
        covered += low <= GAIN <= high
    return Shares(
        alone=100 * alone / sets,
        family=100 * family / sets if with_families else None,
        loops=100 * loops / sets,
        covered=100 * covered / sets,
    )


def simulated(
    rng: np.random.Generator, sentences: int, speakers: int, gain: float = 0.0, loops: float = 0.0
) -> Paired:
    """Errors of two systems by unit; the true difference of their rates is `gain`."""
    speaker = np.arange(sentences) % speakers
    words = rng.integers(4, 15, sentences)
    hard = 0.1 + 0.4 * rng.beta(2, 4, sentences) + rng.uniform(0, 0.2, speakers)[speaker]
    better = gain + 0.0 * hard
    if speakers >= FEW_SPEAKERS:
        better = better + rng.normal(0, INTERACTION, speakers)[speaker]
    base = rng.binomial(words, hard).astype(float)
    other = rng.binomial(words, np.clip(hard + better, 0, 1)).astype(float)
    for errors in (base, other):
        errors += (rng.random(sentences) < loops) * rng.integers(*LOOP_WORDS, sentences)
    weights = words.astype(float)
    if speakers < FEW_SPEAKERS:
        return Paired(base, other, weights)
    sums = [np.bincount(speaker, column).astype(float) for column in (base, other, weights)]
    return Paired(*sums)


def has_word(pairs: list[Paired], seed: int) -> bool:
    """Whether any pair of a family has a word."""
    tested = decide_family(dict(enumerate(pairs)), DRAWS, seed)
    return any(test.word != UNDECIDED for test in tested.values())


if __name__ == "__main__":
    main()
