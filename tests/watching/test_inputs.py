"""What goes into a module is looked at by a hook, which changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ctcasr.watching.inputs import (
    InputFacts,
    InputWatch,
    constant_rows,
    first_batch,
    padded_rows,
)

DRAW = torch.Generator().manual_seed(0)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=DRAW)


def test_silence_offsets_and_broken_samples_are_counted() -> None:
    samples = noise(4, 100)
    samples[0] = 0.0
    samples[1] = 0.3
    samples[2, 5] = torch.nan
    facts = InputFacts()
    facts.add(samples, None, (10, 10, 10, 10))
    shares = facts.as_json()
    assert shares["silent"] == shares["constant"] == shares["not_finite"] == 0.25
    assert "wrong_lengths" not in shares  # of one width, silence may belong to the recordings
    facts.add(noise(4, 90), None, (9, 9, 9, 9))
    assert facts.as_json()["wrong_lengths"] == 0.0


def test_features_that_do_not_change_are_counted_along_any_axis() -> None:
    features = noise(3, 20, 5)
    features[0] = features[0, :1]
    features[1] = features[1, :, :1]
    assert constant_rows(features) == 2
    assert "silent" not in InputFacts().as_json()


def test_lengths_that_reach_into_padding_are_counted() -> None:
    features = noise(3, 40, 5)
    features[1, 20:] = 0.0
    assert padded_rows(features, (40, 40, 40)) == 1
    assert padded_rows(features, (40, 20, 40)) == 0
    assert padded_rows(features, (10, 10, 10)) == 1  # behind a stride of four
    assert padded_rows(features, (10, 5, 10)) == 0


def test_a_hook_keeps_what_it_saw_last_for_one_loss() -> None:
    layer = nn.Linear(5, 2)
    watch = InputWatch(layer)
    watch.start()
    layer(noise(3, 40, 5))
    watch.add_to("train", (40, 40, 40), classes=2)
    watch.add_to("dev", (40, 40, 40), classes=2)
    assert watch.facts["train"].rows == 3 and watch.facts["dev"].rows == 0
    watch.stop()
    layer(noise(3, 40, 5))
    watch.add_to("dev", (40, 40, 40), classes=2)
    assert watch.facts["dev"].rows == 0


def test_scores_of_a_deaf_network_are_no_constant_features() -> None:
    model = nn.Sequential(nn.Flatten(1), nn.Linear(8, 3), nn.Unflatten(1, (1, 3)))
    nn.init.zeros_(model[1].weight)
    watch = InputWatch(model)
    watch.start()
    model(noise(2, 8))
    watch.add_to("train", (1, 1), classes=3)
    watch.stop()
    assert watch.facts["train"].as_json()["features_constant"] == 0.0


@pytest.mark.filterwarnings("error")
def test_an_axis_of_one_value_is_no_constant() -> None:
    assert constant_rows(torch.randn(3, 1, 4)) == 0
    assert constant_rows(torch.randn(3, 4, 1)) == 0
    assert constant_rows(torch.zeros(3, 4, 1)) == 3


def test_samples_may_be_short_integers_and_labels_or_masks_are_none() -> None:
    samples = torch.tensor([[0, 16384], [32767, 0]], dtype=torch.int16)
    mask = torch.ones(2, 2, dtype=torch.int64)
    found = first_batch((mask, [samples]))
    assert found is not None and found.max() == 1.0
    among_others = first_batch((samples, torch.full((2, 2), 0.25)))
    assert among_others is not None and among_others.max() == 0.25
    assert first_batch((mask,)) is None


def test_a_hook_knows_whether_it_saw_anything() -> None:
    module = nn.Identity()
    hook = InputWatch(module)
    hook.start()
    module(torch.ones(2, 5, dtype=torch.int64))
    hook.add_to("train", (5, 5), classes=3)
    assert not hook.saw_any
    module(noise(2, 5))
    hook.add_to("train", (5, 5), classes=3)
    assert hook.saw_any
    hook.stop()
