"""`ctcasr audit`: files, exit status, errors as sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from ctcasr import checkpoint
from ctcasr.cli import main
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from tests.recognise.helpers import ALPHABET, RATE, SMALL, network, noise


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rows = []
    for number in range(12):
        soundfile.write(tmp_path / f"u{number}.wav", noise(3200, seed=number).numpy(), RATE)
        rows.append(
            json.dumps({"audio_filepath": f"u{number}.wav", "text": "ab c ba"[number % 4 :]})
        )
    (tmp_path / "m.jsonl").write_text("\n".join(rows), encoding="utf-8")
    checkpoint.save(
        tmp_path / "best.pt", Recogniser.payload(network(), spec_to(SMALL), ALPHABET, {})
    )
    return tmp_path


def test_a_checkpoint_audits_and_writes(corpus, capsys):
    out = corpus / "audit"
    arguments = ["audit", str(corpus / "m.jsonl"), "--checkpoint", str(corpus / "best.pt")]
    status = main([*arguments, "--out", str(out), "--fix", "--json"])
    summary = json.loads(capsys.readouterr().out)
    assert status == (1 if summary["hurts"] else 0)
    assert summary["lines"] == 12
    assert {path.name for path in out.iterdir()} == {
        "audit.jsonl",
        "clean.jsonl",
        "fixed.jsonl",
        "audit.html",
    }
    assert main([*arguments, "--out", str(out)]) == status
    assert "expected to be wrong" in capsys.readouterr().out


def test_nothing_to_audit_is_a_sentence(corpus, capsys):
    assert main(["audit", str(corpus / "none.jsonl"), "--out", str(corpus / "a")]) == 1
    assert "expected a manifest" in capsys.readouterr().err
    assert main(["audit", str(corpus / "m.jsonl"), "--out", str(corpus / "a")]) == 1
    assert "by a checkpoint" in capsys.readouterr().err


def test_a_checkpoint_is_not_trained(corpus):
    with pytest.raises(SystemExit):
        main(["audit", "m.jsonl", "--checkpoint", "c.pt", "--budget", "5m", "--out", "a"])


def test_the_manifest_is_never_written_over(corpus, capsys):
    (corpus / "m.jsonl").rename(corpus / "clean.jsonl")
    before = (corpus / "clean.jsonl").read_bytes()
    arguments = ["audit", str(corpus / "clean.jsonl"), "--checkpoint", str(corpus / "best.pt")]
    assert main([*arguments, "--out", str(corpus)]) == 1
    assert "would be written over" in capsys.readouterr().err
    assert (corpus / "clean.jsonl").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_told_before_any_work(corpus, capsys):
    (corpus / "taken").write_text("a file")
    arguments = ["audit", str(corpus / "m.jsonl"), "--checkpoint", str(corpus / "no.pt")]
    assert main([*arguments, "--out", str(corpus / "taken")]) == 1
    assert "taken" in capsys.readouterr().err


def test_lines_that_the_alphabet_cannot_write_are_named(corpus, capsys):
    with (corpus / "m.jsonl").open("a") as file:
        file.write('\n{"audio_filepath": "u0.wav", "text": "?!"}')
    arguments = ["audit", str(corpus / "m.jsonl"), "--checkpoint", str(corpus / "best.pt")]
    main([*arguments, "--out", str(corpus / "a"), "--json"])
    summary = json.loads(capsys.readouterr().out)
    assert summary["lines"] == 12 and summary["skipped"] == 1
    assert "alphabet can write; got '?!'" in summary["skipped_lines"][0]["reason"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_shortest_corpora(corpus, capsys, count):
    rows = (corpus / "m.jsonl").read_text().splitlines()[:count]
    (corpus / "m.jsonl").write_text("\n".join(rows))
    arguments = ["audit", str(corpus / "m.jsonl"), "--checkpoint", str(corpus / "best.pt")]
    main([*arguments, "--out", str(corpus / "a"), "--fix", "--json"])
    summary = json.loads(capsys.readouterr().out)
    assert summary["lines"] == count and 0 <= summary["expected"] <= count


@pytest.mark.parametrize("flags", [["--epochs", "0"], ["--budget", "0s"], ["--budget=-5m"]])
def test_training_for_no_time_is_refused(corpus, capsys, flags):
    rows = (corpus / "m.jsonl").read_text().splitlines() * 4
    (corpus / "m.jsonl").write_text("\n".join(rows))
    assert main(["audit", str(corpus / "m.jsonl"), "--out", str(corpus / "a"), *flags]) == 1
    assert "expected" in capsys.readouterr().err


def test_flags_that_a_checkpoint_does_not_heed_are_refused(corpus, capsys):
    arguments = ["audit", str(corpus / "m.jsonl"), "--checkpoint", str(corpus / "best.pt")]
    for flag, value in (("--folds", "3"), ("--text", "pieces:50"), ("--seed", "1")):
        assert main([*arguments, "--out", str(corpus / "a"), flag, value]) == 1
        assert f"{flag} is for networks that are trained" in capsys.readouterr().err


def test_no_line_with_a_text_is_told_before_training(corpus, capsys):
    rows = ['{"audio_filepath": "u0.wav", "text": "?!"}'] * 41
    (corpus / "m.jsonl").write_text("\n".join(rows))
    assert main(["audit", str(corpus / "m.jsonl"), "--out", str(corpus / "a")]) == 1
    told = capsys.readouterr().err
    assert "none can be judged" in told and "m.jsonl:1: expected a text that the alphabet" in told
