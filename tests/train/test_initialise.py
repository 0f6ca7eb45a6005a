"""Starting from another checkpoint: what fits is loaded, what does not is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.model import build_classifier, classifier_to, read_classifier
from ctcasr.data import Corpus, Loader
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.specs import NetSpec
from ctcasr.text import Alphabet
from ctcasr.train import initialise, load_compatible
from ctcasr.train.initialise import first_hours, whole

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


def recogniser(symbols: str, prior_weight: float = 0.3) -> tuple[SpeechModel, dict[str, Any]]:
    """A small network with other weights at each call, and what its checkpoint says."""
    alphabet = Alphabet(symbols)
    front = FrontSpec(8000, bands=20, n_fft=256)
    spec = NetSpec(front, layers=1, hidden=alphabet.size, prior_weight=prior_weight)
    model = build(spec, alphabet.size)
    for tensor in model.state_dict().values():
        if tensor.dtype.is_floating_point:
            tensor.uniform_(-1, 1)
    return model, Recogniser.payload(model, spec_to(spec), alphabet, {})


def rows(model: SpeechModel, symbols: str, wanted: str) -> torch.Tensor:
    alphabet = Alphabet(symbols)
    names = [alphabet.symbol(index) for index in range(alphabet.size)]
    layer = model.body.head.output
    return torch.stack([layer.weight[names.index(name)] for name in wanted])


def test_symbols_are_loaded_by_what_they_mean_not_by_their_numbers(tmp_path: Path) -> None:
    old, payload = recogniser("abc ")
    new, own = recogniser("cxa ")  # as many symbols; and the hidden layer is as wide
    fresh = rows(new, "cxa ", "x").clone()
    checkpoint.save(tmp_path / "old.pt", payload)
    lines = load_compatible(new, tmp_path / "old.pt", own)
    assert torch.equal(rows(new, "cxa ", "ac"), rows(old, "abc ", "ac"))
    assert torch.equal(rows(new, "cxa ", "x"), fresh)
    assert len(lines) == 3 and all("4 of 5" in line and "fresh: 'x'" in line for line in lines)
    assert {line.partition(":")[0] for line in lines} == {
        "body.head.layers.0.weight",
        "body.head.layers.0.bias",
        "prior.log",
    }
    for name, tensor in new.state_dict().items():
        if name.startswith("body.rnn"):
            assert torch.equal(tensor, old.state_dict()[name])


def test_equal_symbols_are_loaded_whole(tmp_path: Path) -> None:
    old, payload = recogniser("abc ")
    new, own = recogniser("abc ")
    checkpoint.save(tmp_path / "old.pt", payload)
    assert load_compatible(new, tmp_path / "old.pt", own) == []
    assert all(torch.equal(a, new.state_dict()[name]) for name, a in old.state_dict().items())


def test_classes_are_loaded_by_name_in_every_head(tmp_path: Path) -> None:
    spec = read_classifier("googlenet_spec")
    nets = [build_classifier(spec, 3) for _ in range(2)]
    said = [
        Classifier.payload(net, classifier_to(spec), classes, "silence", {})
        for net, classes in zip(nets, (["yes", "no", "up"], ["no", "left", "yes"]), strict=True)
    ]
    checkpoint.save(tmp_path / "old.pt", said[0])
    lines = load_compatible(nets[1], tmp_path / "old.pt", said[1])
    assert len(lines) == 6  # weight and bias of the output and of both side outputs
    old, new = nets[0].body.output, nets[1].body.output
    assert torch.equal(new.weight[[0, 2]], old.weight[[1, 0]])


def test_no_class_in_common_is_named_and_nothing_of_the_output_is_loaded(tmp_path: Path) -> None:
    spec = read_classifier("kws_cnn")
    old, new = build_classifier(spec, 2), build_classifier(spec, 2)
    fresh = new.body.output.weight.clone()
    payload = Classifier.payload(old, classifier_to(spec), ["yes", "no"], "silence", {})
    own = Classifier.payload(new, classifier_to(spec), ["left", "right"], "silence", {})
    checkpoint.save(tmp_path / "old.pt", payload)
    lines = load_compatible(new, tmp_path / "old.pt", own)
    assert len(lines) == 2 and "none of its 2 symbols" in lines[0]
    assert torch.equal(new.body.output.weight, fresh)


def test_statistics_of_another_front_end_are_not_loaded_and_it_is_named(tmp_path: Path) -> None:
    def made(hop_s: float) -> tuple[SpeechModel, dict[str, Any]]:
        alphabet = Alphabet("abc ")
        spec = NetSpec(FrontSpec(8000, bands=20, n_fft=256, hop_s=hop_s, norm="corpus"), layers=1)
        model = build(spec, alphabet.size)
        return model, Recogniser.payload(model, spec_to(spec), alphabet, {})

    old, payload = made(0.01)
    for tensor in old.front.state_dict().values():
        tensor.fill_(1)
    payload["network"] = old.state_dict()
    checkpoint.save(tmp_path / "old.pt", payload)
    new, own = made(0.0125)
    lines = load_compatible(new, tmp_path / "old.pt", own)
    assert new.front.needs_statistics
    assert any(line.startswith("front.hop_s: 0.01 there, 0.0125 here") for line in lines)


def test_a_whole_loader_has_every_share(tones: Any) -> None:
    corpus = Corpus(tones[:8], Alphabet("abc "), 8000)
    share = Loader(corpus, batch_size=4, seed=3, rank=1, world=2)
    batches = [batch.ids for batch in whole(share).epoch(0) if batch is not None]
    assert sorted(name for ids in batches for name in ids) == sorted(u.id for u in tones[:8])


def test_statistics_are_of_the_first_hours(tones: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = Loader(Corpus(tones[:8], Alphabet("abc "), 8000), batch_size=2)
    assert len(list(first_hours(loader))) == 4
    monkeypatch.setattr(initialise, "_MEASURED_S", loader.seconds / 2)
    assert 2 <= len(list(first_hours(loader))) <= 3
