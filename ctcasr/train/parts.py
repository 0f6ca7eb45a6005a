"""What a recipe prepares, and how its network begins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.data import Loader, MixtureCorpus, measure_workers, read_manifest, split_dev
from ctcasr.front import FrontEnd
from ctcasr.task import Task
from ctcasr.train.config import RunSettings
from ctcasr.train.estimate import Pace
from ctcasr.train.identity import refuse_another_network
from ctcasr.train.initialise import load_compatible, measure_statistics
from ctcasr.train.world import World

_UNKNOWN_STEP_S = 1.0  # where no trial step could be made


class NotedTask(Task, Protocol):
    """A task whose checkpoints carry notes about the run."""

    notes: dict[str, Any]


@dataclass(frozen=True)
class Parts:
    """A task, the batches to learn from and to select by, and what all of it hears."""

    task: NotedTask
    train: Loader  # this process's share
    dev: Loader | None  # this process's share; None: the last epoch is taken
    recordings: Sequence[Utterance] = ()  # learnt from, selecting, and augmented with
    notes: Mapping[str, Any] = field(default_factory=dict)  # beside what `run_notes` writes
    statistics: Loader | None = None  # what a front-end is fitted on, if not `train`

    @property
    def heard(self) -> list[Utterance]:
        """All recordings that training hears, also those that its corpus mixes to the speech."""
        corpus = self.train.corpus
        kinds = corpus.interferers if isinstance(corpus, MixtureCorpus) else ()
        mixed_in = [u for kind in kinds for group in kind.classes.values() for u in group]
        return [*self.recordings, *mixed_in]


def read_manifests(*lists: str) -> list[Utterance]:
    """The utterances of manifests, each argument a path or several with commas between, or empty.

    Raises:
        ManifestError: as `read_manifest`.
    """
    utterances: list[Utterance] = []
    for paths in lists:
        for path in filter(None, paths.split(",")):
            utterances += read_manifest(path)
    return utterances


def read_split(
    train: str, dev: str, dev_share: float, seed: int
) -> tuple[Sequence[Utterance], Sequence[Utterance]]:
    """What is learnt from and what selects: two manifests, or a share of `train` held out.

    Raises:
        ManifestError, ValueError: as `read_manifest` and `split_dev`.
    """
    lines = read_manifest(train).utterances
    if dev:
        return lines, read_manifest(dev).utterances
    return split_dev(lines, dev_share, seed)


def resumes(settings: RunSettings, world: World) -> bool:
    """Whether this run goes on from a last.pt; rank 0 has the files, every process must ask."""
    there_is_one = (Path(settings.out) / "last.pt").is_file()
    return world.broadcast_object(settings.resume or (settings.auto_resume and there_is_one))


def begin_network(parts: Parts, settings: RunSettings, resume: bool, world: World) -> list[str]:
    """Weights and statistics that the network begins with; lines for people.

    Those of last.pt with `resume`; else what of `settings.init` can be loaded, and what the
    front-end measures. Every process must call it.

    Raises:
        CheckpointError, ValueError: for a checkpoint of which nothing can be loaded.
    """
    network = parts.task.network
    if resume:
        path = Path(settings.out) / "last.pt"
        saved = world.broadcast_object(checkpoint.load(path) if world.rank == 0 else {})
        refuse_another_network(saved, parts.task.export(), path)
        network.load_state_dict(saved["network"])
        return []
    lines = ["weights: drawn anew"]
    if settings.init:
        left = load_compatible(network, settings.init, parts.task.export())
        lines = ["not loaded:", *left] if left else [f"weights: all of {settings.init}"]
    return [*lines, *_statistics_of(network, parts, settings)]


def _statistics_of(network: nn.Module, parts: Parts, settings: RunSettings) -> list[str]:
    """Measure what a front-end has to know of the corpus, or say whose statistics it has."""
    front = getattr(network, "front", None)
    if not isinstance(front, FrontEnd) or not front.has_statistics:
        return []
    if front.needs_statistics:
        measure_statistics(network, parts.statistics or parts.train)
        return ["statistics of the features: measured"]
    return [f"statistics of the features: those of {settings.init}"] if settings.init else []


def choose_workers(asked: int, loader: Loader, pace: Pace) -> int:
    """Worker processes of a loader: as asked, or as many as its steps need (-1)."""
    if asked >= 0:
        return asked
    utterances = len(loader.corpus) / len(loader) / loader.world
    return measure_workers(
        loader.corpus, batch_size=math.ceil(utterances), step_s=pace.step_s or _UNKNOWN_STEP_S
    )
