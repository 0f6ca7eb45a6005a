"""`ctcasr doctor` as a user sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctcasr.cli import main
from ctcasr.doctor.finding import SLUGS

Make = Callable[..., Any]


def test_exit_status_is_zero_for_a_healthy_corpus_and_one_where_training_would_be_hurt(
    healthy: Make, capsys: Any
) -> None:
    corpus = healthy(12)
    assert main(["doctor", str(corpus.write())]) == 0
    assert "Ready to train." in capsys.readouterr().out
    corpus.raw("{broken")
    assert main(["doctor", str(corpus.write())]) == 1
    out = capsys.readouterr().out
    assert "broken-line" in out and "13" in out and "would be hurt" in out


def test_words_are_doubted_on_request(healthy: Make, capsys: Any) -> None:
    path = str(healthy(12).write())
    assert main(["doctor", path, "--doubt"]) == 0
    assert "words-not-doubted" in capsys.readouterr().out  # so few are said often enough
    assert main(["doctor", "--run", path, "--doubt"]) == 1
    assert "--doubt is about a manifest" in capsys.readouterr().err


def test_json_has_a_fixed_shape_and_nothing_beside_it(healthy: Make, capsys: Any) -> None:
    corpus = healthy(12)
    corpus.raw("{broken")
    assert main(["doctor", str(corpus.write()), "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {
        "manifest",
        "against",
        "lines",
        "utterances",
        "listened",
        "seconds",
        "speakers",
        "frame_s",
        "slack",
        "findings",
        "hurts",
    }
    (finding,) = result["findings"]
    assert set(finding) == {"slug", "severity", "message", "cure", "lines", "figures"}
    assert (finding["slug"], finding["severity"], finding["lines"]) == (
        "broken-line",
        "error",
        [13],
    )
    assert (
        result["hurts"] is True
        and result["slack"]["utterances"] == 12
        and result["frame_s"] == pytest.approx(0.04)
    )


def test_the_network_decides_how_many_frames_there_are(
    healthy: Make, capsys: Any, tmp_path: Path
) -> None:
    manifest = healthy(6).write()
    least = []
    for net in ("default", "report_v_gru"):  # stride 4 and none
        main(["doctor", str(manifest), "--net", net, "--json"])
        least.append(json.loads(capsys.readouterr().out)["slack"]["least"])
    assert least[1] > 3 * least[0]


def test_a_user_is_told_what_to_hand_over(capsys: Any, tmp_path: Path) -> None:
    assert main(["doctor"]) == 1
    assert "--run" in capsys.readouterr().err
    assert main(["doctor", str(tmp_path / "none.jsonl")]) == 1
    assert "none.jsonl" in capsys.readouterr().err


def test_every_slug_is_explained_in_the_manual() -> None:
    root = Path(__file__).resolve().parents[2]
    manual = (root / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert not {slug for slug in SLUGS if f"`{slug}`" not in manual}


def test_the_audit_needs_enough_lines_and_says_so(
    healthy: Make, capsys: Any, tmp_path: Path
) -> None:
    out = ["--audit-out", str(tmp_path / "audit")]
    assert main(["doctor", str(healthy(12).write()), "--audit", "5s", *out]) == 1
    assert "lines together" in capsys.readouterr().err


def test_what_cannot_be_audited_is_told_before_anything_is_read(
    healthy: Make, capsys: Any, tmp_path: Path
) -> None:
    manifest = str(healthy(3).write())
    for flags, told in (
        (["--audit", "soon"], "expected a time"),
        (["--audit", ""], "expected a time"),
        (["--audit", "0s"], "expected a time"),
        (["--audit", "5s", "--checkpoint", "c.pt"], "networks of its own"),
    ):
        assert main(["doctor", manifest, *flags, "--audit-out", str(tmp_path / "a")]) == 1
        printed = capsys.readouterr()
        assert told in printed.err and printed.out == ""


def test_json_has_what_was_found_before_the_audit_stopped(
    healthy: Make, capsys: Any, tmp_path: Path
) -> None:
    out = ["--audit-out", str(tmp_path / "audit")]
    assert main(["doctor", str(healthy(12).write()), "--audit", "5s", "--json", *out]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["hurts"] is False
    assert "by a checkpoint" in printed.err


@pytest.mark.parametrize(
    "flags",
    [
        ["--json"],
        ["--against", "no.jsonl"],
        ["--sample", "3"],
        ["--net", "deep"],
        ["--text", "pieces:60"],
        ["--audit", "15m"],
    ],
)
def test_flags_about_a_manifest_are_refused_with_a_run(
    tmp_path: Path, capsys: Any, flags: list[str]
) -> None:
    assert main(["doctor", "--run", str(tmp_path), *flags]) == 1
    told = capsys.readouterr().err
    assert f"{flags[0]} is about a manifest, before training; got --run" in told


@pytest.mark.parametrize(
    "flags", [["--audit-out", "a"], ["--checkpoint", "c.pt", "--digits", "spell"]]
)
def test_flags_that_would_mean_nothing_are_refused(
    healthy: Make, capsys: Any, flags: list[str]
) -> None:
    assert main(["doctor", str(healthy(3).write()), *flags]) == 1
    assert flags[-2] in capsys.readouterr().err


def test_words_of_their_own_are_symbols_as_in_training(
    folder: Any, make_babble: Make, capsys: Any
) -> None:
    for seed in range(8):
        folder.add(make_babble(0.3, seed), text="seventeen hundred")
    slugs = []
    for flags in ([], ["--text", "words:4"]):
        main(["doctor", str(folder.write()), "--json", *flags])
        findings = json.loads(capsys.readouterr().out)["findings"]
        slugs.append({finding["slug"] for finding in findings})
    by_letters, by_words = slugs
    assert "too-few-frames" in by_letters and "too-few-frames" not in by_words


@pytest.mark.parametrize("flags", [["--sample", "-1"], ["--workers", "0"]])
def test_less_than_nothing_is_refused(healthy: Make, capsys: Any, flags: list[str]) -> None:
    assert main(["doctor", str(healthy(3).write()), *flags]) == 1
    assert f"{flags[0]}: expected" in capsys.readouterr().err
