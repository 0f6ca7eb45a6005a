"""The machine: plain data, whatever the system is."""

from __future__ import annotations

import json

import torch

from ctcasr.card.machine import hardware, software


def test_facts_are_plain_and_complete() -> None:
    facts = json.loads(json.dumps([hardware(), software()]))
    assert facts[0]["cores"] >= 1 and facts[0]["cpu"]
    assert facts[1]["torch"] == torch.__version__ and facts[1]["numba"]
    assert len(facts[0]["gpus"]) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
