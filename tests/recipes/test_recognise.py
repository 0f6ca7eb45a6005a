"""The recipe from manifest to word error rate: tones, bad input, resumed, real recordings."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.cli import main as cli
from ctcasr.ctc.batch import prepare
from ctcasr.data import read_manifest
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec
from ctcasr.records import EpochRecord, EventRecord, Reason, read_records
from ctcasr.seq import Seq
from ctcasr.text import Alphabet, UncoveredText
from ctcasr.train import RunFolderError, TrainingError, World
from ctcasr.train.settings import parse
from ctcasr.word_times import Believed

ROOT = Path(__file__).resolve().parents[2]


def events(out: Path, reason: Reason) -> str:
    return "\n".join(
        "\n".join(record.ids)
        for record in read_records(out)
        if isinstance(record, EventRecord) and record.reason is reason
    )


def last_reason(out: Path) -> Reason:
    record = read_records(out)[-1]
    assert isinstance(record, EventRecord)
    return record.reason


@pytest.fixture(autouse=True)
def _no_plots(recognise: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take longer than these trainings; the run of the fixture `trained` has drawn them."""

    def absent(*results: object) -> str:
        return "not drawn in this test"

    monkeypatch.setattr(recognise, "draw_results", absent)


# the road -------------------------------------------------------------------------------------


