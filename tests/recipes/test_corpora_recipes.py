"""The recipes for bigger corpora, a few steps each: LibriSpeech, and speech made on the way."""

from __future__ import annotations

import json
import string
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ctcasr.commands.train import load_recipe
from ctcasr.data.synth import DIGITS
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.records import read_records
from ctcasr.text import Pieces
from ctcasr.train import World


@pytest.fixture(scope="module")
def librispeech() -> ModuleType:
    return load_recipe("librispeech")


@pytest.fixture(scope="module")
def pretrain() -> ModuleType:
    pytest.importorskip("espeakng_loader")
    return load_recipe("pretrain")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("words") / "words.txt"
    path.write_text("the cat sat on the mat\na dog sat\n", encoding="utf-8")
    return path


def _no_plots(out: Path) -> list[Path]:
    raise ImportError("no matplotlib in this test")


def _no_results(*results: object) -> str:
    return "not drawn in this test"


def test_the_network_is_the_one_of_its_title(librispeech: ModuleType) -> None:
    net = librispeech.NET
    assert (len(net.conv), net.layers, net.rnn, net.bidirectional, net.rnn_norm) == (
        2,
        6,
        "lstm",
        True,
        "every",
    )
    assert librispeech.Settings(train="m").pieces == 1024


def test_librispeech_runs_on_its_samples(
    librispeech: ModuleType,
    tones: Any,
    data_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = data_root / "librispeech_samples"
    short = sorted(
        (json.loads(line) for line in (folder / "train.jsonl").open(encoding="utf-8")),
        key=lambda line: line["duration"],
    )[:24]
    lines = [{**line, "audio_filepath": str(folder / line["audio_filepath"])} for line in short]
    for name, part in (("train", lines[:20]), ("a/valid", lines[20:22]), ("b/valid", lines[22:])):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in part), encoding="utf-8"
        )
    librispeech.main(
        [
            "--train",
            str(tmp_path / "train.jsonl"),
            "--valid",
            f"{tmp_path / 'a/valid.jsonl'},{tmp_path / 'b/valid.jsonl'}",
            "--net",
            str(tones.net),
            "--noise",
            str(data_root / "noise/all.jsonl"),
            "--rooms",
            str(data_root / "rirs/all.jsonl"),
            "--augment-from",
            "0",
            "--bf16",
            "--epochs",
            "1",
            "--batch-seconds",
            "20",
            "--workers",
            "0",
            "--out",
            str(tmp_path / "run"),
            "--device",
            "cpu",
        ]
    )
    told = capsys.readouterr().out
    assert (
        "pieces: asked for 1024 symbols; " in told
        and "a-valid: WER" in told
        and "b-valid: WER" in told
    )
    assert all(
        (tmp_path / "run" / name / "scores.json").is_file() for name in ("a-valid", "b-valid")
    )
    best = Recogniser.load(tmp_path / "run/best.pt")
    assert (
        isinstance(best.tokenizer, Pieces)
        and best.tokenizer.decode(best.tokenizer.encode("IT'S")) == "it's"
    )
    assert all(
        record.data["loss"] > 0
        for record in read_records(tmp_path / "run")
        if record.kind == "step"
    )


def test_pieces_can_be_brought_along(librispeech: ModuleType, tones: Any, tmp_path: Path) -> None:
    own = Pieces.train(["aa bb cc", "ab bc ca"], 33, librispeech.Alphabet.english29())
    (tmp_path / "own.model").write_bytes(own.model)
    model = str(tmp_path / "own.model")
    settings = librispeech.Settings(
        train=str(tones.train), net=str(tones.net), pieces_model=model, workers=0, device="cpu"
    )
    parts = librispeech.prepare(settings, World())
    assert parts.task.tokenizer.model == own.model
    assert parts.task.augment_from == 2 * len(parts.train)


def test_pretraining_is_said_anew_in_every_epoch_and_goes_on_in_another_recipe(
    pretrain: ModuleType,
    recognise: ModuleType,
    tones: Any,
    words: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(pretrain, "draw_run", _no_plots)
    monkeypatch.setattr(recognise, "draw_results", _no_results)
    out = tmp_path / "spoken"
    pretrain.main(
        [
            "--texts",
            str(words),
            "--net",
            str(tones.net),
            "--hours",
            "0.02",
            "--epochs",
            "2",
            "--words",
            "1,4",
            "--batch-size",
            "4",
            "--dev-utterances",
            "4",
            "--workers",
            "0",
            "--out",
            str(out),
            "--device",
            "cpu",
        ]
    )
    told = capsys.readouterr().out
    assert "2 lines of text, 7 words" in told and f"--init {out / 'best.pt'}" in told
    heard = [
        sample["reference"]
        for record in read_records(out)
        if record.kind == "check"
        for sample in record.data["samples"]
    ]
    known = {"the", "cat", "sat", "on", "mat", "a", "dog", *string.ascii_lowercase, *DIGITS}
    assert len(heard) >= 4 and set(" ".join(heard).split()) <= known
    recognise.main(tones.flags(tmp_path / "tuned", "--epochs", "1", "--init", str(out / "best.pt")))
    assert f"weights: all of {out / 'best.pt'}" in capsys.readouterr().out


def test_pretraining_learns_from_voices_that_do_not_select(
    pretrain: ModuleType, tones: Any, words: Path
) -> None:
    settings = pretrain.Settings(
        texts=f"{words},{tones.train}",
        net=str(tones.net),
        hours=0.1,
        epochs=2,
        workers=0,
        device="cpu",
    )
    parts = pretrain.prepare(settings, World())
    task, loader, dev = parts.task, parts.train, parts.dev
    assert (
        not set(loader.corpus.voices) & set(dev.corpus.voices)
        and dev.corpus.fixed
        and not loader.corpus.fixed
    )
    assert loader.corpus.seconds == pytest.approx(180, rel=0.1) and task.augment_from == len(loader)
    assert (
        "abc" in " ".join(loader.corpus.texts.followers) or len(loader.corpus.texts.followers) > 8
    )  # the texts of the manifest too


class Pretended(World):
    """One of several processes, of which the others do not exist."""

    def broadcast_object(self, value: Any) -> Any:
        return value


def test_several_processes_share_the_speech(pretrain: ModuleType, tones: Any, words: Path) -> None:
    settings = pretrain.Settings(
        texts=str(words),
        net=str(tones.net),
        hours=0.02,
        epochs=1,
        batch_size=4,
        workers=0,
        device="cpu",
    )
    parts = [pretrain.prepare(settings, Pretended(rank, 2)).train for rank in range(2)]
    seeds = [
        {seed for batch in loader.epoch(0) if batch is not None for seed in batch.seeds}
        for loader in parts
    ]
    assert not seeds[0] & seeds[1] and len(seeds[0] | seeds[1]) == len(parts[0].corpus)
