"""How long a run trains: so many epochs, or as many as a time budget allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctcasr.train.config import TrainConfig
from ctcasr.train.run_log import TrainingError
from ctcasr.train.state import TrainState
from ctcasr.train.world import World


class Plan:
    """The length of a run whose state it changes: rank 0's clock decides for all processes.

    Example:
        >>> state = TrainState(epoch=2, batch=3)
        >>> plan = Plan(TrainConfig(epochs=10), 5, state, World())
        >>> plan.begin(epoch_s=1.0)
        >>> plan.steps, plan.batches_left, plan.steps_left
        (50, 37, 37)
    """

    def __init__(
        self,
        config: TrainConfig,
        batches_per_epoch: int,
        state: TrainState,
        world: World,
    ) -> None:
        self.config = config
        self.state = state
        self._batches_per_epoch = batches_per_epoch
        self._world = world

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.state.epochs * self._steps_per_epoch

    @property
    def steps_left(self) -> int:
        """Of the training, from where it stands."""
        epochs_left = self.state.epochs - self.state.epoch - 1
        in_epoch = self.config.steps_per_epoch(max(0, self._batches_per_epoch - self.state.batch))
        return epochs_left * self._steps_per_epoch + in_epoch

    @property
    def batches_left(self) -> int:
        """Of the training, from where it stands."""
        return self.state.epochs * self._batches_per_epoch - self._batches_done

    @property
    def length(self) -> dict[str, Any]:
        """For how long the config wants to train."""
        return {"epochs": self.config.epochs, "budget": self.config.budget}

    def is_other_than(self, saved: Mapping[str, Any]) -> bool:
        """Whether a resumed run shall train for longer or shorter than it was planned."""
        before = saved.get("length")
        if before is None:  # of an older version
            return not self.config.budget and self.config.epochs != saved["progress"]["epochs"]
        return dict(before) != self.length

    def begin(self, epoch_s: float) -> None:
        """Plan as many epochs as the config says, or as the rest of a time budget allows.

        Raises:
            TrainingError: for a budget where it is not known how long an epoch takes.
        """
        state = self.state
        if self.config.budget_s is None:
            state.epochs = self.config.epochs
            return
        if not self._world.broadcast_object(epoch_s):
            raise TrainingError(
                "a time budget was given, but no trial step could be made to measure the pace: "
                "see the doctor"
            )
        rest_s = self.config.budget_s - state.seconds
        more = round(rest_s / epoch_s) if epoch_s else 1
        least = 1 if state.epoch == 0 or state.batch else 0
        state.epochs = state.epoch + max(least, more)

    def begin_anew(self, epoch_s: float) -> None:
        """Plan a run that has begun for another length; what is done becomes a share of it."""
        self.begin(epoch_s)
        planned_batches = max(1, self.state.epochs * self._batches_per_epoch)
        self.state.done = min(1.0, self._batches_done / planned_batches)

    def fit_into_budget(self, now_s: float) -> bool:
        """As many more epochs as the time left allows at the pace of the last; False: no budget."""
        state = self.state
        if self.config.budget_s is None:
            return False
        state.seconds = now_s
        rest_s = self.config.budget_s - now_s
        more = round(rest_s / (now_s - state.epoch_start_s))
        state.epochs = state.epoch + max(0, more)
        return True

    @property
    def _steps_per_epoch(self) -> int:
        return self.config.steps_per_epoch(self._batches_per_epoch)

    @property
    def _batches_done(self) -> int:
        return self.state.epoch * self._batches_per_epoch + self.state.batch