def test_the_run_directory_holds_all_that_was_promised(trained: Path) -> None:
    assert {"best.pt", "last.pt", "settings.toml", "records.jsonl", "valid", "plots"} <= {
        p.name for p in trained.iterdir()
    }
    assert {p.name for p in (trained / "valid").iterdir()} == {
        "scores.json",
        "hypotheses.jsonl",
        "alignments.txt",
    }
    scores = json.loads((trained / "valid" / "scores.json").read_text(encoding="utf-8"))
    assert (
        scores["utterances"] == 6
        and scores["wer"] >= 0
        and scores["cer"] >= 0
        and scores["skipped"] == []
    )
    rows = [
        json.loads(line)
        for line in (trained / "valid" / "hypotheses.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    ]
    assert sum(r["total"] for r in rows) == scores["words"]["total"] and len(rows) == 6
    assert last_reason(trained) is Reason.FINISHED
    assert Recogniser.load(trained / "best.pt").notes["recipe"] == "recognise"


def test_the_score_is_made_where_the_training_was(
    trained: Path, recognise: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = recognise.parse(
        recognise.Settings, ["--from", str(trained / "settings.toml")], prog="recognise"
    )
    devices: list[str | torch.device] = []
    load = Recogniser.load_checkpoint

    def noted(path: Path, device: str | torch.device = "nowhere") -> Recogniser:
        devices.append(device)
        return load(path, device)

    monkeypatch.setattr(Recogniser, "load_checkpoint", noted)
    recognise.report(dataclasses.replace(settings, out=str(trained), valid=""), [], [])
    assert devices == [torch.device("cpu")]


def test_settings_toml_repeats_the_run(
    trained: Path, recognise: ModuleType, tmp_path: Path
) -> None:
    recognise.main(["--from", str(trained / "settings.toml"), "--out", str(tmp_path / "again")])
    a, b = (checkpoint.load(out / "last.pt") for out in (trained, tmp_path / "again"))
    assert a["network"].keys() == b["network"].keys() and all(
        torch.equal(a["network"][k], b["network"][k]) for k in a["network"]
    )


def test_doubted_texts_are_told_and_their_believed_words_learnt(
    tones: Any,
    recognise: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def believed(utterances: list[Any], tokenizer: Any, rate_hz: int) -> Believed:
        assert rate_hz == 8000
        learnt.extend(dataclasses.replace(line, text="ccc") for line in utterances)
        return Believed(tuple(learnt), words=30, changed=3)

    learnt: list[Any] = []
    heard: list[str] = []
    spliced = recognise.spliced_corpus

    def listen_in(utterances: list[Any], *arguments: Any, **options: Any) -> Any:
        heard.extend(line.text for line in utterances)
        return spliced(utterances, *arguments, **options)

    monkeypatch.setattr(recognise, "believed_texts", believed)
    monkeypatch.setattr(recognise, "spliced_corpus", listen_in)
    recognise.main(tones.flags(tmp_path, "--epochs", "1", "--doubt"))
    assert "3 of 30 words are believed to be others (10.0%)" in capsys.readouterr().out
    assert len(learnt) == 20 and set(heard) == {"ccc"} and len(heard) == 16


def test_another_alphabet_starts_from_a_checkpoint(
    trained: Path,
    tones: Any,
    recognise: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recognise.main(
        tones.flags(
            tmp_path, "--epochs", "1", "--text", "english29", "--init", str(trained / "best.pt")
        )
    )
    page = capsys.readouterr().out
    assert "body.head.layers.0.weight: symbol by symbol, 28 of 29" in page
    assert 'fresh: "\'"' in page  # the apostrophe, which the 38 symbols lack
    assert "body.rnn" not in page
    assert Recogniser.load(tmp_path / "best.pt").tokenizer.size == 29


def test_hiss_is_made_at_the_rate_of_the_network_and_can_be_none(recognise: ModuleType) -> None:
    settings = recognise.Settings(train="t.jsonl")
    samples = Seq.stack([torch.ones(800)] * 8, rate=8000)
    narrow, wide = (
        recognise.augmentation(settings, rate_hz).sound(samples, range(8)).data
        for rate_hz in (8000, 16000)
    )
    assert not torch.equal(narrow, wide)
    plain = recognise.augmentation(dataclasses.replace(settings, hiss="none"), 8000)
    assert torch.equal(plain.sound(samples, range(8)).data, samples.data)


def test_epochs_are_counted_in_optimiser_steps_however_many_batches_one_has(
    tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    settings = parse(
        recognise.Settings, tones.flags(tmp_path, "--accumulate", "2", "--augment-from", "3")
    )
    parts = recognise.prepare(settings, World())
    assert parts.task.augment_from == 3 * math.ceil(len(parts.train) / 2)


@pytest.mark.parametrize("norm", ["zca", "utterance-zca", "lifted-mean", "corpus"])
def test_corpus_statistics_are_measured_and_stored(
    norm: str, tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    net = tmp_path / "net.toml"
    net.write_text(tones.net.read_text(encoding="utf-8") + f'norm = "{norm}"\n', encoding="utf-8")
    recognise.main(tones.flags(tmp_path / "run", "--epochs", "1", "--net", str(net)))
    assert not Recogniser.load(tmp_path / "run" / "best.pt").model.front.needs_statistics


@pytest.mark.parametrize(
    "flags",
    [
        ["--optimiser", "sgd", "--schedule", "cosine", "--accumulate", "2"],
        [
            "--optimiser",
            "rmsprop",
            "--schedule",
            "exponential",
            "--order",
            "shuffle",
            "--no-augment",
        ],
        ["--schedule", "plateau", "--order", "sorted", "--digits", "spell"],
        ["--text", "pieces:39"],
        ["--text", "words:2", "--warp", "0.1", "--masks", "3,0.1,1,0.2", "--average", "0.9"],
        ["--consistency", "0.2", "--consistency-ramp", "0.5", "--augment-from", "0"],
        ["--splice", "0.7", "--epochs", "2"],
    ],
)
def test_the_settings_on_offer_run(
    flags: list[str], tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    recognise.main(tones.flags(tmp_path, "--epochs", "1", *flags))
    assert last_reason(tmp_path) is Reason.FINISHED


def test_a_budget_chooses_the_epochs(tones: Any, recognise: ModuleType, tmp_path: Path) -> None:
    flags = tones.flags(tmp_path)
    place = flags.index("--epochs")
    del flags[place : place + 2]
    recognise.main([*flags, "--budget", "0.5s"])
    assert last_reason(tmp_path) is Reason.FINISHED


def test_noise_and_rooms_are_heard_in_training(
    tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    for name in ("noise", "rooms"):
        rng = np.random.default_rng(0)
        soundfile.write(
            tmp_path / f"{name}.wav",
            0.1 * rng.standard_normal(4000) * np.exp(-np.arange(4000) / 500),
            8000,
        )
        line = {"audio_filepath": f"{name}.wav", "duration": 0.5}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    losses = []
    for flags in (
        [],
        ["--noise", str(tmp_path / "noise.jsonl"), "--rooms", str(tmp_path / "rooms.jsonl")],
    ):
        out = tmp_path / f"run{len(flags)}"
        recognise.main(
            tones.flags(out, "--epochs", "1", "--augment-from", "0", "--no-augment", *flags)
        )
        losses.append([r.data["loss"] for r in read_records(out) if r.kind == "step"])
    assert losses[0] != losses[1] and np.isfinite(losses).all()


# the command ----------------------------------------------------------------------------------


def test_the_command_trains_transcribes_and_evaluates(
    tones: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, scores = tmp_path / "run", tmp_path / "scores"
    assert cli(["train", "recognise", *tones.flags(run, "--epochs", "1")]) == 0
    capsys.readouterr()
    files = [str(tones.folder / f"tone{k:02d}.wav") for k in (20, 21)]
    assert cli(["transcribe", str(run / "best.pt"), *files, "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [f["audio_filepath"] for f in found] == files and all(
        isinstance(f["text"], str) for f in found
    )
    assert cli(["evaluate", str(run / "best.pt"), str(tones.valid), "--out", str(scores)]) == 0
    page = capsys.readouterr().out
    wer = json.loads((scores / "scores.json").read_text(encoding="utf-8"))["wer"]
    assert f"WER {100 * wer:.2f} %" in page and "6 utterances, 0 skipped" in page


def test_the_command_tells_what_is_wrong_in_a_sentence(
    trained: Path, tones: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = str(tones.folder / "tone20.wav")
    for argv, told in (
        (["train", "recognise", "--train", str(tmp_path / "none.jsonl")], "none.jsonl"),
        (["transcribe", str(tmp_path / "none.pt"), good], "expected a checkpoint"),
        (["transcribe", str(trained / "best.pt"), str(tmp_path / "none.wav"), good], "none.wav"),
        (
            ["evaluate", good, str(tones.valid), "--out", str(tmp_path / "s")],
            "expected a ctcasr checkpoint",
        ),
    ):
        assert cli(argv) == 1
        page = capsys.readouterr()
        assert told in page.err and "Traceback" not in page.err
    assert cli(["transcribe", str(trained / "best.pt"), str(tmp_path / "none.wav"), good]) == 1
    assert good in capsys.readouterr().out  # the file that can be read is read


# bad input ------------------------------------------------------------------------------------


def _bad_files(
    folder: Path, sound: Callable[[str, int], torch.Tensor]
) -> dict[str, dict[str, Any]]:
    """Files that must be skipped, by name, with their manifest lines."""
    good = sound("abc", 1).numpy()
    soundfile.write(folder / "good.wav", good, 8000, subtype="PCM_16")
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("this is no sound\n" * 40, encoding="utf-8")
    (folder / "truncated.wav").write_bytes((folder / "good.wav").read_bytes()[:3000])
    soundfile.write(folder / "whole.flac", np.tile(good, 20), 8000)
    (folder / "truncated.flac").write_bytes((folder / "whole.flac").read_bytes()[:4000])
    broken = good.copy()
    broken[100] = np.nan
    soundfile.write(folder / "nan.wav", broken, 8000, subtype="FLOAT")
    lines = {
        name: {"duration": 0.36, "text": "abc"}
        for name in (
            "missing.wav",
            "empty.wav",
            "text.wav",
            "truncated.wav",
            "truncated.flac",
            "nan.wav",
        )
    }
    lines["good.wav"] = {"duration": 5.0, "text": "abc"}  # wrong duration
    return {name: {"audio_filepath": str(folder / name), **line} for name, line in lines.items()}


def _odd_files(folder: Path, sound: Callable[[str, int], torch.Tensor]) -> list[dict[str, Any]]:
    """Files that are unusual but no error."""
    good = sound("abc", 2).numpy()
    soundfile.write(folder / "stereo.wav", np.stack((good, good), 1), 8000)
    soundfile.write(folder / "silence.wav", np.zeros(4000), 8000)
    soundfile.write(folder / "fast.wav", np.repeat(good, 2), 16000)
    soundfile.write(folder / "sample.wav", good[:1], 8000)  # no frame for its text: infeasible
    soundfile.write(folder / "short.wav", good[:150], 8000)  # shorter than the stride
    lines = [
        ("stereo.wav", "abc"),
        ("silence.wav", ""),
        ("silence.wav", "ab"),
        ("fast.wav", "abc"),
        ("sample.wav", "abc"),
        ("short.wav", "abc"),
        ("stereo.wav", "abc ж"),
        ("stereo.wav", "жжж"),
        ("stereo.wav", "   "),
    ]
    return [{"audio_filepath": str(folder / name), "text": text} for name, text in lines]


@pytest.mark.parametrize("batch_size", [1, 4])
def test_bad_files_in_a_corpus_are_named_and_training_goes_on(
    batch_size: int,
    tones: Any,
    recognise: ModuleType,
    make_sound: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad, odd = _bad_files(tmp_path, make_sound), _odd_files(tmp_path, make_sound)
    lines = [
        {
            **json.loads(line),
            "audio_filepath": str(tones.folder / json.loads(line)["audio_filepath"]),
        }
        for line in tones.train.read_text(encoding="utf-8").splitlines()[:6]
    ]
    manifest = tmp_path / "mixed.jsonl"
    manifest.write_text(
        "".join(json.dumps(line) + "\n" for line in [*lines, *bad.values(), *odd]), encoding="utf-8"
    )
    out = tmp_path / "run"
    recognise.main(
        tones.flags(
            out,
            "--epochs",
            "1",
            "--train",
            str(manifest),
            "--dev",
            str(tones.valid),
            "--batch-size",
            str(batch_size),
        )
    )
    unreadable, infeasible = events(out, Reason.UNREADABLE), events(out, Reason.INFEASIBLE)
    for number, name in enumerate(bad, start=7):
        assert f"mixed.jsonl:{number}:" in unreadable and name in unreadable, name
    assert "жжж" in events(out, Reason.TEXT_UNCOVERED) and "жжж" not in unreadable
    assert (
        "sample" in infeasible and "short" in infeasible and "cannot spell 3 symbols" in infeasible
    )
    assert len(unreadable.splitlines()) == len(bad) and len(infeasible.splitlines()) == 2
    assert "ж" in capsys.readouterr().out  # the coverage report
    assert last_reason(out) is Reason.FINISHED
    assert all(
        bool(torch.isfinite(t).all()) for t in checkpoint.load(out / "last.pt")["network"].values()
    )


def test_bad_files_in_the_dev_and_valid_parts_are_named_too(
    tones: Any, recognise: ModuleType, make_sound: Any, tmp_path: Path
) -> None:
    bad = _bad_files(tmp_path, make_sound)
    good = {"audio_filepath": str(tones.folder / "tone20.wav"), "text": "abc"}
    manifest = tmp_path / "mixed.jsonl"
    manifest.write_text(
        "".join(json.dumps(line) + "\n" for line in [good, *bad.values(), {**good, "text": None}]),
        encoding="utf-8",
    )
    out = tmp_path / "run"
    recognise.main(
        tones.flags(out, "--epochs", "1", "--dev", str(manifest), "--valid", str(manifest))
    )
    scores = json.loads((out / "valid" / "scores.json").read_text(encoding="utf-8"))
    assert scores["utterances"] == 1 and len(scores["skipped"]) == len(bad) + 1
    assert {skip["where"] for skip in scores["skipped"]} == {
        f"mixed.jsonl:{n}" for n in range(2, 10)
    }
    told = events(out, Reason.UNREADABLE)
    assert all(name in told for name in bad)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"audio_filepath": "a.wav", "text": "a"', r"train\.jsonl:3: .*column"),
        ("[1, 2]", r"train\.jsonl:3: .*JSON object"),
        ('{"text": "a"}', r"train\.jsonl:3: .*audio_filepath"),
        ('{"audio_filepath": "a.wav", "duration": -1}', r"train\.jsonl:3: .*duration"),
    ],
)
def test_a_broken_line_is_told_with_its_number(
    line: str, told: str, tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    rows = tones.train.read_text(encoding="utf-8").splitlines()
    (tmp_path / "train.jsonl").write_text(
        "\n".join([*rows[:2], line, *rows[2:]]) + "\n", encoding="utf-8"
    )
    with pytest.raises(ValueError, match=told):
        recognise.main(tones.flags(tmp_path / "run", "--train", str(tmp_path / "train.jsonl")))


def test_a_corpus_of_which_nothing_can_be_read_is_an_error(
    tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    rows = [{"audio_filepath": f"none{k}.wav", "duration": 0.5, "text": "abc"} for k in range(9)]
    (tmp_path / "train.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )
    with pytest.raises((TrainingError, ValueError), match=r"none\d\.wav"):
        recognise.main(
            tones.flags(
                tmp_path / "run",
                "--train",
                str(tmp_path / "train.jsonl"),
                "--dev",
                str(tones.valid),
            )
        )


def test_strict_text_is_refused_before_training(
    tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in tones.train.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["audio_filepath"] = str(tones.folder / row["audio_filepath"])
    rows[13]["text"] += " ж"
    (tmp_path / "train.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )
    with pytest.raises(UncoveredText, match="ж"):
        recognise.main(
            tones.flags(tmp_path / "run", "--train", str(tmp_path / "train.jsonl"), "--strict")
        )
    assert not (tmp_path / "run" / "records.jsonl").exists()


# stopped and resumed --------------------------------------------------------------------------


def start(flags: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ctcasr.cli", "train", "recognise", *flags],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def steps_told(out: Path, process: subprocess.Popen[bytes], least: int) -> None:
    """Wait until so many steps are in the records, or the process has ended."""
    file = out / "records.jsonl"
    while process.poll() is None and (
        not file.exists() or file.read_text(encoding="utf-8").count('"kind": "step"') < least
    ):
        time.sleep(0.01)


def stopped(tones: Any, out: Path, least: int, number: int, delay_s: float = 0.0) -> int:
    process = start(tones.flags(out, "--epochs", "4", "--save-every-s", "0"))
    try:
        steps_told(out, process, least)
        time.sleep(delay_s)
        process.send_signal(number)
        process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    return process.returncode


@pytest.fixture(scope="module")
def reference(tones: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of four epochs that nobody stopped, with as many threads as those that are.

    Where words are cut, sums of other threads may shift by a frame; who goes on keeps the cuts.
    """
    out = tmp_path_factory.mktemp("reference")
    process = start(tones.flags(out, "--epochs", "4"))
    process.communicate(timeout=120)
    assert process.returncode == 0
    return out


def resumed_equals(reference: Path, out: Path, recognise: ModuleType, tones: Any) -> None:
    recognise.main(tones.flags(out, "--epochs", "4", "--resume"))
    for name in ("last.pt", "best.pt"):
        a, b = checkpoint.load(reference / name)["network"], checkpoint.load(out / name)["network"]
        assert all(torch.equal(a[key], b[key]) for key in a), name
    checks = [
        [(r.step, r.data["loss"], r.data["wer"]) for r in read_records(run) if r.kind == "check"]
        for run in (reference, out)
    ]
    assert checks[0] == checks[1]
    assert [p.name for p in out.iterdir() if p.name.endswith(".part")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")
def test_ctrl_c_saves_and_the_run_goes_on_to_the_bit(
    tones: Any, recognise: ModuleType, reference: Path, tmp_path: Path
) -> None:
    assert stopped(tones, tmp_path, 6, signal.SIGINT) == 130
    assert last_reason(tmp_path) is Reason.INTERRUPTED
    resumed_equals(reference, tmp_path, recognise, tones)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")
@pytest.mark.parametrize("seed", range(20))
def test_a_killed_run_goes_on_to_the_bit(
    seed: int, tones: Any, recognise: ModuleType, reference: Path, tmp_path: Path
) -> None:
    draw = random.Random(seed)
    stopped(tones, tmp_path, draw.randrange(2, 16), signal.SIGKILL, draw.random() * 0.1)
    resumed_equals(reference, tmp_path, recognise, tones)


# real recordings ------------------------------------------------------------------------------


def few(data_root: Path, name: str, count: int, out: Path) -> Path:
    """A manifest of some lines of a real one, spread over it, with absolute paths."""
    lines = [u for u in read_manifest(data_root / name).utterances if u.text]
    rows = [
        {
            "audio_filepath": str(u.audio_filepath.resolve()),
            "duration": u.duration,
            "text": u.text,
            "speaker": u.speaker,
        }
        for u in lines[:: max(1, len(lines) // count)][:count]
    ]
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return out


@pytest.mark.parametrize(
    ("train", "valid"),
    [
        ("grid_s1/train.jsonl", "grid_s1/valid.jsonl"),
        ("fsdd/train.jsonl", "fsdd/test.jsonl"),
        ("speech_commands/train.jsonl", "speech_commands/valid.jsonl"),
        ("librispeech_samples/train.jsonl", "librispeech_samples/valid.jsonl"),
    ],
)
def test_real_recordings_without_a_code_change(
    train: str, valid: str, data_root: Path, tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    flags = tones.flags(
        tmp_path / "run",
        "--epochs",
        "1",
        "--train",
        str(few(data_root, train, 10, tmp_path / "train.jsonl")),
        "--valid",
        str(few(data_root, valid, 2, tmp_path / "valid.jsonl")),
    )
    recognise.main(flags)
    scores = json.loads((tmp_path / "run" / "valid" / "scores.json").read_text(encoding="utf-8"))
    assert scores["utterances"] == 2 and scores["skipped"] == [] and scores["wer"] > 0
    assert events(tmp_path / "run", Reason.UNREADABLE) == ""


def test_clips_of_the_digits_that_cannot_be_spelt_at_stride_four(data_root: Path) -> None:
    spec, alphabet = read_spec("default"), Alphabet.english38()
    model = build(spec, alphabet.size)
    utterances = read_manifest(data_root / "fsdd" / "train.jsonl").utterances
    rate = spec.front.rate_hz
    frames = [
        model.frames(round(soundfile.info(u.audio_filepath).frames * rate / 8000))
        for u in utterances
    ]
    tokens = [alphabet.encode(u.text or "") for u in utterances]
    lacking = [
        t < len(s) + sum(a == b for a, b in pairwise(s))
        for t, s in zip(frames, tokens, strict=True)
    ]
    assert model.frame_s == pytest.approx(0.04) and len(utterances) == 1800 and sum(lacking) == 2
    # Six have too few whole strides of 40 ms; the padding at both ends gives four a frame more.
    whole = [soundfile.info(u.audio_filepath).frames // 320 for u in utterances]
    assert (
        sum(
            t < len(s) + sum(a == b for a, b in pairwise(s))
            for t, s in zip(whole, tokens, strict=True)
        )
        == 6
    )
    # The loss's own arithmetic agrees.
    rows = [i for i, bad in enumerate(lacking) if bad] + [
        i for i, bad in enumerate(lacking) if not bad
    ][:6]
    targets = torch.tensor([token for i in rows for token in tokens[i]])
    times = [frames[i] for i in rows]
    problem = prepare(
        torch.zeros(len(rows), max(times), alphabet.size),
        targets,
        times,
        [len(tokens[i]) for i in rows],
        0,
    )
    assert [slack < 0 for slack in problem.slack] == [True] * 2 + [False] * 6


def test_settings_are_one_frozen_dataclass_with_help_texts(recognise: ModuleType) -> None:
    fields = dataclasses.fields(recognise.Settings)
    assert all(field.metadata.get("help") for field in fields)
    with pytest.raises(dataclasses.FrozenInstanceError):
        recognise.Settings(train="m.jsonl").lr = 1.0


# one run in a folder --------------------------------------------------------------------------


def test_a_second_run_is_refused_before_anything_is_touched(
    trained: Path, tones: Any, recognise: ModuleType
) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    with pytest.raises(RunFolderError, match=r"--resume.*--overwrite.*--out"):
        recognise.main(tones.flags(trained, "--text", "english29"))
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


def test_overwriting_takes_the_old_scores_with_the_old_weights(
    tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    recognise.main(tones.flags(tmp_path, "--epochs", "1", "--valid", str(tones.valid)))
    assert (tmp_path / "valid" / "scores.json").is_file()
    recognise.main(tones.flags(tmp_path, "--epochs", "1", "--lr", "1e-4", "--overwrite"))
    assert not (tmp_path / "valid").exists()
    assert "lr = 0.0001" in (tmp_path / "settings.toml").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")
def test_two_runs_at_once_into_one_folder_are_one_and_a_refusal(
    tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    process = start(tones.flags(tmp_path, "--epochs", "400"))
    try:
        steps_told(tmp_path, process, 1)
        with pytest.raises(RunFolderError, match=rf"process {process.pid} .* is training"):
            recognise.main(tones.flags(tmp_path, "--epochs", "1", "--overwrite"))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        # The lock of the killed process is nobody's.
        recognise.main(tones.flags(tmp_path, "--epochs", "1", "--overwrite"))
    finally:
        process.kill()
        process.wait()
    assert last_reason(tmp_path) is Reason.FINISHED
    assert not (tmp_path / "run.lock").exists()


def test_pieces_on_resume_are_those_of_the_run_though_the_manifest_has_others_now(
    tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    train = tmp_path / "train.jsonl"
    rows = [json.loads(line) for line in tones.train.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["audio_filepath"] = str(tones.folder / row["audio_filepath"])
    train.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    flags = tones.flags(
        tmp_path / "run", "--train", str(train), "--dev", str(tones.valid), "--text", "pieces:39"
    )
    recognise.main(flags)
    before = Recogniser.load(tmp_path / "run" / "best.pt").tokenizer
    for row in rows:
        row["text"] = row["text"].replace("a", "c")
    train.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recognise.main([*flags, "--epochs", "3", "--resume"])
    assert Recogniser.load(tmp_path / "run" / "best.pt").tokenizer == before
    with pytest.raises(RunFolderError, match="--text was 'pieces:39' and is 'english38'"):
        recognise.main([*flags, "--text", "english38", "--resume"])


def test_three_epochs_after_two_are_three(
    tones: Any, recognise: ModuleType, tmp_path: Path
) -> None:
    recognise.main(tones.flags(tmp_path, "--epochs", "2"))
    recognise.main(tones.flags(tmp_path, "--epochs", "3", "--resume"))
    ends = [record.epoch for record in read_records(tmp_path) if isinstance(record, EpochRecord)]
    assert ends == [1, 2, 3]
    assert "epochs = 3" in (tmp_path / "settings.toml").read_text(encoding="utf-8")


def test_every_recipe_tells_an_error_in_a_sentence(tmp_path: Path) -> None:
    recipes = sorted((ROOT / "recipes").glob("*.py"))
    assert recipes
    for recipe in recipes:
        source = recipe.read_text(encoding="utf-8")
        told = "raise SystemExit(run_cli(main))" in source
        assert told or "from ctcasr.cli import main" in source, recipe.name
    command = [sys.executable, str(ROOT / "recipes" / "classify.py"), "--train", "none.jsonl"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("ctcasr: ")
    assert "Traceback" not in done.stderr and "none.jsonl" in done.stderr
