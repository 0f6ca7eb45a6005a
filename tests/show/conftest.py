"""A run's records, made up: a plateau of blanks, a release, and what may befall a run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ctcasr.batch import Skip, Utterance
from ctcasr.compare.choice import Choice
from ctcasr.compare.comparison import Comparison, ComparisonSetting, compare_systems
from ctcasr.compare.hearing import Hearing
from ctcasr.compare.results import Answer, System, references_of
from ctcasr.compare.scene import Scene
from ctcasr.compare.summary import Setting, Summary, summarise
from ctcasr.compare.trial import Quality, Trial
from ctcasr.records import Record, record_from
from ctcasr.scoring.errors import ErrorRates

EPOCHS, PER_EPOCH = 6, 10


def make_run() -> Iterator[Record]:
    steps = EPOCHS * PER_EPOCH
    yield record_from(
        {
            "kind": "start",
            "step": 0,
            "network": "three layers",
            "parameters": 1234567,
            "device": "cpu",
            "epochs": EPOCHS,
            "steps": steps,
            "batches_per_epoch": PER_EPOCH,
            "train_seconds": 200.0,
            "expected_epoch_s": 12.0,
            "expected_total_s": 72.0,
            "expected_memory_bytes": 3 << 30,
            "uncovered": {"é": 3},
            "skipped": ["train.jsonl:17: not JSON"],
            "time_s": 0.0,
        }
    )
    time_s = 0.0
    for step in range(1, steps + 1):
        time_s += 1.0
        released = 1 / (1 + math.exp(-(step - 25) / 3))
        yield record_from(
            {
                "kind": "step",
                "step": step,
                "epoch": (step - 1) // PER_EPOCH,
                "loss": 80 * math.exp(-step / 20),
                "lr": 1e-3,
                "grad_norm": 2.0,
                "audio_s": 20.0,
                "step_s": 0.75,
                "wait_s": 0.25,
                "blank_mass": 0.99 - 0.4 * released,
                "blank_expected": 0.6,
                "blank_argmax": 0.97,
                "infeasible": 0,
                "time_s": time_s,
            }
        )
        if step == 7:
            yield record_from(
                {
                    "kind": "event",
                    "step": step,
                    "reason": "gradient-not-finite",
                    "message": "gradient not finite",
                    "ids": ["a", "b"],
                    "time_s": time_s,
                }
            )
            yield record_from(
                {
                    "kind": "event",
                    "step": step,
                    "reason": "infeasible",
                    "message": "2 left out: c: 3 frames cannot spell 9 ...",
                    "ids": ["c: 3 frames cannot spell 9", "d: 1 frame cannot"],
                    "time_s": time_s,
                }
            )
        if step % PER_EPOCH == 0:
            wer = 1.0 - 0.95 * released
            yield record_from(
                {
                    "kind": "check",
                    "step": step,
                    "epoch": step // PER_EPOCH,
                    "loss": 90 * math.exp(-step / 20),
                    "wer": wer,
                    "cer": wer / 2,
                    "samples": [
                        {
                            "id": f"u{i}",
                            "reference": "bin [red] at f two",
                            "hypothesis": "bin red f two two",
                        }
                        for i in range(3)
                    ],
                    "report": {},
                    "verdict": {"state": "learning", "causes": []},
                    "best": True,
                    "time_s": time_s,
                }
            )
            yield record_from(
                {
                    "kind": "epoch",
                    "step": step,
                    "epoch": step // PER_EPOCH,
                    "train_loss": 1.0,
                    "seconds": 9.0,
                    "time_s": time_s,
                }
            )
    yield record_from(
        {
            "kind": "event",
            "step": steps,
            "reason": "finished",
            "message": "60 steps",
            "ids": [],
            "time_s": time_s,
        }
    )


@pytest.fixture
def records() -> list[Record]:
    return list(make_run())


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[[list[Record]], Path]:
    def write(lines: list[Record]) -> Path:
        rows = [json.dumps(line.as_json()) for line in lines]
        (tmp_path / "records.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def cause() -> dict[str, Any]:
    return {"slug": "rate-too-high", "evidence": "ratio 0.4", "cure": "a tenth of it", "step": 20}


@pytest.fixture
def trial() -> Trial:
    """Two judges hear twelve scenes; the enhanced ones have fewer errors, and one is missing."""
    trial = Trial(skipped=[Skip("scenes.jsonl:99", "unreadable <noise>")])
    for k in range(12):
        snr = "0 to 5 dB" if k % 2 else "-5 to 0 dB"
        scene = Scene(
            noisy=Utterance(Path(f"s{k:02d}.wav")),
            clean=Path("clean.wav"),
            interferer=None,
            text="bin blue at f two now",
            source=f"sentence {k}",
            snr_db=2.5 if k % 2 else -2.5,
            strata=(("snr", snr), ("noise", "babble" if k < 6 else "street")),
        )
        for judge in ("first", "second"):
            for condition, hypothesis in (
                ("clean", scene.text),
                ("noisy", "bin blew at f too now" if k % 3 else "bin blew it at two"),
                ("enhanced", "bin blue at f you now"),
            ):
                errors = ErrorRates.of(scene.text, hypothesis)
                hearing = Hearing(
                    scene, judge, condition, "ok", hypothesis=hypothesis, errors=errors
                )
                if k == 0 and condition == "enhanced":
                    hearing = Hearing(scene, judge, condition, "missing", reason="no file")
                trial.hearings.append(hearing)
        for condition, si_sdr_db in (("noisy", 1.0), ("enhanced", 4.0)):
            scores = {"si_sdr_db": si_sdr_db + k / 10}
            failed = {"pesq": "too <short>"}
            quality = Quality(scene, condition, "ok", scores=scores, failed=failed, lag=int(k == 3))
            trial.qualities.append(quality)
    return trial


@pytest.fixture
def summary(trial: Trial) -> Summary:
    scenes = list({hearing.scene.id: hearing.scene for hearing in trial.hearings}.values())
    setting = Setting(
        listeners={"enhanced": "abc"},
        judges={"first": "abc", "second": "def"},
        choices=[Choice("first", "enhanced", 0.0, {0.0: 0.2, 0.5: 0.3})],
        draws=1000,
    )
    return summarise(trial, scenes, setting)


@pytest.fixture
def comparison() -> Comparison:
    """Three systems on sixty utterances of two speakers; two of them are equal."""
    systems = []
    for name, wrong in (("good", 1), ("same", 1), ("poor & <bad>", 5)):
        answers = []
        for number in range(60):
            said = [f"w{index}" for index in range(8)]
            heard = ["x"] * (number % (wrong + 1)) + said[number % (wrong + 1) :]
            fields = {"speaker": f"s{number % 2}"}
            answers.append(Answer(f"u{number}", " ".join(heard), " ".join(said), fields))
        systems.append(System.of(name, answers, Path(name), "jsonl"))
    return compare_systems(systems, references_of(systems), ComparisonSetting(draws=1000), ["none"])
