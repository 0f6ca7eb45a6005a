"""Defects planted into short trainings, by kind: what the verdict has to name, on many corpora.

A seed draws corpus, network and value of each; half of the plantings of every kind are for tuning,
the other half is only reported. `tools/study/plant.py` trains and judges them.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kinds import KINDS, Kind
from trial import CORPORA, NETWORKS, Trial, healthy_trial

SEED = 2026
HEALTHY = 40  # trainings without any defect, half of them for tuning
HALVES = ("tuning", "held-out")


@dataclass(frozen=True)
class Planting:
    """One training to be: what is planted, where, and which half it belongs to."""

    number: int
    kind: str
    slugs: tuple[str, ...]  # causes, of which the first named must be one; none: healthy
    corpus: str
    network: str
    value: Any
    seed: int
    half: str

    @property
    def name(self) -> str:
        """A name for files."""
        value = "" if self.value is None else f"_{self.value}"
        name = f"{self.number:03}_{self.kind}{value}_{self.corpus}_{self.network}"
        return name.replace(" ", "-")


def plan(seed: int = SEED) -> list[Planting]:
    """All plantings of a seed; one of each kind for tuning, one that is held out, and so on.

    Example:
        >>> plantings = plan()
        >>> {planting.half for planting in plantings} == set(HALVES)
        True
    """
    generator = random.Random(seed)
    plantings = []
    for kind in KINDS:
        plantings.extend(_of_kind(kind, generator))
    for copy in range(HEALTHY):
        plantings.append(_healthy(copy, generator))
    # The first copy of every kind comes first, so that a part of the plan has all kinds in it.
    plantings.sort(key=lambda planting: planting.number)
    numbered = []
    for number, planting in enumerate(plantings):
        numbered.append(dataclasses.replace(planting, number=number))
    return numbered


def _of_kind(kind: Kind, generator: random.Random) -> list[Planting]:
    """The plantings of one kind: no corpus and no value twice, as long as there are others."""
    corpora = _shuffled(kind.corpora or tuple(CORPORA), generator)
    networks = _shuffled(kind.networks or tuple(NETWORKS), generator)
    values = _shuffled(kind.values, generator)
    plantings = []
    for copy in range(kind.count):
        planting = Planting(
            number=copy,
            kind=kind.name,
            slugs=kind.slugs,
            corpus=corpora[copy % len(corpora)],
            network=networks[copy % len(networks)],
            value=values[copy % len(values)],
            seed=generator.randrange(1000),
            half=HALVES[copy % 2],
        )
        plantings.append(planting)
    return plantings


def _healthy(copy: int, generator: random.Random) -> Planting:
    """A training without a defect; all corpora in turn, each in both halves."""
    corpora = tuple(CORPORA)
    networks = tuple(NETWORKS)
    return Planting(
        number=copy // 8,
        kind="healthy",
        slugs=(),
        corpus=corpora[copy // 2 % len(corpora)],
        network=networks[generator.randrange(len(networks))],
        value=None,
        seed=generator.randrange(1000),
        half=HALVES[copy % 2],
    )


def _shuffled(values: Sequence[Any], generator: random.Random) -> list[Any]:
    """All of them in a random order."""
    return generator.sample(list(values), len(values))


def trial_of(planting: Planting) -> Trial:
    """The training with its defect in it."""
    trial = healthy_trial(planting.corpus, planting.network, planting.seed)
    for kind in KINDS:
        if kind.name == planting.kind:
            kind.plant(trial, planting.value)
    return trial
