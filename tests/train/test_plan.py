"""How long a run trains."""

import pytest

from ctcasr.train.config import TrainConfig
from ctcasr.train.plan import Plan
from ctcasr.train.run_log import TrainingError
from ctcasr.train.state import TrainState
from ctcasr.train.world import World


def plan_of(state: TrainState, config: TrainConfig) -> Plan:
    """A plan of epochs of five batches."""
    return Plan(config, 5, state, World())


@pytest.mark.parametrize(("epoch", "batch"), [(0, 0), (0, 3), (2, 0), (2, 4)])
@pytest.mark.parametrize("accumulate", [1, 2, 7])
def test_steps_done_and_left_are_those_of_the_whole(
    epoch: int, batch: int, accumulate: int
) -> None:
    state = TrainState(epoch=epoch, batch=batch - batch % accumulate)
    plan = plan_of(state, TrainConfig(epochs=3, accumulate=accumulate))
    plan.begin(epoch_s=1.0)
    of_an_epoch = plan.config.steps_per_epoch(5)
    done = epoch * of_an_epoch + state.batch // accumulate
    assert done + plan.steps_left == plan.steps == 3 * of_an_epoch


def test_a_budget_holds_as_many_epochs_as_fit_and_one_at_least() -> None:
    state = TrainState()
    plan = plan_of(state, TrainConfig(budget="60s"))
    plan.begin(epoch_s=20.0)
    assert state.epochs == 3
    plan.begin(epoch_s=500.0)
    assert state.epochs == 1


def test_a_budget_is_planned_anew_at_the_pace_just_seen() -> None:
    state = TrainState(epoch=1, epoch_start_s=0.0)
    plan = plan_of(state, TrainConfig(budget="60s"))
    assert plan.fit_into_budget(now_s=10.0)
    assert state.epochs == 1 + 5
    state.epoch, state.epoch_start_s = 2, 10.0
    assert plan.fit_into_budget(now_s=61.0)
    assert state.epochs == 2  # the budget is over
    assert not plan_of(state, TrainConfig(epochs=3)).fit_into_budget(now_s=61.0)


def test_a_budget_without_a_pace_is_refused() -> None:
    with pytest.raises(TrainingError, match="no trial step could be made"):
        plan_of(TrainState(), TrainConfig(budget="60s")).begin(epoch_s=0.0)


def test_a_run_planned_anew_has_done_a_share_of_the_new_length() -> None:
    state = TrainState(epoch=2, batch=0, done=1.0, epochs=2)
    plan = plan_of(state, TrainConfig(epochs=4))
    assert plan.is_other_than({"length": {"epochs": 2, "budget": ""}})
    plan.begin_anew(epoch_s=1.0)
    assert (state.epochs, state.done, plan.batches_left) == (4, 0.5, 10)
    assert not plan.is_other_than({"length": plan.length})


def test_a_run_of_an_older_version_is_of_another_length_by_its_epochs() -> None:
    plan = plan_of(TrainState(), TrainConfig(epochs=4))
    assert plan.is_other_than({"progress": {"epochs": 3}})
    assert not plan.is_other_than({"progress": {"epochs": 4}})
