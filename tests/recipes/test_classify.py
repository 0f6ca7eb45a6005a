"""The classification recipe: valid part, folds, pairs, bad input, and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import soundfile
import torch

from ctcasr.classify.classifier import Classifier
from ctcasr.cli import main as cli
from ctcasr.commands.train import load_recipe
from ctcasr.data import LeakError
from ctcasr.data.skipped import NothingScoredError
from ctcasr.net.prune import sparsity
from ctcasr.records import read_records
from ctcasr.run_cli import FAILED, run_cli

NET = """
clip_s = 0.3
network = "conv"
conv = [{channels = 8, kernel = [3, 5], stride = [2, 2]},
        {channels = 8, kernel = [3, 5], stride = [1, 2]},
        {channels = 8, kernel = [3, 5], stride = [1, 2]}]
[front]
rate_hz = 8000
bands = 20
n_fft = 256
window_s = 0.032
hop_s = 0.016
norm = "corpus"
"""
LETTERS = {"low": "a", "mid $1": "b", "hoch/ü": "c"}


@pytest.fixture(scope="session")
def classify() -> ModuleType:
    return load_recipe("classify")


@pytest.fixture(scope="module")
def clips(
    tmp_path_factory: pytest.TempPathFactory, make_sound: Callable[[str, int], torch.Tensor]
) -> Path:
    """Tones of three classes by ten speakers in three folds, shorter and longer than 0.3 s."""
    folder = tmp_path_factory.mktemp("clips")
    lines: dict[str, list[dict[str, Any]]] = {"train": [], "valid": []}
    for speaker in range(10):
        for label, letter in LETTERS.items():
            name = f"{letter}{speaker}.wav"
            soundfile.write(
                folder / name,
                make_sound(letter * (1 + speaker % 4), 10 * speaker + ord(letter)).numpy(),
                8000,
            )
            lines["train" if speaker < 8 else "valid"].append(
                {
                    "audio_filepath": name,
                    "label": label,
                    "speaker": f"s{speaker}",
                    "fold": speaker % 3 + 1,
                }
            )
    for part, rows in lines.items():
        (folder / f"{part}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
        )
    (folder / "net.toml").write_text(NET, encoding="utf-8")
    return folder


def flags(clips: Path, out: Path, *more: str) -> list[str]:
    return [
        "--train",
        str(clips / "train.jsonl"),
        "--net",
        str(clips / "net.toml"),
        "--out",
        str(out),
        "--epochs",
        "2",
        "--batch-size",
        "8",
        "--device",
        "cpu",
        "--log-every",
        "1",
        "--speeds",
        "1",
        *more,
    ]


@pytest.fixture(scope="module")
def run(clips: Path, classify: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    classify.main(
        flags(clips, out, "--valid", str(clips / "valid.jsonl"), "--epochs", "25", "--prune", "0.5")
    )
    return out


def test_the_run_learns_and_writes_all_that_was_promised(run: Path) -> None:
    assert {
        "best.pt",
        "last.pt",
        "settings.toml",
        "records.jsonl",
        "test",
        "plots",
        "scores.json",
    } <= {p.name for p in run.iterdir()}
    scores = json.loads((run / "test" / "scores.json").read_text(encoding="utf-8"))
    assert (
        scores["utterances"] == 6
        and scores["accuracy"] > 0.8
        and scores["accuracy_low"] < scores["accuracy"]
    )
    assert list(scores["classes"]) == scores["confusion"]["classes"] == sorted(LETTERS)
    classifier = Classifier.load(run / "best.pt")
    assert classifier.notes["recipe"] == "classify" and sparsity(
        classifier.model.body
    ) == pytest.approx(0.5, abs=0.02)
    assert {p.name for p in (run / "plots").iterdir()} == {"learning.png", "confusion.png"}


def test_a_run_starts_from_another_network(
    run: Path, clips: Path, classify: ModuleType, tmp_path: Path
) -> None:
    again = flags(
        clips,
        tmp_path,
        "--valid",
        str(clips / "valid.jsonl"),
        "--init",
        str(run / "best.pt"),
        "--epochs",
        "1",
        "--lr",
        "1e-4",
    )
    classify.main(again)
    old, new = Classifier.load(run / "best.pt").model, Classifier.load(tmp_path / "best.pt").model
    assert torch.allclose(old.body.output.weight, new.body.output.weight, atol=1e-2)  # type: ignore[union-attr]
    assert (
        json.loads((tmp_path / "test" / "scores.json").read_text(encoding="utf-8"))["accuracy"]
        > 0.8
    )


def test_folds_of_the_lines_and_over_speakers(
    clips: Path, classify: ModuleType, tmp_path: Path
) -> None:
    classify.main(flags(clips, tmp_path / "own", "--folds", "own", "--epochs", "1"))
    classify.main(
        flags(
            clips,
            tmp_path / "two",
            "--folds",
            "2",
            "--epochs",
            "1",
            "--pad",
            "loop",
            "--dev-share",
            "0.2",
        )
    )
    for name, rounds in (("own", ["fold1", "fold2", "fold3"]), ("two", ["fold1", "fold2"])):
        scores = json.loads((tmp_path / name / "scores.json").read_text(encoding="utf-8"))
        assert (
            list(scores["rounds"]) == rounds
            and scores["utterances"] == 24
            and scores["accuracy_low"] <= scores["accuracy"]
        )
    assert Classifier.load(tmp_path / "two" / "fold1" / "best.pt").pad == "loop"
    assert any(r.kind == "check" for r in read_records(tmp_path / "two" / "fold1"))


def test_pairs_of_words_are_pooled(clips: Path, classify: ModuleType, tmp_path: Path) -> None:
    classify.main(
        flags(
            clips,
            tmp_path,
            "--pairs",
            "--classes",
            "low,mid $1",
            "--valid",
            str(clips / "valid.jsonl"),
            "--epochs",
            "1",
        )
    )
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert list(scores["rounds"]) == ["low-mid $1"] and scores["utterances"] == 4


def test_rounds_that_are_done_are_read_and_the_others_trained(
    clips: Path, classify: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = flags(
        clips,
        tmp_path,
        "--pairs",
        "--valid",
        str(clips / "valid.jsonl"),
        "--epochs",
        "1",
        "--resume",
    )
    classify.main(again)
    whole = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    folders = sorted(p.name for p in tmp_path.iterdir() if p.is_dir())
    assert (
        list(whole["rounds"]) == ["hoch/ü-low", "hoch/ü-mid $1", "low-mid $1"] and len(folders) == 3
    )  # a slash makes no folder
    stamps = {name: (tmp_path / name / "last.pt").stat().st_mtime_ns for name in folders}
    (
        tmp_path / folders[1] / "test" / "scores.json"
    ).unlink()  # ended after training, before its scores
    (tmp_path / folders[2] / "test" / "scores.json").unlink()
    (tmp_path / folders[2] / "last.pt").unlink()  # ended before anything was saved
    capsys.readouterr()
    classify.main(again)
    assert json.loads((tmp_path / "scores.json").read_text(encoding="utf-8")) == whole
    assert (tmp_path / folders[0] / "last.pt").stat().st_mtime_ns == stamps[folders[0]]
    assert (tmp_path / folders[2] / "last.pt").stat().st_mtime_ns > stamps[folders[2]]
    free = ["--epochs", "2", "--workers", "1", "--log-every", "3"]
    (tmp_path / folders[0] / "settings.toml").unlink()
    classify.main([*again, *free])
    assert json.loads((tmp_path / "scores.json").read_text(encoding="utf-8")) == whole
    with pytest.raises(ValueError, match=r"it had other --lr"):
        classify.main([*again, "--lr", "1e-3"])


def test_a_round_whose_manifest_has_changed_since_is_not_read(
    clips: Path, classify: ModuleType, tmp_path: Path
) -> None:
    lines = (clips / "valid.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    valid = clips / "changing.jsonl"
    valid.write_text("".join(lines), encoding="utf-8")
    again = flags(clips, tmp_path, "--valid", str(valid), "--epochs", "1", "--resume")
    classify.main(again)
    classify.main(again)
    valid.write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"it had other --valid \(the content"):
        classify.main(again)


def test_without_a_test_part_there_is_no_figure_and_with_a_strange_one_an_error(
    clips: Path, classify: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classify.main(flags(clips, tmp_path / "none", "--epochs", "1"))
    assert "accuracy -" not in capsys.readouterr().out
    row = json.loads((clips / "valid.jsonl").read_text(encoding="utf-8").splitlines()[0])
    strange = clips / "strange.jsonl"
    strange.write_text(json.dumps({**row, "label": "never learnt"}) + "\n", encoding="utf-8")
    how = flags(clips, tmp_path / "strange", "--valid", str(strange), "--epochs", "1")
    with pytest.raises(NothingScoredError, match="never learnt"):
        classify.main(how)


def test_the_learning_rate_falls_in_a_straight_line_to_its_floor(
    clips: Path, classify: ModuleType, tmp_path: Path
) -> None:
    classify.main(
        [
            *flags(clips, tmp_path, "--valid", str(clips / "valid.jsonl"), "--epochs", "20"),
            "--batch-size",
            "24",
        ]
    )
    rates = [float(r.data["lr"]) for r in read_records(tmp_path) if r.kind == "step"]
    assert (
        len(rates) == 20
        and rates[0] == pytest.approx(1e-2)
        and rates[-1] == pytest.approx(1e-5 + 999e-5 / 20)
    )
    falls = [a - b for a, b in pairwise(rates)]
    assert all(fall == pytest.approx(falls[0]) for fall in falls)


def test_a_class_whose_clips_cannot_be_read_is_told_before_training(
    clips: Path, classify: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "bad.wav").write_text("no sound")
    train = rewritten(
        clips,
        tmp_path / "train.jsonl",
        {"audio_filepath": str(tmp_path / "bad.wav"), "label": "zebra"},
    )
    with pytest.raises(ValueError, match="there is none of 'zebra'"):
        classify.main(
            flags(
                clips,
                tmp_path / "run",
                "--train",
                str(train),
                "--valid",
                str(clips / "valid.jsonl"),
            )
        )
    assert not (tmp_path / "run" / "records.jsonl").exists()


def rewritten(
    clips: Path,
    out: Path,
    *more: dict[str, Any],
    keep: Callable[[dict[str, Any]], bool] = lambda row: True,
) -> Path:
    rows = [
        json.loads(line)
        for line in (clips / "train.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    rows = [
        {**row, "audio_filepath": str(clips / row["audio_filepath"])} for row in rows if keep(row)
    ] + list(more)
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return out


def test_bad_files_and_unknown_labels_are_named_and_the_run_goes_on(
    clips: Path, classify: ModuleType, tmp_path: Path
) -> None:
    def bad(folder: Path) -> list[dict[str, Any]]:
        folder.mkdir()
        (folder / "empty.wav").write_bytes(b"")
        (folder / "text.wav").write_text("no sound")
        soundfile.write(folder / "none.wav", torch.zeros(0).numpy(), 8000)
        return [
            {"audio_filepath": str(folder / name), "label": "low"}
            for name in ("empty.wav", "text.wav", "none.wav", "gone.wav")
        ]

    zebra = {"audio_filepath": str(clips / "a9.wav"), "label": "zebra"}
    train = rewritten(clips, tmp_path / "train.jsonl", *bad(tmp_path / "a"))
    valid = rewritten(
        clips, tmp_path / "valid.jsonl", *bad(tmp_path / "b"), zebra, keep=lambda row: False
    )
    out = tmp_path / "run"
    with pytest.raises(NothingScoredError, match=r"all 5 were skipped"):
        classify.main(
            flags(clips, out, "--train", str(train), "--valid", str(valid), "--epochs", "1")
        )
    told = "\n".join(
        "\n".join(r.data["ids"])
        for r in read_records(out)
        if r.kind == "event" and r.data["reason"] == "unreadable"
    )
    assert all(name in told for name in ("empty.wav", "text.wav", "none.wav", "gone.wav"))
    scores = json.loads((out / "test" / "scores.json").read_text(encoding="utf-8"))
    assert (
        scores["accuracy"] is None
        and len(scores["skipped"]) == 5
        and "'zebra'" in scores["skipped"][4]["reason"]
    )


def test_one_class_no_label_and_leaks_are_refused_before_training(
    clips: Path, classify: ModuleType, tmp_path: Path
) -> None:
    one = rewritten(clips, tmp_path / "one.jsonl", keep=lambda row: row["label"] == "low")
    none = rewritten(clips, tmp_path / "none.jsonl", {"audio_filepath": str(clips / "a9.wav")})
    for train, told in ((one, "two classes"), (none, "none.jsonl:25: expected a label")):
        with pytest.raises(ValueError, match=told):
            classify.main(flags(clips, tmp_path / "run", "--train", str(train)))
    with pytest.raises(LeakError, match="share 24 recordings"):
        classify.main(flags(clips, tmp_path / "run", "--valid", str(clips / "train.jsonl")))
    assert not (tmp_path / "run" / "records.jsonl").exists()


def test_the_command_line_evaluates_a_classifier(
    run: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        cli(["evaluate", str(run / "best.pt"), str(clips / "valid.jsonl"), "--out", str(tmp_path)])
        == 0
    )
    assert "accuracy" in capsys.readouterr().out
    a, b = (
        json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        for folder in (tmp_path, run / "test")
    )
    assert a == b
    # What was found is a manifest too: other files of the same network run on the same clips.
    assert (
        cli(
            [
                "evaluate",
                str(run / "best.pt"),
                str(run / "test" / "predictions.jsonl"),
                "--out",
                str(tmp_path / "again"),
            ]
        )
        == 0
    )
    assert json.loads((tmp_path / "again" / "scores.json").read_text(encoding="utf-8")) == a


def test_the_command_line_prints_the_card_of_a_trained_classifier(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["card", str(run / "best.pt"), "--runs", "2", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["kind"] == "classifier" and card["network"] == "mel 20, 3 conv 8-8-8, 0.3 s"
    assert cli(["card", str(run / "best.pt"), "--runs", "2"]) == 0
    page = capsys.readouterr().out
    assert "8-8-8" in page and "0.3 s" in page


@pytest.mark.parametrize("to", ["onnx", "litert"])
def test_the_command_line_exports_runs_and_compares(
    to: str, run: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(
        "onnxruntime" if to == "onnx" else "litert_torch", reason=f"needs the extra {to}"
    )
    done = cli(
        [
            "export",
            str(run / "best.pt"),
            "--to",
            to,
            "--out",
            str(tmp_path),
            "--test",
            str(clips / "valid.jsonl"),
            "--calibrate",
            str(clips / "train.jsonl"),
            "--against",
            str(run / "last.pt"),
        ]
    )
    page = capsys.readouterr().out
    assert (
        done == 0
        and "int8 static: " in page
        and "than the reference" in page
        and "1 kB = 1000 bytes" in page
    )
    report = json.loads((tmp_path / f"classifier_{to}.json").read_text(encoding="utf-8"))
    assert [f["precision"] for f in report["files"]] == ["float32", "int8 dynamic", "int8 static"]
    assert report["files"][0]["agreement"] == 1.0 and all(
        f["clips"] == 6 and f["zipped_bytes"] > 0 for f in report["files"]
    )
    suffix = "onnx" if to == "onnx" else "tflite"
    assert len(list(tmp_path.glob(f"classifier*.{suffix}"))) == 3


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--speeds", "fast"], "--speeds: expected numbers above 0"),
        (["--noise", "nowhere"], "nowhere: expected a folder of recordings of noise"),
        (["--net", "nonsense"], "expected a preset"),
        (["--train", "gone.jsonl"], "gone.jsonl: expected a manifest"),
    ],
)
def test_what_the_recipe_cannot_follow_is_a_sentence(
    flags: list[str],
    sentence: str,
    clips: Path,
    tmp_path: Path,
    classify: ModuleType,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--train", str(clips / "train.jsonl"), "--valid", str(clips / "valid.jsonl")]
    words += ["--out", str(tmp_path), *flags]
    assert run_cli(lambda: classify.main(words)) == FAILED
    error = capsys.readouterr().err
    assert error.startswith("ctcasr: ") and sentence in error
