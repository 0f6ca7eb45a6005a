"""`ctcasr compare` as it is used: result files in, tables and a page out."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ctcasr.cli import main
from ctcasr.commands.compare import columns_of
from ctcasr.compare.results import label_of

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


def test_runs_are_called_by_what_tells_their_paths_apart(results: Path) -> None:
    for run in "ab":
        place = results / "runs" / run / "valid"
        place.mkdir(parents=True)
        bad = (results / "bad.jsonl").read_bytes()
        (place / "hypotheses.jsonl").write_bytes(bad)
    files = [str(results / "runs" / run / "valid" / "hypotheses.jsonl") for run in "ab"]
    flags = ["--reference", str(results / "ref"), "--out", str(results / "out")]
    assert main(["compare", *files, *flags, "--draws", "1000"]) == 0
    found = json.loads((results / "out" / "scores.json").read_text(encoding="utf-8"))
    assert [row["system"] for row in found["systems"]] == ["a", "b"]


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


def test_the_utterances_that_are_written_give_the_same_numbers(results: Path) -> None:
    first = compare(results)
    written = results / "out" / "utterances.csv"
    again = results / "again"
    command = ["compare", str(written), "--out", str(again), "--draws", "1000"]
    assert main([*command, "--normaliser", "none"]) == 0
    second = json.loads((again / "scores.json").read_text("utf-8"))
    assert [row["wer"] for row in second["systems"]] == [row["wer"] for row in first["systems"]]
    for name in ("difference", "interval_95", "better"):
        assert second["pairs"][0][name] == first["pairs"][0][name]


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


def test_what_is_in_no_rate_is_counted_and_named(results: Path) -> None:
    references = (results / "ref").read_text("utf-8")
    references = references.replace("\ns1_01\t", "\ns1_01\t... !\nlost\t")
    (results / "ref").write_text(references + "nobody\twas here\n", encoding="utf-8")
    with (results / "bad.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": "stray", "hypothesis": "bin"}) + "\n")
    remarks = compare(results)["remarks"]
    assert "B: 1 of 41 results have no reference and are in no rate (stray)" in remarks
    assert any("2 of 42 references have no result of any system" in one for one in remarks)
    assert any("1 references hold no word as they are scored" in one for one in remarks)


def test_an_infinite_snr_is_a_group_of_its_own(results: Path) -> None:
    lines = []
    for number, line in enumerate((results / "ref").read_text("utf-8").splitlines()):
        snr_db: object = "inf" if number % 5 == 0 else number
        lines.append(json.dumps({"id": line.split("\t")[0], "snr_db": snr_db}))
    (results / "m.jsonl").write_text("\n".join(lines), encoding="utf-8")
    groups = compare(results, "--manifest", str(results / "m.jsonl"))["strata"]["snr_db"]
    sizes = {name: group["pairs"][0]["utterances"] for name, group in groups.items()}
    assert sizes.pop("inf") == 8 and sum(sizes.values()) == 32 and len(sizes) == 4


def test_nothing_that_was_there_is_written_over(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(results)
    compare(results)  # its own files are
    out = results / "out"
    files = [f"A={results / 'good.trn'}", f"B={out / 'utterances.csv'}", "--out", str(out)]
    assert main(["compare", *files]) == 1
    assert "would be written over" in capsys.readouterr().err
    (out / "scores.json").write_text('{"wer": 0.1}', encoding="utf-8")
    files[1] = f"B={results / 'bad.jsonl'}"
    assert main(["compare", *files, "--reference", str(results / "ref")]) == 1
    assert "holds what ctcasr evaluate has scored" in capsys.readouterr().err
    assert (out / "scores.json").read_text("utf-8") == '{"wer": 0.1}'


@pytest.mark.parametrize("points", ["nan", "0", "-1", "inf", "1e9", "100.1"])
def test_points_to_find_are_some(
    results: Path, capsys: pytest.CaptureFixture[str], points: str
) -> None:
    files = [str(results / "good.trn"), str(results / "bad.jsonl"), "--out", str(results / "out")]
    assert main(["compare", *files, f"--find={points}"]) == 1
    told = capsys.readouterr().err
    assert "--find: expected points of WER, more than 0 and at most 100; got" in told


def test_brackets_and_colons_in_names_are_no_markup(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [f"[bold]={results / 'good.trn'}", f":cat:={results / 'bad.jsonl'}"]
    more = ["--reference", str(results / "ref"), "--out", str(results / "out")]
    assert main(["compare", *files, *more]) == 0
    printed = capsys.readouterr().out
    assert "[bold]" in printed and ":cat:" in printed


def test_an_incomplete_system_is_compared_on_what_it_has(results: Path) -> None:
    lines = (results / "bad.jsonl").read_text("utf-8").splitlines()
    (results / "bad.jsonl").write_text("\n".join(lines[:31]), encoding="utf-8")
    found = compare(results)
    assert found["pairs"][0]["utterances"] == 31
    assert "compared on 31 of 40 utterances" in found["statement"]
    assert "31 of 40" in (results / "out" / "table.tex").read_text("utf-8")
