"""The language model and decoding tools, end to end on small made-up things."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.data import read_manifest, write_manifest
from ctcasr.front import FrontSpec
from ctcasr.recognise import Ensemble, evaluate
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet, NGram

TOOLS = Path(__file__).resolve().parents[2] / "tools"


RATE = 8000


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """run("train_lm"): the module of tools/train_lm.py."""
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained recogniser: what it hears is nonsense, but the same nonsense every time."""
    torch.manual_seed(4)
    spec = NetSpec(
        FrontSpec(RATE, bands=20, n_fft=256), (ConvSpec(2, (3, 3), (2, 2)),), layers=1, hidden=8
    )
    net = build(spec, Alphabet.english38().size)
    net(Seq.stack([0.1 * torch.randn(RATE), 0.1 * torch.randn(RATE)], RATE))
    return checkpoint.save(
        tmp_path_factory.mktemp("lm") / "best.pt",
        Recogniser.payload(net, spec_to(spec), Alphabet.english38(), {}),
    )


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    lines = []
    for index, text in enumerate(["lay red now", "Lay blue", "set red", "set blue now", "lay red"]):
        soundfile.write(tmp_path / f"{index}.wav", 0.1 * draw.standard_normal(2 * RATE), RATE)
        lines.append(
            {"audio_filepath": str(tmp_path / f"{index}.wav"), "duration": 2.0, "text": text}
        )
    write_manifest(tmp_path / "m.jsonl", lines)
    return tmp_path / "m.jsonl"


def test_train_tune_and_bench(
    run: Callable[..., Any],
    manifest: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "more.txt").write_text("set green again\n\n")
    arpa = tmp_path / "lm.arpa"
    inputs = [str(manifest), str(tmp_path / "more.txt")]
    assert (
        run("train_lm").main([*inputs, "--order", "2", "--test", str(manifest), "--out", str(arpa)])
        == 0
    )
    told = capsys.readouterr().out
    assert NGram.read(arpa).words == {"lay", "red", "now", "blue", "set", "green", "again"}
    assert (
        "from 6 sentences" in told
        and "0.5000 1.0000 1.5000 (fallback" in told
        and "m.jsonl: perplexity" in told
    )

    tune = [
        "--lm",
        str(arpa),
        "--lexicon",
        "lm",
        "--weights",
        "0,1",
        "--bonuses",
        "0,2",
        "--beam",
        "8",
    ]
    assert run("tune_lm").main([str(model), str(manifest), *tune]) == 0
    assert "best: --lm-weight" in capsys.readouterr().out
    assert (
        run("bench.decode").main([str(model), str(manifest), "--lm", str(arpa), "--beam", "4"]) == 0
    )
    assert "lexicon + LM" in capsys.readouterr().out


def test_held_out_lines_are_not_learnt(run: Callable[..., Any], manifest: Path) -> None:
    texts_of = run("train_lm").texts_of
    train, held = texts_of(manifest, 0.4, 1)
    assert (
        len(train) == 3 and len(held) == 2 and sorted(train + held) == sorted(texts_of(manifest)[0])
    )


def test_a_manifest_is_told_by_its_content_not_by_its_name(
    run: Callable[..., Any], manifest: Path, tmp_path: Path
) -> None:
    named_otherwise = manifest.rename(tmp_path / "train_manifest.json")
    texts, _ = run("train_lm").texts_of(named_otherwise)
    assert texts == ["lay red now", "Lay blue", "set red", "set blue now", "lay red"]


def test_learnt_alphabets_learn_from_the_texts(
    run: Callable[..., Any], manifest: Path, tmp_path: Path
) -> None:
    arpa = tmp_path / "lm.arpa"
    assert run("train_lm").main([str(manifest), "--text", "pieces:60", "--out", str(arpa)]) == 0
    assert "blue" in NGram.read(arpa).words


@pytest.mark.parametrize(
    "content, told",
    [(None, "found nothing there"), (b"", "expected texts with words"), (b"\xe4", "UTF-8")],
)
def test_nothing_is_written_where_a_test_cannot_be_read(
    run: Callable[..., Any], manifest: Path, tmp_path: Path, content: bytes | None, told: str
) -> None:
    test = tmp_path / "test.txt"
    if content is not None:
        test.write_bytes(content)
    arpa = tmp_path / "lm.arpa"
    with pytest.raises(ValueError, match=f"{test}.*{told}"):
        run("train_lm").main([str(manifest), "--test", str(test), "--out", str(arpa)])
    assert not arpa.exists()


def test_what_evaluate_skips_is_skipped_and_named(
    run: Callable[..., Any], manifest: Path, model: Path
) -> None:
    tool = run("_decode")
    more = [
        {"audio_filepath": "gone.wav", "text": "lay red"},
        {"audio_filepath": "0.wav", "text": "日本"},
        {"audio_filepath": "1.wav"},
    ]
    with open(manifest, "a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in more)
    recogniser = Ensemble.read(str(model), None)
    logits = tool.run_network(recogniser, manifest)
    scored = evaluate(recogniser, read_manifest(manifest).utterances)
    errors, _ = tool.score(logits, recogniser, None)
    assert logits.utterances == 5 and errors.words == scored.tally.words
    assert logits.skipped == scored.skipped and len(scored.skipped) == 3
    assert "m.jsonl:6: " in str(logits)


def test_a_model_is_written_over_nothing_but_a_model(
    run: Callable[..., Any], manifest: Path, tmp_path: Path
) -> None:
    before = manifest.read_bytes()
    with pytest.raises(ValueError, match=r"m\.jsonl: expected a new file, or an ARPA file"):
        run("train_lm").main([str(manifest), "--out", str(manifest)])
    assert manifest.read_bytes() == before
    for _ in range(2):
        assert run("train_lm").main([str(manifest), "--out", str(tmp_path / "lm.arpa")]) == 0


def test_weights_that_are_no_numbers_are_told_by_their_flag(run: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="--weights: expected numbers with commas between; got"):
        run("tune_lm").main(["best.pt", "m.jsonl", "--lm", "lm.arpa", "--weights", "0,a"])
