"""Whether a checkpoint is of the same network: by content, not by counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.checkpoint import CheckpointError
from ctcasr.text import Alphabet
from ctcasr.train.identity import differences, refuse_another_network, symbols_of


def test_equal_counts_are_not_equal_symbols() -> None:
    one = {"kind": "recogniser", "tokenizer": Alphabet("abc ").to_state()}
    other = {"kind": "recogniser", "tokenizer": Alphabet("abd ").to_state()}
    assert differences(one, one) == []
    (line,) = differences(one, other)
    assert line.startswith("tokenizer.symbols: ") and "'c'" in line and "'d'" in line


@pytest.mark.parametrize(
    ("name", "there", "here"),
    [
        ("classes", ["yes", "no", "up"], ["left", "right", "stop"]),
        ("classes", ["yes", "no"], ["no", "yes"]),
        ("pad", "silence", "loop"),
        ("spec", {"front": {"hop_s": 0.01}}, {"front": {"hop_s": 0.0125}}),
        ("tokenizer", {"kind": "pieces", "model": b"one"}, {"kind": "pieces", "model": b"two"}),
    ],
)
def test_what_makes_another_network_is_refused_by_name(
    name: str, there: object, here: object
) -> None:
    with pytest.raises(CheckpointError, match=rf"of another network: {name}.*--init"):
        refuse_another_network({name: there}, {name: here}, Path("last.pt"))


def test_weights_notes_and_what_only_one_version_knows_are_not_compared() -> None:
    saved = {"network": {"a": 1}, "notes": {"x": 1}, "spec": {"hidden": (8, 8), "old": 1}}
    own = {"network": {"a": 2}, "notes": {}, "spec": {"hidden": [8, 8], "new": 2}}
    assert differences(saved, own) == []


def test_rows_of_the_output_layer_by_name() -> None:
    assert symbols_of({"classes": ["yes", "no"]}) == ["yes", "no"]
    alphabet = Alphabet("ab ")
    symbols = symbols_of({"tokenizer": alphabet.to_state()})
    assert len(symbols) == alphabet.size and len(set(symbols)) == alphabet.size
    assert symbols_of({"kind": "enhancer"}) == []
