"""Everyday choices: the recipe takes every answer, and what is finished is only read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctcasr.front import SpecAugment
from ctcasr.recognise.spec import read_spec
from tools.study import practice


def settings(out: Path, **more: object) -> practice.Settings:
    return practice.Settings(train="t.jsonl", valid="v.jsonl", out=str(out), **more)  # type: ignore[arg-type]


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The flags of every training; a training writes its scores at once."""
    called: list[list[str]] = []

    def train(flags: list[str]) -> None:
        called.append(flags)
        out = Path(flags[flags.index("--out") + 1])
        (out / "valid").mkdir(parents=True)
        errors = 2 if "--warp" in flags else 3
        row = {"substitutions": errors, "deletions": 0, "insertions": 0, "total": 10}
        lines = [json.dumps(row)] * 20
        (out / "valid" / "hypotheses.jsonl").write_text("\n".join(lines), encoding="utf-8")
        scores = json.dumps({"wer": errors / 10, "cer": 0.1})
        (out / "valid" / "scores.json").write_text(scores, encoding="utf-8")
        check = {
            "kind": "check", "step": 3, "epoch": 1, "time_s": 60.0, "loss": 1.0, "best": True,
            "metrics": {"wer": 0.25, "cer": 0.1}, "samples": [], "report": {}, "evidence": {},
        }  # fmt: skip
        (out / "records.jsonl").write_text(json.dumps(check) + "\n", encoding="utf-8")

    monkeypatch.setattr(practice.recognise, "main", train)
    return called


def test_no_two_answers_share_a_folder() -> None:
    names = [name for answers in practice.QUESTIONS.values() for name in answers]
    assert len({*names, practice.PLAIN}) == len(names) + 1


def test_every_answer_is_taken_by_the_recipe() -> None:
    for answers in practice.QUESTIONS.values():
        for name, answer in answers.items():
            flags = ["--train", "t.jsonl"]
            for flag, value in answer.changes.items():
                flags += [f"--{flag}", value] if value else [f"--{flag}"]
            parsed = practice.parse(practice.recognise.Settings, flags)
            read_spec(parsed.net)
            SpecAugment.parse(parsed.masks, parsed.warp)
            assert answer.changes, name


def test_answers_are_trained_once_compared_with_the_default_and_cost_the_same(
    trainings: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--train", "t.jsonl", "--valid", "v.jsonl", "--out", str(tmp_path), "--epochs", "8"]
    flags += ["--questions", "talkers", "--answers", "vocal tract +-12 %;CR-CTC"]
    practice.main(flags)
    told = capsys.readouterr().out
    epochs = [call[call.index("--epochs") + 1] for call in trainings]
    assert epochs == ["8", "8", "4"]
    assert "| as it is | not reached | 25 | 30 | 10 | 1 |  |" in told
    assert "| vocal tract +-12 % | not reached | 25 | 20 | 10 | 1 | -10.0 [-10.0, -10.0] |" in told
    practice.main(flags)
    assert len(trainings) == 3 and capsys.readouterr().out == told


def test_a_question_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--questions: expected some of front, "):
        practice.wanted(settings(tmp_path), "fronts")
