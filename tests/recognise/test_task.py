"""The recognition task: a loss over what has an alignment, a check that leaves no trace."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile
import torch

from ctcasr.batch import Batch, Utterance
from ctcasr.data.names import named
from ctcasr.front import FrontSpec
from ctcasr.recognise import Recognise, evaluate
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from ctcasr.specs import NetSpec
from ctcasr.text import Alphabet

RATE, SPEC, ALPHABET = (
    8000,
    NetSpec(FrontSpec(8000, bands=20, n_fft=256), layers=1, hidden=8),
    Alphabet("abc "),
)


def task() -> Recognise:
    torch.manual_seed(0)
    return Recognise(build(SPEC, ALPHABET.size), ALPHABET, spec_to(SPEC))


def batch(*clips: tuple[float, str]) -> Batch:
    draw = torch.Generator().manual_seed(1)
    rows = [
        0.1 * torch.randn(max(1, round(seconds * RATE)), generator=draw) for seconds, _ in clips
    ]
    tokens = [ALPHABET.encode(text) for _, text in clips]
    utterances = tuple(Utterance(Path(f"u{k}.wav"), text=text) for k, (_, text) in enumerate(clips))
    return Batch(
        utterances,
        Seq.stack(rows, Fraction(RATE)),
        torch.tensor([t for row in tokens for t in row], dtype=torch.int64),
        tuple(map(len, tokens)),
        seeds=tuple(range(len(clips))),
    )


def test_five_infeasible_recordings_of_one_name_are_five() -> None:
    paths = [Path("corpus", speaker, "002.wav") for speaker in ("a", "b", "c", "d", "e")]
    lines = [Utterance(path, where=f"m.jsonl:{n}") for n, path in enumerate(paths, start=1)]
    clips = replace(batch(*[(0.01, "abcabc")] * 5), utterances=named(lines))
    left_out = task().step(clips, 0).left_out
    assert len(set(left_out)) == 5
    assert left_out[1].startswith("m.jsonl:2 (b/002): ")


def test_the_loss_is_that_of_torch_over_the_rows_that_have_an_alignment() -> None:
    one, two = task(), task()
    clips = batch((0.5, "abc"), (0.3, "a b"), (0.01, "abcabc"), (0.2, ""))
    loss = one.step(clips, 0)
    logits = two.network(clips.audio)
    wanted = torch.nn.functional.ctc_loss(
        logits.data.log_softmax(2).transpose(0, 1),
        clips.targets,
        logits.lengths,
        clips.target_lengths,
        reduction="none",
        zero_infinity=True,
    )
    assert loss.weight == 3 and float(loss.sum.detach()) == pytest.approx(
        float(wanted.sum().detach()), rel=1e-5
    )
    assert (
        len(loss.left_out) == 1
        and loss.left_out[0].startswith("u2: ")
        and "cannot spell 6 symbols" in loss.left_out[0]
    )
    loss.sum.backward()
    wanted.sum().backward()
    for (name, a), b in zip(one.network.named_parameters(), two.network.parameters(), strict=True):
        assert (
            a.grad is not None and b.grad is not None and torch.allclose(a.grad, b.grad, atol=1e-4)
        ), name


def test_the_order_of_a_batch_changes_neither_loss_nor_gradient() -> None:
    clips = [(0.5, "abc"), (0.3, "a b"), (0.4, "cc")]
    forth = batch(*clips)
    back = Batch(
        forth.utterances[::-1],
        forth.audio.rows([2, 1, 0]),
        torch.cat(forth.targets.split(list(forth.target_lengths))[::-1]),
        forth.target_lengths[::-1],
        seeds=forth.seeds[::-1],
    )
    one, two = task(), task()
    for made, part in ((one, forth), (two, back)):
        made.step(part, 0).sum.backward()
    for a, b in zip(one.network.parameters(), two.network.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_a_check_leaves_the_network_as_it_was(training: bool) -> None:
    made = task()
    made.network.train(training)
    before = {name: tensor.clone() for name, tensor in made.network.state_dict().items()}
    random = torch.get_rng_state()
    score = made.check([batch((0.5, "abc"), (0.3, "a b")), batch((0.01, "abcabc"))])
    assert made.network.training is training and torch.equal(random, torch.get_rng_state())
    assert all(
        torch.equal(tensor, before[name]) for name, tensor in made.network.state_dict().items()
    )
    assert all(p.grad is None for p in made.parameters())
    assert score.metrics["utterances"] == 3 and score.key[0] == score.metrics["wer"]


def test_a_check_does_not_depend_on_how_the_utterances_are_batched() -> None:
    clips = batch((0.5, "abc"), (0.3, "a b"), (0.4, "cc"))
    parts = [
        Batch(
            (u,),
            clips.audio.rows([k]),
            clips.targets.split(list(clips.target_lengths))[k],
            (clips.target_lengths[k],),
            seeds=(k,),
        )
        for k, u in enumerate(clips.utterances)
    ]
    one, many = task().check([clips]), task().check(parts)
    assert one.metrics["wer"] == many.metrics["wer"] and one.metrics["loss"] == pytest.approx(
        many.metrics["loss"], rel=1e-5
    )


def test_scores_are_strict_json_even_where_nothing_was_said(tmp_path: Path) -> None:
    made = task()
    with torch.no_grad():
        made.network.body.head.output.bias[1] = 9.0  # it writes something whatever it hears
    soundfile.write(tmp_path / "a.wav", (0.1 * torch.randn(4000)).numpy(), RATE)
    recogniser = Recogniser(made.network, ALPHABET, spec_to(SPEC), {})
    utterances = [
        Utterance(tmp_path / "a.wav", text=""),
        Utterance(tmp_path / "none.wav", text="abc"),
        Utterance(tmp_path / "a.wav"),
    ]
    result = evaluate(recogniser, utterances)
    assert result.tally.words.rate is None and len(result.skipped) == 2

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    scores = json.loads(
        (result.write(tmp_path / "out") / "scores.json").read_text(encoding="utf-8"),
        parse_constant=refuse,
    )
    assert scores["wer"] is None and scores["words"]["insertions"] == 1
    assert "none.wav" in scores["skipped"][0]["reason"]
