"""What the documents talk about, small: recordings, manifests, checkpoints, a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.model import build_classifier, classifier_to, read_classifier
from ctcasr.data import write_manifest
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import enhancer_to, read_enhancer
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.text import Alphabet

RATE_HZ = 16000
RECOGNISERS = {
    "default hidden=8 layers=1": ["runs/tiny", "runs/first", "runs/mine"],
    "streaming hidden=8 layers=1 front.norm=none": ["runs/streaming"],
}
SOUNDS = [
    "a.wav",
    "clip.wav",
    "data/test/000800.wav",
    "tiny/test/000400.wav",
    "tiny/test/000401.wav",
    "noise/n.wav",
    "rirs/r.wav",
]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the files lie that snippets name."""
    folder = tmp_path_factory.mktemp("documents")
    generator = np.random.default_rng(0)
    for name in SOUNDS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, 0.1 * generator.normal(size=RATE_HZ), RATE_HZ)
    texts = ["bin blue at l six now", "lay red by c two please", "set green in x four soon"]
    lines: list[dict[str, Any]] = []
    for text in texts:
        lines.append({"audio_filepath": str(folder / "a.wav"), "duration": 1.0, "text": text})
    for manifest in ("train.jsonl", "data/train.jsonl", "data/test.jsonl"):
        write_manifest(folder / manifest, lines)
    for part, sound in (("noise", "n.wav"), ("rirs", "r.wav")):
        path = str(folder / part / sound)
        write_manifest(folder / part / "all.jsonl", [{"audio_filepath": path, "duration": 1.0}])
    _write_others(folder)
    _write_checkpoints(folder)
    record = {"kind": "check", "step": 5, "loss": 2.0, "wer": 0.5, "time_s": 1.0}
    (folder / "runs/mine/records.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    return folder


def _write_others(folder: Path) -> None:
    """The manifests of other libraries: a table of paths, and JSON by name."""
    (folder / "a.txt").write_text("bin blue\n", encoding="utf-8")
    (folder / "train.csv").write_text("a.wav,a.txt\n", encoding="utf-8")
    entry = {"wav": "{data_root}/a.wav", "length": 1.0, "words": "bin blue"}
    (folder / "train.json").write_text(json.dumps({"one": entry}), encoding="utf-8")


def _write_checkpoints(folder: Path) -> None:
    """Untrained networks of each kind."""
    torch.manual_seed(0)
    alphabet = Alphabet.english38()
    for name, runs in RECOGNISERS.items():
        spec = read_spec(name)
        recogniser = Recogniser.payload(build(spec, alphabet.size), spec_to(spec), alphabet, {})
        for run in runs:
            _save(folder / run, recogniser)
    keywords = read_classifier("kws_cnn_16 front.norm=none")
    model = build_classifier(keywords, 2)
    classifier = Classifier.payload(model, classifier_to(keywords), ["no", "yes"], "silence", {})
    _save(folder / "runs/yes_no", classifier)
    mask = read_enhancer("mask_tiny")
    _save(folder / "runs/mask", Enhancer.payload(build_enhancer(mask), enhancer_to(mask), {}))


def _save(run: Path, payload: dict[str, Any]) -> None:
    run.mkdir(parents=True, exist_ok=True)
    checkpoint.save(run / "best.pt", payload)
