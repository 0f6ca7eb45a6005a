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
        return f"{self.number:03}_{self.kind}{value}_{self.corpus}_{self.network}".replace(" ", "-")


def plan(seed: int = SEED) -> list[Planting]:
    """All plantings of a seed; one of each kind for tuning, one that is held out, and so on.

    Example:
        >>> plantings = plan()
        >>> {planting.half for planting in plantings} == set(HALVES)
        True
    """
    draw = random.Random(seed)
    drawn = []
    for kind in KINDS:
        drawn.extend(_of_kind(kind, draw))
    for copy in range(HEALTHY):
        drawn.append(_healthy(copy, draw))
    drawn.sort(key=lambda planting: planting.number)
    return [dataclasses.replace(planting, number=n) for n, planting in enumerate(drawn)]


def _of_kind(kind: Kind, draw: random.Random) -> list[Planting]:
    """The plantings of one kind: no corpus and no value twice, as long as there are others."""
    corpora = _shuffled(kind.corpora or tuple(CORPORA), draw)
    networks = _shuffled(kind.networks or tuple(NETWORKS), draw)
    values = _shuffled(kind.values, draw)
    plantings = []
    for copy in range(kind.count):
        plantings.append(
            Planting(
                copy,
                kind.name,
                kind.slugs,
                corpora[copy % len(corpora)],
                networks[copy % len(networks)],
                values[copy % len(values)],
                draw.randrange(1000),
                HALVES[copy % 2],
            )
        )
    return plantings


def _healthy(copy: int, draw: random.Random) -> Planting:
    corpora = tuple(CORPORA)
    networks = tuple(NETWORKS)
    return Planting(
        copy // 8,
        "healthy",
        (),
        corpora[copy // 2 % len(corpora)],
        networks[draw.randrange(len(networks))],
        None,
        draw.randrange(1000),
        HALVES[copy % 2],
    )


def _shuffled(values: Sequence[Any], draw: random.Random) -> list[Any]:
    return draw.sample(list(values), len(values))


def trial_of(planting: Planting) -> Trial:
    """The training with its defect in it."""
    trial = healthy_trial(planting.corpus, planting.network, planting.seed)
    for kind in KINDS:
        if kind.name == planting.kind:
            kind.plant(trial, planting.value)
    return trial
