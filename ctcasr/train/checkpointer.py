"""The checkpoints of a run: best.pt for use, last.pt to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ctcasr import checkpoint
from ctcasr.task import Stateful, Task
from ctcasr.train.identity import refuse_another_network
from ctcasr.train.meter import StepMeter
from ctcasr.train.state import TrainState, rng_state, set_rng_state
from ctcasr.train.world import World

_HOW_IT_COMPUTES = ("fused", "foreach", "capturable")  # settings of torch's optimisers
_SEED_STRIDE = 1_000_003  # a prime: seeds of ranks do not meet those of neighbouring seeds


class Checkpointer:
    """Writes what the task and the trainer must remember.

    Rank 0 has the files; the others need no disk in common with it.
    """

    def __init__(
        self,
        out: Path,
        task: Task,
        optimiser: torch.optim.Optimizer,
        state: TrainState,
        meter: StepMeter,
        world: World,
    ) -> None:
        self.out = out
        self.task = task
        self.optimiser = optimiser
        self.state = state
        self.meter = meter
        self.world = world

    def save_best(self) -> None:
        """Write best.pt; rank 0 alone may be asked."""
        if self.world.rank == 0:
            checkpoint.save(self.out / "best.pt", self.task.export())

    def save_last(self, **more: Any) -> None:
        """Write last.pt, from which the run goes on as if it had never stopped.

        `more` is what `restore` returns beside. Every rank must be asked.
        """
        generators = self.world.gather(rng_state())
        lines = self.world.gather(self.meter.lines.state_dict())
        if self.world.rank != 0:
            return
        training: dict[str, Any] = {
            **more,
            "progress": self.state.as_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": generators,
            "meter": self.meter.state_dict(),
            "lines": lines,
        }
        if isinstance(self.task, Stateful):
            training["task"] = self.task.state_dict()
        checkpoint.save(self.out / "last.pt", {**self.task.export(), "training": training})

    def restore(self, seed: int) -> Mapping[str, Any]:
        """Go on from last.pt; returns all that `save_last` wrote. Every rank must be asked.

        Raises:
            CheckpointError: where there is no last.pt, none of a training run, or that of a network
                with other symbols, classes, layers or front-end.
        """
        path = self.out / "last.pt"
        own = checkpoint.load(path) if self.world.rank == 0 else {}
        saved: Mapping[str, Any] = self.world.broadcast_object(own)
        if "training" not in saved:
            raise checkpoint.CheckpointError(
                f"{path}: expected the state of a training run; there is none in it"
            )
        refuse_another_network(saved, self.task.export(), path)
        training: Mapping[str, Any] = saved["training"]
        self.task.network.load_state_dict(saved["network"])
        self._restore_optimiser(training["optimiser"])
        self.state.restore(training["progress"])
        # What older versions did not write is collected anew.
        if "meter" in training:
            self.meter.load_state_dict(training["meter"])
            self._restore_lines(training)
        if "task" in training and isinstance(self.task, Stateful):
            self.task.load_state_dict(training["task"])
        self._restore_generators(training["rng"], seed)
        return training

    def _restore_optimiser(self, saved: Mapping[str, Any]) -> None:
        """Put back what the optimiser remembers; how it computes is this device's business."""
        groups = []
        for own, group in zip(self.optimiser.param_groups, saved["param_groups"], strict=True):
            how = {name: own[name] for name in _HOW_IT_COMPUTES if name in own}
            groups.append({**group, **how})
        self.optimiser.load_state_dict({**saved, "param_groups": groups})

    def _restore_lines(self, training: Mapping[str, Any]) -> None:
        """Put back the losses of this rank's lines, and those of ranks that are no more."""
        of_ranks = training.get("lines")
        if of_ranks is None:  # an older version wrote those of rank 0, if any
            former = training["meter"].get("lines")
            of_ranks = [] if former is None else [former]
        self.meter.lines.load_state_dicts(of_ranks[self.world.rank :: self.world.size])

    def _restore_generators(self, saved: Any, seed: int) -> None:
        """Put this rank's random numbers back; a rank that there was not begins with its own."""
        generators = saved if isinstance(saved, list) else [saved]
        if self.world.rank < len(generators):
            set_rng_state(generators[self.world.rank])
        else:
            seed_rank(seed + self.state.step, self.world)


def seed_rank(seed: int, world: World) -> None:
    """Give each rank random numbers of its own (dropout), rank 0 those that it has."""
    if world.rank:
        torch.manual_seed(seed * _SEED_STRIDE + world.rank)
