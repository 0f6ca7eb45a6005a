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


@pytest.mark.parametrize("flag", ["--clip-s", "--runs", "--threads"])
def test_nothing_is_too_little(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", "mask_tiny", flag, "0"]) == 1
    assert flag in capsys.readouterr().err
