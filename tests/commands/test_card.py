"""`ctcasr card`: Markdown or JSON, with the command that made it."""

from __future__ import annotations

import json

import pytest
import torch

from ctcasr.cli import main


def test_both_forms_and_threads_are_put_back(capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    flags = ["--clip-s", "0.2", "--runs", "1", "--team", "T", "--threads", "1"]
    assert main(["card", "mask_tiny", *flags]) == 0
    assert capsys.readouterr().out.startswith("# mask_tiny\n")
    assert main(["card", "mask_tiny", "--json", *flags]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["team"] == "T" and card["latency"]["threads"] == 1
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--clip-s", "0"),
        ("--clip-s", "nan"),
        ("--samples", "0"),
        ("--samples", "-5"),
        ("--frames", "0"),
        ("--runs", "0"),
        ("--threads", "0"),
        ("--threads", "100000"),
        ("--run", "no"),
        ("--frames", "25"),  # it sees none
    ],
)
def test_what_no_card_is_made_of_is_refused(
    flag: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["card", "mask_tiny", flag, value]) == 1
    assert flag in capsys.readouterr().err


def test_a_length_that_changes_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", "kws_cnn", "--clip-s", "2"]) == 1
    assert "--clip-s: kws_cnn hears 1 s" in capsys.readouterr().err
    assert main(["card", "mask_tiny", "--clip-s", "2", "--samples", "800"]) == 1
    assert "got both" in capsys.readouterr().err
