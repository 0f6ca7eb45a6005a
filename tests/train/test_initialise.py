"""Starting from another checkpoint: what fits is loaded, what does not is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.specs import NetSpec
from ctcasr.text import Alphabet
from ctcasr.train import load_compatible

SPEC = NetSpec(FrontSpec(8000, bands=20, n_fft=256), layers=1, hidden=8)


def saved(path: Path, symbols: str = "abc ", spec: NetSpec = SPEC) -> Path:
    torch.manual_seed(3)
    alphabet = Alphabet(symbols)
    return checkpoint.save(
        path, Recogniser.payload(build(spec, alphabet.size), spec_to(spec), alphabet, {})
    )


def test_the_same_network_is_loaded_whole(tmp_path: Path) -> None:
    model = build(SPEC, 5)
    assert load_compatible(model, saved(tmp_path / "a.pt")) == []
    old = Recogniser.load(tmp_path / "a.pt").model.state_dict()
    assert all(torch.equal(tensor, old[name]) for name, tensor in model.state_dict().items())


def test_another_alphabet_keeps_all_but_the_output_layer(tmp_path: Path) -> None:
    path, model = saved(tmp_path / "a.pt"), build(SPEC, 9)
    fresh = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    notes = load_compatible(model, path)
    old = Recogniser.load(path).model.state_dict()
    assert (
        len(notes) == 2
        and notes[0].startswith("body.head.layers.0.weight: [5, 16] in")
        and "[9, 16] here" in notes[0]
    )
    for name, tensor in model.state_dict().items():
        wanted = fresh[name] if name.startswith("body.head.layers.0.") else old[name]
        assert torch.equal(tensor, wanted), name


def test_more_layers_are_named(tmp_path: Path) -> None:
    deeper = NetSpec(SPEC.front, layers=2, hidden=8)
    notes = load_compatible(build(deeper, 5), saved(tmp_path / "a.pt"))
    assert notes and all(
        note.startswith("body.rnn.") and ".1." in note and "not in" in note for note in notes
    )


def test_a_checkpoint_that_does_not_fit_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not one tensor fits"):
        load_compatible(torch.nn.Linear(2, 2), saved(tmp_path / "a.pt"))
    checkpoint.save(tmp_path / "b.pt", {"kind": "something"})
    with pytest.raises(ValueError, match=r"b\.pt"):
        load_compatible(build(SPEC, 5), tmp_path / "b.pt")
