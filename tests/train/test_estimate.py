"""The pace of training, measured without a trace."""

from __future__ import annotations

import math
from typing import Any

import torch

from ctcasr.train.estimate import Pace, measure_pace, memory_bytes, time_steps

CPU = torch.device("cpu")


def test_weights_gradients_and_random_numbers_stay_as_they_were(
    toy: Any, fixed: Any, make_batch: Any
) -> None:
    task, data = toy(), fixed([make_batch("a", "b", seed=k) for k in range(7)])
    before = {name: tensor.clone() for name, tensor in task.network.state_dict().items()}
    generator = torch.get_rng_state()
    pace = measure_pace(task, data, CPU)
    assert pace.step_s_per_audio_s > 0 and pace.step_s and pace.batch_audio_s == 2.0
    assert all(torch.equal(before[name], t) for name, t in task.network.state_dict().items())
    assert all(p.grad is None for p in task.parameters())
    assert torch.equal(torch.get_rng_state(), generator)


def test_what_a_task_collects_is_put_back(recogniser_parts: Any) -> None:
    task, train, _ = recogniser_parts()
    measure_pace(task, train, CPU)
    fresh, _, _ = recogniser_parts()
    assert task.state_dict()["trained_on"] == fresh.state_dict()["trained_on"] == 0


def test_the_shortest_utterance_is_remembered(recogniser_parts: Any) -> None:
    task, train, _ = recogniser_parts()
    pace = measure_pace(task, train, CPU)
    assert pace.shortest is not None and len(pace.shortest) == 1
    middle = next(train.epoch(0, len(train) // 2 - 1))
    assert pace.shortest.audio.lengths == (min(middle.audio.lengths),)


def test_where_no_step_can_be_made_nothing_is_known(toy: Any, fixed: Any, make_batch: Any) -> None:
    nothing = measure_pace(toy(), fixed([None]), CPU)
    assert vars(nothing) == vars(Pace()) and nothing.step_s is None
    bad = time_steps(toy(), [make_batch("nan loss"), make_batch("left out")], CPU)
    assert bad.step_s is None and bad.memory_bytes is None and not math.isnan(bad.batch_audio_s)


def test_memory_is_a_number_of_bytes_or_unknown() -> None:
    peak = memory_bytes(CPU)
    assert peak is None or peak > 1 << 20
