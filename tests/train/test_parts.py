"""What a recipe prepares: manifests read and split, a network begun, workers chosen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr.data import Corpus, Loader
from ctcasr.front import FrontSpec
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import spec_to
from ctcasr.specs import NetSpec
from ctcasr.text import Alphabet
from ctcasr.train import Pace, Parts, RunSettings, World, fit, read_manifests, read_split
from ctcasr.train.parts import begin_network, choose_workers, resumes

RATE = 8000


def manifest(path: Path, *names: str) -> str:
    lines = [{"audio_filepath": f"{name}.wav", "duration": 1.0, "text": name} for name in names]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def parts_of(tones: Any, norm: str = "none") -> Parts:
    alphabet = Alphabet("abc ")
    spec = NetSpec(FrontSpec(RATE, bands=20, n_fft=256, norm=norm), layers=1, hidden=4)
    task = Recognise(build(spec, alphabet.size), alphabet, spec_to(spec))
    train = Loader(Corpus(tones[:8], alphabet, RATE), batch_size=4)
    return Parts(task, train, None, recordings=tones[:8])


def test_manifests_with_commas_between_and_a_part_held_out(tmp_path: Path) -> None:
    one = manifest(tmp_path / "one.jsonl", *"abcdefghij")
    two = manifest(tmp_path / "two.jsonl", "k")
    assert [u.text for u in read_manifests(f"{one},{two}", "")] == [*"abcdefghijk"]
    train, dev = read_split(one, "", 0.2, 0)
    assert len(train) == 8 and len(dev) == 2 and not {u.id for u in train} & {u.id for u in dev}
    train, dev = read_split(one, two, 0.2, 0)
    assert (len(train), len(dev)) == (10, 1)


def test_statistics_are_measured_once_and_a_resumed_run_has_them(
    tones: Any, tmp_path: Path
) -> None:
    settings = RunSettings(out=str(tmp_path), epochs=1, device="cpu")
    parts = parts_of(tones, "corpus")
    told = begin_network(parts, settings, False, World())
    assert told == ["weights: drawn anew", "statistics of the features: measured"]
    assert not parts.task.network.front.needs_statistics
    list(fit(parts.task, parts.train, None, out=tmp_path, config=settings))
    again = parts_of(tones, "corpus")
    assert resumes(replace(settings, auto_resume=True), World())
    assert begin_network(again, settings, True, World()) == []
    saved = parts.task.network.state_dict()
    for name, tensor in again.task.network.state_dict().items():
        assert torch.equal(tensor, saved[name])


def test_fit_measures_what_is_missing_by_itself(tones: Any, tmp_path: Path) -> None:
    told = parts_of(tones, "corpus")
    begin_network(told, RunSettings(out=str(tmp_path), device="cpu"), False, World())
    parts = parts_of(tones, "utterance-zca")
    settings = RunSettings(out=str(tmp_path), epochs=1, device="cpu")
    list(fit(parts.task, parts.train, None, out=tmp_path, config=settings))
    assert not parts.task.network.front.needs_statistics
    plain = parts_of(tones, "corpus")
    list(fit(plain.task, plain.train, None, out=tmp_path / "plain", config=settings))
    assert torch.equal(plain.task.network.front.norm.mean, told.task.network.front.norm.mean)


@pytest.mark.parametrize(("asked", "workers"), [(0, 0), (3, 3), (-1, 0)])
def test_workers_as_asked_or_none_for_a_small_corpus(asked: int, workers: int, tones: Any) -> None:
    assert choose_workers(asked, parts_of(tones).train, Pace()) == workers
