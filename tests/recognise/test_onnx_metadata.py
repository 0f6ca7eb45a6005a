"""What an ONNX file says of itself comes back as it was, and as plain data."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ctcasr.checkpoint import CheckpointError
from ctcasr.decoding.commands import Commands
from ctcasr.recognise.onnx_metadata import FORMAT, KEY, OnnxMetadata
from ctcasr.text import Alphabet, Pieces, Tokenizer


def metadata(tokenizer: Tokenizer) -> OnnxMetadata:
    return OnnxMetadata({"rnn": "gru"}, tokenizer, {"seed": 3}, 16000, 640, 512)


@pytest.mark.parametrize(
    "tokenizer",
    [Alphabet("ab c", strict=True), Pieces.train(["ab cab ba", "cc ab"], 10, Alphabet("abc "))],
)
def test_a_round_trip(tokenizer: Tokenizer) -> None:
    properties = metadata(tokenizer).to_properties()
    assert all(isinstance(value, str) for value in properties.values())
    assert OnnxMetadata.from_properties(properties, "r.onnx") == metadata(tokenizer)


def test_commands_that_refuse_nothing_are_strict_json() -> None:
    commands = Commands("on\noff")
    properties = replace(metadata(Alphabet.english38()), commands=commands).to_properties()
    json.loads(properties[KEY], parse_constant=pytest.fail)
    assert OnnxMetadata.from_properties(properties, "r.onnx").commands == commands
    # As it was written before, which no other JSON reader takes.
    earlier = properties[KEY].replace('"threshold": null', '"threshold": -Infinity')
    assert earlier != properties[KEY]
    assert OnnxMetadata.from_properties({KEY: earlier}, "r.onnx").commands == commands


def test_files_of_others_and_of_other_formats_are_told() -> None:
    with pytest.raises(CheckpointError, match=r"r\.onnx: .* metadata lack 'ctcasr'"):
        OnnxMetadata.from_properties({"author": "somebody"}, "r.onnx")
    properties = metadata(Alphabet("ab")).to_properties()
    for change in ({"format": FORMAT + 1}, {"kind": "classifier"}):
        data = {**json.loads(properties[KEY]), **change}
        with pytest.raises(CheckpointError, match=f"expected a recogniser of format {FORMAT}"):
            OnnxMetadata.from_properties({KEY: json.dumps(data)}, "r.onnx")
