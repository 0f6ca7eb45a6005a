"""One line in front of five kinds of loops: what is wrong is named, and healthy runs are let be."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

import pytest
import torch

from ctcasr.records import CheckRecord
from ctcasr.watching.session import SHARE, Watch, watch
from tools.bench.strangers import LOOPS, Fault, Run

NAMED_FIRST = 0.85  # of the plants
HALF = 0.5  # of the time, for causes that many checks must show: these loops last a second
FRAMEWORKS = ("lightning", "speechbrain", "transformers")


@dataclass(frozen=True, kw_only=True)
class Plant:
    """A fault, the cause that it is, and how long one must train to see it."""

    what: str
    slug: str
    fault: Fault
    changes: dict[str, Any] = field(default_factory=dict)  # of the run
    is_long: bool = False  # seconds rather than tenths of them
    impossible: dict[str, str] = field(default_factory=dict)  # loops that cannot have it, and why
    alike: tuple[str, ...] = ()  # what it cannot be told apart from, by docs/causes.md
    only: tuple[str, ...] = ()  # loops that it is planted in; all without


OWN_SCORES = {"transformers": "its model takes log_softmax by itself"}
OWN_INFINITY = {"speechbrain": "its loss has zero_infinity always"}
NO_BLANK = {"transformers": "its loss takes the blank out of the labels"}
NO_RELU = {
    "speechbrain": "its CRDNN has leaky ReLUs",
    "transformers": "its network has GELUs",
}
UNEVEN = {"rows": 2, "steps": 120}  # batches of different lengths

PLANTS = (
    Plant(
        what="the head is not in the optimiser",
        slug="frozen-parameters",
        fault=Fault(head_forgotten=True),
    ),
    Plant(what="frozen layers", slug="frozen-parameters", fault=Fault(frozen=True)),
    Plant(what="a rate of zero", slug="learning-rate-zero", fault=Fault(lr=0.0)),
    Plant(what="a rate far too low", slug="learning-rate-too-low", fault=Fault(lr=1e-6)),
    Plant(
        what="a rate far too high",
        slug="learning-rate-too-high",
        fault=Fault(lr=10.0),
    ),
    Plant(what="clipped to nothing", slug="gradient-clipped", fault=Fault(max_norm=1e-12)),
    Plant(what="a softmax too many", slug="softmax-as-logits", fault=Fault(probabilities=True)),
    Plant(
        what="logits for log-probabilities",
        slug="scores-not-normalised",
        fault=Fault(logits=True),
        impossible=OWN_SCORES,
    ),
    Plant(
        what="log_softmax over time",
        slug="scores-not-normalised",
        fault=Fault(over_time=True),
        impossible=OWN_SCORES,
    ),
    Plant(
        what="scores divided by a hundred",
        slug="scores-too-small",
        fault=Fault(scale=0.01),
        changes={"steps": 100},
    ),
    Plant(
        what="too few frames",
        slug="stride-too-large",
        fault=Fault(few_frames=True, zero_infinity=False),
        impossible=OWN_INFINITY,
    ),
    Plant(
        what="too few frames, zero_infinity",
        slug="zero-infinity-hides-rows",
        fault=Fault(few_frames=True),
    ),
    Plant(
        what="lengths of the padded batch",
        slug="input-lengths-wrong",
        fault=Fault(full_lengths=True),
        changes=UNEVEN,
    ),
    Plant(
        what="no labels",
        slug="empty-transcripts",
        fault=Fault(empty_targets=True),
        impossible={"transformers": "its model takes the largest of no labels, and raises"},
    ),
    Plant(
        what="targets padded with the blank",
        slug="target-lengths-count-padding",
        fault=Fault(padding=0),
        impossible=NO_BLANK,
    ),
    Plant(
        what="targets padded with a label",
        slug="target-lengths-count-padding",
        fault=Fault(padding=3),
        impossible={"transformers": "of two or three labels, padding is one"},
    ),
    Plant(
        what="the blank is a label",
        slug="blank-mismatch",
        fault=Fault(labels_from=0),
        impossible=NO_BLANK,
    ),
    Plant(
        what="a label too many",
        slug="labels-out-of-range",
        fault=Fault(labels_from=2),
        impossible={"transformers": "its model compares labels with the vocabulary, and raises"},
    ),
    Plant(
        what="NaN goes in",
        slug="features-not-finite",
        fault=Fault(not_finite=True),
    ),
    Plant(
        what="dead ReLUs",
        slug="dead-relu",
        fault=Fault(dead=True),
        impossible=NO_RELU,
    ),
    Plant(
        what="BatchNorm and one row",
        slug="batch-of-one",
        fault=Fault(batch_norm=True),
        changes={"rows": 1},
        only=("plain", "ocr", "lightning", "speechbrain"),
    ),
    Plant(
        what="dropout of 0.95",
        slug="dropout-too-strong",
        fault=Fault(dropout=0.95),
    ),
    Plant(
        what="two rows known by heart",
        slug="model-too-large",
        fault=Fault(),
        changes={"rows": 2, "distinct": 1, "steps": 400},
        alike=("transcripts-shuffled",),
        is_long=True,
    ),
    Plant(
        what="texts of other rows",
        slug="transcripts-shuffled",
        fault=Fault(shuffled=True),
        changes={"steps": 300, "distinct": 2},
        alike=("model-too-large",),
        is_long=True,
    ),
    Plant(
        what="the blank raised in evaluation",
        slug="over-peaky",
        fault=Fault(blank_bonus=4.0, lr=2e-2),
        changes={"steps": 600},
        is_long=True,
        only=("plain", "lightning"),  # where it is learnt in time
    ),
)

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


def watched(name: str, run: Run, share: float = SHARE) -> Watch:
    session = Watch(say=None, share=share)
    with suppress(ValueError):  # by which SpeechBrain ends a training whose loss is NaN
        trained(name, replace(run, session=session))
    assert not session._care.broken
    return session


def slugs(session: Watch) -> list[str]:
    assert session.verdict is not None
    return [cause.slug for cause in session.verdict.causes]


def last_named(session: Watch) -> list[str]:
    """The causes of the last verdict that named any: what is learnt in spite of them is let be."""
    for record in reversed(session.file.history):
        if isinstance(record, CheckRecord) and record.verdict and record.verdict["causes"]:
            return [cause["slug"] for cause in record.verdict["causes"]]
    return []


def named_first(name: str, plants: Iterable[Plant], notes: list[str]) -> list[bool]:
    """Whether each plant is named first in a loop; a line of the table for each."""
    found = []
    for plant in plants:
        if plant.only and name not in plant.only:
            continue
        if name in plant.impossible:
            notes.append(f"{name:13} {plant.what:34} {'-':28} {plant.impossible[name]}")
            continue
        share = HALF if plant.is_long else SHARE
        session = watched(name, Run(fault=plant.fault, **plant.changes), share)
        named = last_named(session)
        found.append(bool(named) and named[0] in (plant.slug, *plant.alike))
        mark = " " if named[:1] == [plant.slug] else "!"
        notes.append(
            f"{name:13} {plant.what:34} {plant.slug:28}{mark}{', '.join(named) or 'nothing'}"
        )
    return found


@pytest.mark.parametrize("is_long", [False, pytest.param(True, marks=needs_time)])
@LOOP
def test_planted_causes_are_named_first(
    name: str, is_long: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    notes: list[str] = []
    found = named_first(name, [plant for plant in PLANTS if plant.is_long == is_long], notes)
    with capsys.disabled():
        print("\n" + "\n".join(notes) + f"\n{sum(found)} of {len(found)} named first")
    assert sum(found) >= NAMED_FIRST * len(found)


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
