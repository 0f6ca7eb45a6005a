"""`ctcasr compare` as it is used: result files in, tables and a page out."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ctcasr.cli import main
from ctcasr.commands.compare import columns_of, label_of

WORDS = ["bin", "lay", "place", "set", "blue", "green", "red", "white"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """good.trn, bad.jsonl and the references in ref.stm-like text; 40 sentences of 4 speakers."""
    rng = random.Random(0)
    references = []
    good = []
    bad = []
    for number in range(40):
        name = f"s{number % 4}_{number:02d}"
        words = [rng.choice(WORDS) for _ in range(6)]
        references.append(f"{name}\t{' '.join(words)}")
        good.append(f"{' '.join(words[1:] if number % 8 == 0 else words)} ({name})")
        bad.append(json.dumps({"id": name, "hypothesis": " ".join(words[number % 4 :])}))
    (tmp_path / "ref").write_text("\n".join(references) + "\n", encoding="utf-8")
    (tmp_path / "good.trn").write_text("\n".join(good) + "\n", encoding="utf-8")
    (tmp_path / "bad.jsonl").write_text("\n".join(bad) + "\n", encoding="utf-8")
    return tmp_path


def compare(folder: Path, *flags: str) -> dict[str, Any]:
    files = [f"A={folder / 'good.trn'}", f"B={folder / 'bad.jsonl'}"]
    reference = ["--reference", str(folder / "ref"), "--out", str(folder / "out")]
    assert main(["compare", *files, *reference, "--draws", "1000", *flags]) == 0
    found: dict[str, Any] = json.loads((folder / "out" / "scores.json").read_text("utf-8"))
    return found


def test_files_of_different_tools_are_compared(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compare(results)
    rates = {row["system"]: row["wer"] for row in found["systems"]}
    assert rates == {"A": pytest.approx(5 / 240), "B": pytest.approx(60 / 240)}
    (pair,) = found["pairs"]
    assert pair["better"] == "A"
    assert pair["ranked"] == "speaker", "the speakers stand in the names of the .trn"
    written = {path.name for path in (results / "out").iterdir()}
    assert written == {"scores.json", "utterances.csv", "pairs.csv", "table.tex", "page.html"}
    assert "first better" in capsys.readouterr().out


def test_a_manifest_brings_strata_and_blocks(results: Path) -> None:
    lines = []
    for number in range(40):
        noise = f"noise{number % 12}"
        lines.append(json.dumps({"id": f"s{number % 4}_{number:02d}", "text": "", "noise": noise}))
    (results / "m.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    manifest = ["--manifest", str(results / "m.jsonl")]
    found = compare(results, *manifest, "--strata", "noise", "--block", "noise")
    assert (found["unit"], found["units"]) == ("noise", 12)
    assert len(found["strata"]["noise"]) == 12


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--normaliser", "nobody"], "normaliser: expected none, ctcasr"),
        (["--without", "C"], "'C' is none of"),
        (["--only", "good"], "at least two systems"),
        (["--block", "room"], "--block room: expected a field"),
        (["--columns", "text=x"], "--columns: expected id or"),
        (["--draws", "10"], "draws: expected at least 1000"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    results: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    files = [str(results / "good.trn"), str(results / "bad.jsonl")]
    reference = ["--reference", str(results / "ref"), "--out", str(results / "out")]
    assert main(["compare", *files, *reference, *flags]) == 1
    assert message in capsys.readouterr().err


def test_names_of_systems_and_columns() -> None:
    assert label_of("Whisper tiny=a/b.trn") == ("Whisper tiny", "a/b.trn")
    assert columns_of("id=uid, hypothesis=asr") == {"id": "uid", "hypothesis": "asr"}


def test_enhancers_are_compared_with_each_other_by_rows_of_score_enhanced(tmp_path: Path) -> None:
    lines = ["scene,part,recogniser,condition,status,reference,hypothesis,noise"]
    heard = {"clean": "one two", "noisy": "x x", "mask": "one x"}
    for number in range(30):
        for judge in ("R1", "R2"):
            for condition, text in heard.items():
                lines.append(f"S{number},test,{judge},{condition},ok,one two,{text},n{number % 3}")
    rows = tmp_path / "rows.csv"
    rows.write_text("\n".join(lines) + "\n", encoding="utf-8")
    flags = ["--only", "R1: *", "--without", "*: clean", "--draws", "1000"]
    assert main(["compare", str(rows), "--out", str(tmp_path / "out"), *flags]) == 0
    found = json.loads((tmp_path / "out" / "scores.json").read_text(encoding="utf-8"))
    (pair,) = found["pairs"]
    assert (pair["first"], pair["second"], pair["better"]) == ("R1: noisy", "R1: mask", "R1: mask")
    assert set(found["strata"]) == {"noise"}
