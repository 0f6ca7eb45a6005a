"""The checkpoints of a run: best.pt for use, last.pt to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ctcasr import checkpoint
from ctcasr.task import Task
from ctcasr.train.state import TrainState, rng_state, set_rng_state
from ctcasr.train.world import World


class Checkpointer:
    """Writes what the task and the trainer must remember; rank 0 has the files, the others need no disk in common with it."""

    def __init__(
        self, out: Path, task: Task, optimiser: torch.optim.Optimizer, at: TrainState, world: World
    ) -> None:
        self.out, self.task, self.optimiser, self.state, self.world = (
            out,
            task,
            optimiser,
            at,
            world,
        )

    def best(self) -> None:
        """Write best.pt; rank 0 alone may be asked."""
        if self.world.rank == 0:
            checkpoint.save(self.out / "best.pt", self.task.export())

    def last(self, named: set[str]) -> None:
        """Write last.pt, from which the run goes on as if it had never stopped; every rank must be asked."""
        draws = self.world.gather(rng_state())
        if self.world.rank == 0:
            training = {
                "progress": vars(self.state).copy(),
                "optimiser": self.optimiser.state_dict(),
                "rng": draws,
                "named": sorted(named),
            }
            checkpoint.save(self.out / "last.pt", {**self.task.export(), "training": training})

    def restore(self, seed: int) -> set[str]:
        """Go on from last.pt; returns the lines that were named before. Every rank must be asked."""
        path = self.out / "last.pt"
        saved: Mapping[str, Any] = self.world.broadcast_object(
            checkpoint.load(path) if self.world.rank == 0 else {}
        )
        if "training" not in saved:
            raise checkpoint.CheckpointError(
                f"{path}: expected the state of a training run; there is none in it"
            )
        training = saved["training"]
        self.task.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(training["optimiser"])
        vars(self.state).update(training["progress"])
        draws = training["rng"] if isinstance(training["rng"], list) else [training["rng"]]
        if self.world.rank < len(draws):
            set_rng_state(draws[self.world.rank])
        else:  # there were fewer of us
            seed_rank(seed + self.state.step, self.world)
        return set(training["named"])


def seed_rank(seed: int, world: World) -> None:
    """Give each rank random numbers of its own (dropout), rank 0 those that it has."""
    if world.rank:
        torch.manual_seed(seed * 1_000_003 + world.rank)
