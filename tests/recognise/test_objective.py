"""The objective: CTC as it is, and what may be added to it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ctcasr.batch import Batch, Utterance
from ctcasr.ctc import StarSchedule, WordRarity, alignment_entropy
from ctcasr.front import SpecAugment
from ctcasr.recognise.objective import EARLY, Objective, WordMarks, states_at_frames
from ctcasr.seq import Seq
from ctcasr.word_times.cuts import UNKNOWN
from tests.recognise.helpers import ALPHABET, RATE, SMALL, network, noise

TEXTS = ("ab", "c a", "abcabcabcabc")
MASKS = SpecAugment(4, 0.5, 4, 0.5)


def batch() -> Batch:
    """The last has more symbols than frames."""
    tokens = [ALPHABET.encode(text) for text in TEXTS]
    return Batch(
        tuple(Utterance(Path(f"{text}.wav"), text=text) for text in TEXTS),
        Seq.stack([noise(RATE), noise(RATE // 2), noise(300)], RATE),
        torch.tensor([token for row in tokens for token in row]),
        tuple(len(row) for row in tokens),
        seeds=(1, 2, 3),
    )


def test_alone_it_is_torchs_loss_and_zero_without_an_alignment() -> None:
    model = network()
    logits = model(batch().audio)
    frames, losses, report, *_ = Objective()(model, batch(), None, 0)
    assert frames == logits.lengths
    wanted = torch.nn.functional.ctc_loss(
        logits.data.log_softmax(2).transpose(0, 1),
        batch().targets,
        logits.lengths,
        batch().target_lengths,
        reduction="none",
        zero_infinity=True,
    )
    assert torch.allclose(losses, wanted, rtol=1e-5) and float(losses[2]) == 0.0
    assert list(report().infeasible) == [2]


def test_entropy_is_taken_off() -> None:
    model = network()
    logits = model(batch().audio)
    plain = Objective()(model, batch(), None, 0).losses
    losses = Objective(entropy=0.5)(model, batch(), None, 0).losses
    entropy = alignment_entropy(
        logits.data, batch().targets, logits.lengths, batch().target_lengths, blank=0
    )
    assert torch.allclose(plain[:2] - losses[:2], 0.5 * entropy[:2], atol=1e-4)


def test_consistency_needs_masks_and_is_no_reward() -> None:
    model = network()
    plain = Objective()(model, batch(), None, 0).losses
    unmasked = Objective(consistency=1.0)(model, batch(), None, 0).losses
    assert torch.equal(unmasked, plain)
    weak = Objective(consistency=0.5)(model, batch(), MASKS, 0).losses
    strong = Objective(consistency=1.0)(model, batch(), MASKS, 0).losses
    assert bool((strong[:2] > weak[:2]).all()) and float(strong[2]) == 0.0


def test_consistency_rises_from_nothing_over_its_steps() -> None:
    model = network()

    def losses(step: int, augment_from: int = 0) -> torch.Tensor:
        objective = Objective(consistency=0.5, consistency_steps=10)
        return objective(model, batch(), MASKS, 0, step, None, augment_from)[1]

    full = Objective(consistency=0.5)(model, batch(), MASKS, 0).losses
    added = losses(5) - losses(0)
    assert torch.equal(losses(10), full) and torch.equal(losses(99), full)
    assert bool((added[:2] > 0).all())
    assert torch.equal(losses(25, augment_from=20), losses(5)), "since copies differ"
    torch.testing.assert_close(2 * added, losses(10) - losses(0), rtol=1e-3, atol=1e-4)


STARRED = Objective(star=StarSchedule.parse("2,0.5", steps=1))


@pytest.mark.parametrize("objective", [Objective(), Objective(0.2, 0.1), STARRED])
def test_a_row_does_not_depend_on_its_mates(objective: Objective) -> None:
    model = network()
    together = objective(model, batch(), MASKS, 0).losses
    for row in range(2):
        alone = objective(model, batch().rows([row]), MASKS, 0).losses
        assert float(alone[0]) == pytest.approx(float(together[row]), rel=1e-4)


def test_a_star_forgives_and_falls_with_the_steps() -> None:
    model = network()
    _, plain, told, not_needed, _ = Objective()(model, batch(), None, 0)
    schedule = StarSchedule((math.inf, math.inf), (math.inf, math.inf), steps=10)
    dear = Objective(star=schedule)(model, batch(), None, 0).losses
    assert torch.allclose(dear, plain, rtol=1e-4)
    cheaper = Objective(star=StarSchedule.parse("6:0,4", steps=10))
    _, first, report, as_written, _ = cheaper(model, batch(), None, 0, step=0)
    last = cheaper(model, batch(), None, 0, step=10).losses
    assert bool((last[:2] < first[:2]).all()) and bool((first[:2] < plain[:2]).all())
    assert report().infeasible == told().infeasible and float(last[2]) == 0.0
    assert torch.allclose(report().nll[:2], told().nll[:2], rtol=1e-4)
    assert not_needed is None and torch.allclose(as_written, plain, rtol=1e-4)


def test_whole_words_are_left_where_the_marks_tell_them_apart() -> None:
    model = network()
    marks = WordMarks.of(ALPHABET)
    objective = Objective(star=StarSchedule.parse("inf,inf,1@0.5", steps=10))
    plain = Objective()(model, batch(), None, 0).losses
    believed = objective(model, batch(), None, 0, step=4, marks=marks).losses
    left = objective(model, batch(), None, 0, step=5, marks=marks).losses
    assert torch.allclose(believed, plain, rtol=1e-4)
    assert bool((left[:2] < plain[:2]).all())
    assert float(left[2]) > 0  # a word that has no room can be left


def test_rare_words_are_left_at_a_higher_price() -> None:
    model = network()
    marks = WordMarks.of(ALPHABET)
    schedule = StarSchedule.parse("inf,inf,1@0", steps=10)

    def losses(rarity: WordRarity | None) -> Tensor:
        return Objective(star=schedule, rarity=rarity)(model, batch(), None, 0, marks=marks).losses

    common = losses(WordRarity({}))  # one word in all: rarity 0
    assert torch.allclose(common, losses(None))
    assert bool((losses(WordRarity({(99,): 1000})) > common).all())


def test_the_fewer_words_are_left_the_dearer_they_become() -> None:
    model = network()
    marks = WordMarks.of(ALPHABET)
    objective = Objective(star=StarSchedule.parse("inf,inf,1@0.5", steps=10))

    def losses(step: int) -> Tensor:
        return objective(model, batch(), None, 0, step=step, marks=marks).losses

    losses(0).sum().backward()
    assert objective.left.share is None  # words are not left yet
    first = losses(5)
    first.sum().backward()
    assert 0 < (objective.left.share or 0.0) < 1
    objective.left.share = 1e-3
    assert bool((losses(5) > first).all())


def test_a_batch_without_texts_leaves_no_words() -> None:
    silent = replace(batch(), targets=torch.zeros(0, dtype=torch.int64), target_lengths=(0, 0, 0))
    objective = Objective(star=StarSchedule.parse("inf,inf,1@0", steps=10))
    losses = objective(network(), silent, None, 0, marks=WordMarks.of(ALPHABET)).losses
    assert bool(losses.isfinite().all())


@pytest.mark.parametrize("prior_weight", [0.0, 0.3])
def test_large_alphabets_give_the_same_without_logits(
    monkeypatch: pytest.MonkeyPatch, prior_weight: float
) -> None:
    spec = replace(SMALL, prior_weight=prior_weight)
    results = []
    for threshold in (1000, 200):
        monkeypatch.setattr("ctcasr.recognise.objective.LARGE_ALPHABET", threshold)
        model = network(spec, symbols=300).train()
        frames, losses, report, *_ = Objective()(model, batch(), MASKS, 0)
        losses.sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        log_prior = None if model.prior is None else model.prior.log
        results.append((frames, losses.detach(), report().summary(), gradients, log_prior))
    plain, lean = results
    assert lean[0] == plain[0]
    torch.testing.assert_close(lean[1], plain[1], rtol=1e-6, atol=1e-6)
    assert lean[2] == pytest.approx(plain[2], rel=1e-4, abs=1e-4)
    torch.testing.assert_close(lean[4], plain[4])
    # Sums in another order, and behind BatchNorm differences of large sums: beside the largest.
    largest = max(float(gradient.abs().max()) for gradient in plain[3])
    for got, wanted in zip(lean[3], plain[3], strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-7 * largest)


def test_states_are_told_frame_by_frame_beside_ctc() -> None:
    model = network()
    model.learn_states(5)
    told = batch()
    lengths = [round(length / RATE * 100) for length in told.audio.lengths]
    draw = torch.Generator().manual_seed(0)
    rows = [torch.randint(0, 5, (length,), generator=draw) for length in lengths]
    rows[1] = torch.full([lengths[1]], UNKNOWN)
    states = Seq.stack(rows, rate=100)
    plain = Objective()(model, told, None, 0)
    objected = Objective(states=0.5)(model, replace(told, states=states), None, 0)
    assert objected.frames == plain.frames
    assert objected.as_written is not None
    assert torch.allclose(objected.as_written, plain.losses, rtol=1e-5)
    assert objected.told is not None and torch.equal(objected.told, objected.as_written)
    _, scores = model.with_states(told.audio)
    wanted = states_at_frames(model, scores[0], states)[0]
    extra = 0.0
    for weight, of_layers in zip((EARLY, 1.0), scores, strict=True):
        extra += weight * float(
            torch.nn.functional.cross_entropy(
                of_layers.row(0), wanted[: of_layers.lengths[0]], reduction="sum"
            )
        )
    more = (objected.losses - plain.losses).detach()
    assert float(more[0]) == pytest.approx(0.5 * extra, rel=1e-4)
    assert float(more[1]) == 0.0, "of what nobody aligned nothing is told"
    assert float(more[2]) == 0.0, "nor of what cannot be spelt"
    objected.losses.sum().backward()
    assert model.states is not None
    for head in (model.states.early, model.states.late):
        assert head.weight.grad is not None and float(head.weight.grad.abs().sum()) > 0


def test_a_frame_is_told_what_is_said_in_its_middle() -> None:
    model = network()
    samples = Seq.stack([noise(RATE), noise(RATE // 2)], RATE)
    logits = model(samples)
    clock = Seq.stack([torch.arange(100), torch.arange(50)], rate=100)
    told = states_at_frames(model, logits, clock)
    for row, length in enumerate(logits.lengths):
        for frame in range(length):
            middle = int(model.framing.centre(frame) * 100 / RATE)
            assert int(told[row, frame]) == min(middle, clock.lengths[row] - 1)
        assert set(told[row, length:].tolist()) <= {UNKNOWN}


def test_without_states_in_the_batch_it_is_ctc_alone() -> None:
    model = network()
    model.learn_states(5)
    plain = Objective()(model, batch(), None, 0).losses
    assert torch.equal(Objective(states=0.5)(model, batch(), None, 0).losses, plain)
