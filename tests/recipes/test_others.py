"""The other recipes and the sweep run for a few steps and leave what they promise."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ctcasr import checkpoint
from ctcasr.commands.train import load_recipe
from ctcasr.data import read_manifest

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_learns_from_synthesised_voices_and_shows_what_it_heard(
    tones: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("espeakng_loader")
    demo = load_recipe("demo")
    from ctcasr.data.synth import SynthSettings

    monkeypatch.setattr(demo, "SynthSettings", lambda: SynthSettings(train=24, test=6))
    demo.main(
        [
            f"--out={tmp_path / 'demo'}",
            "--net",
            str(tones.net),
            "--epochs",
            "1",
            "--device",
            "cpu",
        ]
    )
    told = capsys.readouterr().out
    assert "valid: WER" in told and told.count("  said ") == 6
    voices = [
        {
            json.loads(line)["speaker"]
            for line in (tmp_path / "demo" / "corpus" / f"{part}.jsonl").open(encoding="utf-8")
        }
        for part in ("train", "test")
    ]
    assert not voices[0] & voices[1]


def test_the_plateau_recipe_measures_every_kind_of_cure_and_keeps_what_it_has(
    tones: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plateau = load_recipe("blank_plateau")
    arms = ["plain", "label priors", "CR-CTC", "EnCTC", "blank penalty in decoding", "SortaGrad"]
    flags = [
        "--train",
        str(tones.train),
        "--valid",
        str(tones.valid),
        "--net",
        str(tones.net),
        "--out",
        str(tmp_path),
        "--epochs",
        "1",
        "--seeds",
        "1",
        "--batch-size",
        "4",
        "--device",
        "cpu",
        "--arms",
        ",".join(arms),
    ]
    plateau.main(flags)
    results = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in tmp_path.glob("*/result.json")
    }
    assert len(results) == len(arms) and all(
        r["wer"] >= 0 and len(r["curve"]) == 1 for r in results.values()
    )
    assert (tmp_path / "plateau.png").stat().st_size > 0
    before = capsys.readouterr().out
    plateau.main(flags)  # a second call trains nothing again
    assert "released at step" in before and "released at step" not in capsys.readouterr().out


def test_judges_are_one_recogniser_on_clean_and_one_on_noisy_speech(
    tones: Any, tmp_path: Path
) -> None:
    judges = load_recipe("judges")
    noise = tmp_path / "noise.jsonl"
    lines = [
        {
            "audio_filepath": str(tones.folder / f"tone{20 + k}.wav"),
            "duration": 0.3,
            "label": f"kind{k}",
        }
        for k in range(3)
    ]
    noise.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    judges.main(tones.flags(tmp_path / "judges", "--noise", str(noise), "--epochs", "1"))
    seen = [
        set(checkpoint.load(tmp_path / "judges" / name / "best.pt")["notes"]["heard"]["files"])
        for name in ("r1", "r2")
    ]
    assert seen[0] < seen[1]  # R2 has heard the noises as well
    parts = [
        read_manifest(tmp_path / "judges" / f"{name}.jsonl").utterances for name in ("train", "dev")
    ]
    assert [len(part) for part in parts] == [16, 4] and not {u.id for u in parts[0]} & {
        u.id for u in parts[1]
    }
    said = {
        name: checkpoint.load(tmp_path / "judges" / name / "best.pt")["notes"]["settings"]
        for name in ("r1", "r2")
    }
    assert all("dev.jsonl" in text for text in said.values())  # both select by the same sentences


@pytest.fixture(scope="module")
def sweep() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "sweep_tool", ROOT / "tools" / "study" / "sweep.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_a_range_test_raises_the_rate_over_four_decades(
    sweep: ModuleType, tones: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep.main(["range", *tones.flags(tmp_path / "range", "--epochs", "6")])
    rates = [
        json.loads(line)["lr"]
        for line in (tmp_path / "range" / "records.jsonl").open(encoding="utf-8")
        if '"kind": "step"' in line
    ]
    assert rates == sorted(rates) and rates[-1] > 3e3 * rates[0]
    assert "loss was" in capsys.readouterr().out


def test_a_grid_is_one_table_of_all_combinations(
    sweep: ModuleType, tones: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep.main(
        [
            "grid",
            "lr=1e-3,1e-2",
            "order=shuffle,sorted",
            "--",
            *tones.flags(tmp_path / "grid", "--epochs", "1"),
        ]
    )
    told = capsys.readouterr().out
    assert "4 runs in" in told and len(list((tmp_path / "grid").glob("*/best.pt"))) == 4
