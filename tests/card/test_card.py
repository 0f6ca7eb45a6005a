"""The whole card: measured, complete, in two forms."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.card import THOP, Options, find_subject, make_card, markdown
from ctcasr.card.training import training
from ctcasr.cli import main
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import ENHANCERS, enhancer_to


def test_a_card_tells_what_was_measured_and_changes_nothing() -> None:
    subject = find_subject("mask_tiny")
    before = {name: tensor.clone() for name, tensor in subject.model.state_dict().items()}
    card = make_card(subject, Options(clip_s=0.5, runs=3, team="T", contact="C"))
    assert json.loads(json.dumps(card)) == card
    assert card["parameters"]["total"] == 48_248 and card["parameters"]["bytes"] == 4 * 48_248
    assert card["computation"]["flops"] == 2 * card["computation"]["macs"]
    assert card["computation"]["macs_per_s"] == pytest.approx(2 * card["computation"]["macs"])
    found = card["latency"]
    assert (
        found["runs"] == 3
        and 0 < found["p50_s"] <= found["p95_s"]
        and set(found["parts_p50_s"]) == {"features", "network", "synthesis"}
    )
    assert found["real_time_factor"] == pytest.approx(found["p50_s"] / 0.5)
    assert (
        all(
            torch.equal(before[name], tensor) for name, tensor in subject.model.state_dict().items()
        )
        and not subject.model.training
    )
    assert card["command"] is None
    text = markdown(card)
    assert "48,248" in text and "T, C" in text and "No run directory" in text


def test_other_rules_say_what_they_leave_out() -> None:
    card = make_card(find_subject("dualpath"), Options(clip_s=0.2, runs=1, rules=THOP))
    cost = card["computation"]
    assert cost["left_out"]["WaveDecoder"] == 399 * 256 * 16 and cost["own_macs"] > 0
    assert "WaveDecoder" in markdown(card) and cost["explanation"] in markdown(card)


@pytest.mark.parametrize("name", ["default", "kws_cnn"])
def test_every_head_has_a_card(name: str) -> None:
    card = make_card(find_subject(name), Options(clip_s=0.5, runs=1))
    assert markdown(card).startswith(f"# {name}\n")


def test_an_unknown_name_is_told_with_the_nearest_preset() -> None:
    with pytest.raises(ValueError, match="did you mean 'avse_lstm8'"):
        find_subject("avse_lstm9")


def records(folder: Path, *lines: dict[str, object]) -> Path:
    folder.mkdir()
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "settings.toml").write_text(
        'batch_size = 4\naccumulate = 2\nlr = 0.001\ntrain = "gone.jsonl"\n'
    )
    return folder


@pytest.mark.parametrize(("steps", "agrees"), [(6, True), (5, False)])
def test_steps_are_checked_against_the_formula(tmp_path: Path, steps: int, agrees: bool) -> None:
    run = records(
        tmp_path / "run",
        {"kind": "start", "step": 0, "batches_per_epoch": 5},
        {"kind": "epoch", "step": 3, "epoch": 1, "seconds": 2.0},
        {"kind": "epoch", "step": steps, "epoch": 2, "seconds": 4.0, "time_s": 6.5},
    )
    facts = training(run, {"utterances": 18})
    assert (
        facts is not None
        and facts["epochs"] == 2
        and facts["steps"] == steps
        and facts["seconds_per_epoch"] == 3.0
    )
    assert facts["steps_check"] == {
        "expected": 6,
        "formula": "2 x ceil(18 / (4 x 2))",
        "skipped_steps": 0,
        "agrees": agrees,
    }
    other = training(run, {})
    assert other is not None and other["steps_check"]["expected"] == 6
    assert training(tmp_path, {}) is None


def test_the_command_on_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = ENHANCERS["mask_tiny"]
    run = records(
        tmp_path / "run",
        {"kind": "start", "step": 0, "batches_per_epoch": 5},
        {"kind": "epoch", "step": 3, "epoch": 1, "seconds": 2.0},
    )
    checkpoint.save(run / "best.pt", Enhancer.payload(build_enhancer(spec), enhancer_to(spec), {}))
    assert main(["card", str(run / "best.pt"), "--json", "--clip-s", "0.2", "--runs", "1"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert (
        card["kind"] == "enhancer"
        and card["training"]["steps"] == 3
        and card["training"]["steps_check"]["agrees"]
    )
    assert main(["card", "nothing-like-it"]) == 1
    assert "presets" in capsys.readouterr().err


def test_a_training_step_is_measured_on_as_many_clips_as_fit_into_a_batch_of_seconds(
    tmp_path: Path,
) -> None:
    run = records(tmp_path / "run", {"kind": "start", "step": 0})
    (run / "settings.toml").write_text("batch_size = 0\nbatch_seconds = 1.0\n")
    card = make_card(find_subject("mask_tiny"), Options(clip_s=0.2, runs=1, run=run))
    assert card["memory"]["training_batch"] == 5


def test_a_clip_without_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="--clip-s: expected a sample"):
        make_card(find_subject("mask_tiny"), Options(clip_s=1e-9))


def test_the_command_on_a_card_can_be_run_as_it_stands() -> None:
    command = ["ctcasr", "card", "default layers=1 hidden=8", "--team", "A & B's"]
    options = Options(clip_s=0.2, runs=1, command=command)
    card = make_card(find_subject("mask_tiny"), options)
    assert shlex.split(card["command"]) == command
