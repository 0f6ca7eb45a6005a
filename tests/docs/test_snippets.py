"""Python in the documents and the README runs, with something small behind its names.

The snippets of a page are run in their order, in one folder and with one set of names; those of
watch.md are run by tests/watching/test_snippets.py.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import ctcasr.front
import ctcasr.train
from ctcasr.ctc import InputError, ctc_loss
from ctcasr.data import Corpus, Loader, read_manifest, read_sounds
from ctcasr.recognise import Recognise
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.show import watch
from ctcasr.text import Alphabet

ROOT = Path(__file__).resolve().parents[2]
PYTHON = re.compile(r"^```python[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = {
    path.relative_to(ROOT).as_posix(): snippets
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if (snippets := PYTHON.findall(path.read_text(encoding="utf-8")))
}
ELSEWHERE = {"docs/watch.md"}
ROWS = 2
FRAMES = 8
CLASSES = 5


def small_batch() -> dict[str, Any]:
    """Names of a batch, of a network and of its parts."""
    torch.manual_seed(0)
    layer = nn.Linear(4, CLASSES)
    inputs = torch.randn(ROWS, FRAMES, 4)
    lengths = torch.tensor([FRAMES, FRAMES - 1])
    label_counts = torch.tensor([3, 2])
    return {
        "inputs": inputs,
        "hidden": inputs,
        "layer": layer,
        "network": layer,
        "model": layer,
        "logits": layer(inputs),
        "targets": torch.tensor([[1, 2, 3], [4, 1, 0]]),
        "input_lengths": lengths,
        "frames": lengths,
        "target_lengths": label_counts,
        "labels": label_counts,
    }


def train(model: nn.Module) -> None:
    """A loop of somebody's own, with torch's loss."""
    batch = small_batch()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(25):
        log_probs = model(batch["inputs"]).log_softmax(-1).transpose(0, 1)
        lengths = (batch["input_lengths"], batch["target_lengths"])
        loss = nn.functional.ctc_loss(log_probs, batch["targets"], *lengths)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


class PretendedSherpa:
    """What docs/export.md calls of sherpa-onnx; tests/export hears with the package itself."""

    def __init__(self) -> None:
        self.OfflineRecognizer = self
        self.result = SimpleNamespace(text="", timestamps=[])

    def from_omnilingual_asr_ctc(self, model: str, tokens: str) -> PretendedSherpa:
        return self

    def create_stream(self) -> PretendedSherpa:
        return self

    def accept_waveform(self, rate_hz: int, samples: Any) -> None:
        assert rate_hz == 16000

    def decode_stream(self, stream: PretendedSherpa) -> None:
        assert stream is self


def training_parts() -> dict[str, Any]:
    """Names of a recipe of one's own."""
    tokenizer = Alphabet.english38()
    spec = read_spec("default hidden=8 layers=1")
    model = build(spec, tokenizer.size)
    lines = read_manifest("data/train.jsonl").utterances
    corpus = Corpus(lines, tokenizer, spec.front.rate_hz)
    return {
        **vars(ctcasr.train),
        **vars(ctcasr.front),
        "Loader": Loader,
        "Recognise": Recognise,
        "augment_from": 0,
        "config": ctcasr.train.TrainConfig(epochs=1, device="cpu"),
        "corpus": corpus,
        "dev_corpus": corpus,
        "model": model,
        "out": Path("runs/new"),
        "read_sounds": read_sounds,
        "spec": spec_to(spec),
        "task": Recognise(model, tokenizer, spec_to(spec)),
        "tokenizer": tokenizer,
        "watch": watch,
    }


def names_of(page: str) -> dict[str, Any]:
    """What stands behind the names that a page's snippets do not define."""
    names: dict[str, Any] = {"samples": torch.randn(16000)}
    if page in ("docs/scale.md", "docs/corpora.md"):
        return names | training_parts()
    names |= small_batch()
    names["train"] = train
    if page == "docs/streaming.md":
        names["microphone"] = torch.randn(4, 4000)
    if page == "docs/export.md":
        names["sherpa_onnx"] = PretendedSherpa()
    if page == "docs/coming_from.md":
        layer = names["layer"]
        names["brain"] = SimpleNamespace(fit=lambda epochs, training, valid: train(layer))
        names |= {"epochs": 1, "valid": None}
    return names


@pytest.fixture
def names(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder in which the files lie, and the working folder."""
    folder = tmp_path / "work"
    shutil.copytree(template, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("page", sorted(set(PAGES) - ELSEWHERE))
def test_snippets_run(page: str, names: Path) -> None:
    space = names_of(page)
    for number, snippet in enumerate(PAGES[page], start=1):
        exec(compile(snippet, f"{page}, snippet {number}", "exec"), space)


def test_the_manifests_of_others_become_ours(names: Path) -> None:
    snippets = [snippet for snippet in PAGES["docs/coming_from.md"] if '"train.jsonl"' in snippet]
    assert len(snippets) == 2
    for snippet in snippets:
        exec(snippet, {})
        (line,) = read_manifest("train.jsonl").utterances
        assert line.text == "bin blue" and line.audio_filepath.is_file()


def test_the_loss_beside_torchs_is_as_the_page_says(names: Path) -> None:
    theirs, ours, drop_in, *_ = PAGES["docs/coming_from.md"]
    losses = []
    for snippet in (theirs, ours, drop_in):
        space = small_batch()
        exec(snippet, space)
        losses.append(space["loss"].detach())
    torch.testing.assert_close(losses[0], losses[1])
    torch.testing.assert_close(losses[0], losses[2])


@pytest.mark.parametrize("label", [0, CLASSES])
def test_wrong_labels_are_refused_as_the_page_says(label: int) -> None:
    logits = torch.zeros(1, 3, CLASSES)
    with pytest.raises(InputError):
        ctc_loss(logits, torch.tensor([[label]]), [3], [1])


def test_without_a_path_gradients_are_as_the_page_says() -> None:
    for loss_of, gradient_is_nan in ((nn.functional.ctc_loss, True), (None, False)):
        logits = torch.zeros(1, 3, CLASSES, requires_grad=True)
        rest = (torch.tensor([[1, 1, 2]]), torch.tensor([3]), torch.tensor([3]))
        if loss_of is None:
            loss = ctc_loss(logits, *rest)
        else:
            loss = loss_of(logits.log_softmax(-1).transpose(0, 1), *rest)
        assert loss.isinf()
        loss.backward()
        assert logits.grad is not None
        assert bool(logits.grad.isnan().any()) == gradient_is_nan


def test_every_language_of_a_block_is_known() -> None:
    """A block without a language, or with another one, would be run by nobody."""
    known = {"sh", "python", "json", "text", "math", "toml"}
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        text = path.read_text(encoding="utf-8")
        languages = re.findall(r"^```(\w*)[^\n]*\n.*?^```$", text, re.DOTALL | re.MULTILINE)
        assert set(languages) <= known, (path, set(languages) - known)


def test_json_in_documents_is_json() -> None:
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            for line in block.splitlines():
                json.loads(line)
