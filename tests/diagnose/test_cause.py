"""A cause is plain data with a confidence."""

from __future__ import annotations

import json
from dataclasses import asdict

from ctcasr.diagnose.cause import FACT, LIKELY, PAIR, STRONG, Cause


def test_confidences_are_ordered_and_a_cause_is_a_fact_unless_said() -> None:
    assert FACT > STRONG > LIKELY > PAIR > 0
    assert Cause("a", "b", "c", 3).confidence == FACT


def test_a_cause_survives_json() -> None:
    cause = Cause("audio-silent", "All is silent.", "Listen.", 7, LIKELY)
    assert Cause(**json.loads(json.dumps(asdict(cause)))) == cause
