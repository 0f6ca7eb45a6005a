"""What the trainer asks of a task: tallies of ranks, samples that are shown, outputs by name."""

from __future__ import annotations

import pytest

from ctcasr.recognise import Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import spec_to
from ctcasr.specs import NetSpec
from ctcasr.task import NamedOutputs, alone, three_of
from ctcasr.text import Alphabet


@pytest.mark.parametrize("count", range(3))
def test_of_few_samples_all_are_shown(count: int) -> None:
    assert three_of(range(count)) == list(range(count))


@pytest.mark.parametrize("count", [3, 4, 10, 100])
def test_three_are_spread_evenly_and_always_the_same(count: int) -> None:
    shown = three_of(range(count))
    assert shown == three_of(range(count)) and len(set(shown)) == 3
    assert all(abs(place - count * (2 * k + 1) / 6) < 1 for k, place in enumerate(shown))


def test_one_process_has_its_own_value_only() -> None:
    assert alone("mine") == ["mine"]


def test_equal_counts_are_not_equal_meanings() -> None:
    spec = NetSpec(layers=1, hidden=8, prior_weight=0.3)
    task, other = (
        Recognise(build(spec, 4), Alphabet(letters), spec_to(spec)) for letters in ("ab ", "xy ")
    )
    assert isinstance(task, NamedOutputs)
    assert task.outputs == ("<b>", "a", "b", "_")
    assert task.outputs_of(other.export()) == other.outputs == ("<b>", "x", "y", "_")
    state = task.network.state_dict()
    named = [name for name, tensor in state.items() if tensor.shape[:1] == (4,)]
    assert set(task.output_tensors) == set(named) and "prior.log" in named
