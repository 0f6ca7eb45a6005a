"""One line in front of five kinds of loops: what is wrong is named, and healthy runs are let be."""

from __future__ import annotations

import warnings
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch

from ctcasr.records import CheckRecord
from ctcasr.watching.session import Watch, watch
from tools.bench.strangers import LOOPS, Fault, Run

FRAMEWORKS = ("lightning", "speechbrain", "transformers")

FAULTS: dict[str, tuple[str, Fault]] = {
    "the head is not in the optimiser": ("frozen-parameters", Fault(head_forgotten=True)),
    "a rate of zero": ("learning-rate-zero", Fault(lr=0.0)),
    "a rate far too low": ("learning-rate-too-low", Fault(lr=1e-6)),
    "a rate far too high": ("learning-rate-too-high", Fault(lr=10.0)),
    "a softmax too many": ("softmax-as-logits", Fault(probabilities=True)),
    "too few frames": ("stride-too-large", Fault(few_frames=True)),
    "clipped to nothing": ("gradient-clipped", Fault(max_norm=1e-12)),
    "no labels": ("empty-transcripts", Fault(empty_targets=True)),
}
IMPOSSIBLE = {
    ("transformers", "no labels"): "its model takes the largest of no labels, and raises",
    ("speechbrain", "a rate far too high"): "Brain ends training at its third loss that is NaN",
}

needs_time = pytest.mark.slow


def loop_parameters() -> list[object]:
    parameters = []
    for name in LOOPS:
        marks = [needs_time] if name in FRAMEWORKS else []
        parameters.append(pytest.param(name, marks=marks))
    return parameters


LOOP = pytest.mark.parametrize("name", loop_parameters())


def needed(name: str) -> None:
    if name in FRAMEWORKS and find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install {name}")


def trained(name: str, run: Run) -> torch.nn.Module:
    needed(name)
    fault = run.fault
    if name == "transformers" and fault.lr == Fault().lr and not fault.probabilities:
        run = replace(run, fault=replace(fault, lr=2e-3))  # what its network learns at
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the frameworks
        return LOOPS[name](run)


def watched(name: str, run: Run) -> Watch:
    session = watch(say=None)
    trained(name, replace(run, session=session))
    assert not session._care.broken
    return session


def slugs(session: Watch) -> list[str]:
    assert session.verdict is not None
    return [cause.slug for cause in session.verdict.causes]


@LOOP
def test_a_planted_cause_is_named_first(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = []
    named_first = []
    for what, (expected, fault) in FAULTS.items():
        if (name, what) in IMPOSSIBLE:
            table.append(f"{name:13} {what:34} {'-':24} {IMPOSSIBLE[name, what]}")
            continue
        named = slugs(watched(name, Run(fault=fault)))
        named_first.append(named[:1] == [expected])
        table.append(f"{name:13} {what:34} {expected:24} {', '.join(named) or 'nothing'}")
    with capsys.disabled():
        print("\n" + "\n".join(table))
    assert all(named_first)


@LOOP
@pytest.mark.parametrize("seed", [0, 1])
def test_a_healthy_run_alarms_nobody(name: str, seed: int) -> None:
    said: list[str] = []
    session = watch(say=said.append)
    trained(name, Run(steps=120, seed=seed, session=session))
    assert slugs(session) == []
    assert [line for line in said if "trouble" in line] == []


@LOOP
def test_weights_are_the_same_to_the_bit(name: str) -> None:
    run = Run(steps=40)
    free = trained(name, run).state_dict()
    seen = trained(name, replace(run, session=watch(say=None))).state_dict()
    assert len(free) == len(seen) > 0
    for key, tensor in free.items():
        assert torch.equal(seen[key], tensor), key


@LOOP
def test_training_and_dev_part_are_told_apart(name: str) -> None:
    session = watched(name, Run())
    assert session.step == 60
    assert session._calls.has_dev_part
    checks = [record for record in session.file.history if isinstance(record, CheckRecord)]
    metrics = checks[-1].metrics
    assert "on_training_rows" not in metrics
    assert metrics["utterances"] == 32
    assert session.verdict is not None and session.verdict.unmeasured  # audio is not seen


@pytest.mark.slow
@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("bfloat16", [False, True])
def test_accumulated_gradients_and_mixed_precision_are_understood(
    name: str, bfloat16: bool
) -> None:
    session = watched(name, Run(steps=40, accumulate=2, bfloat16=bfloat16))
    assert session.step == 40
    assert session._calls.count >= 80
    assert slugs(session) == []
