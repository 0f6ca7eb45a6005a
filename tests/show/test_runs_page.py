"""The page about several runs: a row and a curve for each, whatever they recorded."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from ctcasr.records import CheckRecord, Record, StartRecord, StepRecord
from ctcasr.show.run_page import write_page
from ctcasr.show.runs_page import find_runs, write_runs_page


def write(folder: Path, records: list[Record]) -> None:
    folder.mkdir(parents=True)
    lines = [json.dumps(record.as_json()) for record in records]
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def records(wer: float, metric: str = "wer") -> list[Record]:
    return [
        StartRecord(step=0, network="<net>", parameters=1234, steps=40),
        StepRecord(step=10, loss=5.0, lr=0.1, time_s=60.0),
        StepRecord(step=20, loss=4.0, lr=0.1, time_s=120.0),
        CheckRecord(step=20, loss=3.0, best=True, metrics={metric: wer}, time_s=125.0),
    ]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write(tmp_path / "plain", records(0.5))
    write(tmp_path / "deep" / "cure & care", records(0.25))
    (tmp_path / "plain" / "doctor.html").write_text("", encoding="utf-8")
    return tmp_path


def labels(html: str) -> list[list[str]]:
    """The names of the curves of each chart."""
    found = []
    for data in re.findall(r'data-chart="([^"]*)"', html):
        found.append([curve["label"] for curve in json.loads(unescape(data))["curves"]])
    return found


def test_every_run_is_a_row_and_a_curve(runs: Path) -> None:
    path = write_runs_page(runs)
    html = path.read_text(encoding="utf-8")
    assert path == runs / "runs.html"
    for part in ("20 of 40", "50.0 %", "25.0 %", "1 234", "&lt;net&gt;", "cure &amp; care"):
        assert part in html, part
    assert "lowest WER on a dev part: deep/cure &amp; care" in html and "4:10" in html
    assert all(names == ["deep/cure & care", "plain"] for names in labels(html))
    assert len(labels(html)) == 4, "dev loss, train loss, WER, learning rate"


def test_scores_of_validation_parts_stand_in_a_column_of_their_own(runs: Path) -> None:
    (runs / "plain" / "valid").mkdir()
    scores = runs / "plain" / "valid" / "scores.json"
    scores.write_text('{"wer": 0.1352}', encoding="utf-8")
    html = write_runs_page(runs).read_text(encoding="utf-8")
    assert "WER, validation part" in html and "13.5 %" in html
    page = write_page(runs / "plain").read_text(encoding="utf-8")
    assert "13.5 %" in page and "WER on the validation part" in page
    scores.write_text("broken", encoding="utf-8")
    assert "validation part" not in write_runs_page(runs).read_text(encoding="utf-8")


def test_links_lead_to_pages_that_are_there(runs: Path) -> None:
    html = write_runs_page(runs).read_text(encoding="utf-8")
    links = [link for link in re.findall(r'href="([^"]*)"', html) if not link.startswith("#")]
    assert links == ["data:,", "plain/doctor.html"]
    assert not re.search(r"https?://|url\(|@import|src=", html)


def test_runs_of_different_tasks_stand_in_one_table(tmp_path: Path) -> None:
    write(tmp_path / "a", records(0.5))
    write(tmp_path / "b", records(9.0, metric="si_sdr"))
    write(tmp_path / "c", [StartRecord(step=0)])
    html = write_runs_page(tmp_path).read_text(encoding="utf-8")
    assert "WER, best check" in html and "si sdr, best check" in html
    assert ["a"] in labels(html) and ["b"] in labels(html)


def test_many_runs_are_told_apart(tmp_path: Path) -> None:
    for index in range(18):
        write(tmp_path / f"run{index:02d}", records(0.5))
    html = write_runs_page(tmp_path).read_text(encoding="utf-8")
    chart = html.split('aria-label="WER"')[1].split("</svg>")[0]
    assert len(set(re.findall(r'<path class="(curve[^"]*)"', chart))) == 18


def test_linked_runs_are_there_and_a_link_to_a_folder_above_is_no_loop(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "run", records(0.5))
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "linked").symlink_to(tmp_path / "elsewhere" / "run")
    (tmp_path / "all" / "loop").symlink_to(tmp_path / "all")
    (tmp_path / "all" / "odd" / "records.jsonl").mkdir(parents=True)
    assert [run.name for run in find_runs(tmp_path / "all")] == ["linked"]


def test_a_run_itself_is_its_only_run(runs: Path) -> None:
    assert [run.name for run in find_runs(runs / "plain")] == ["plain"]


def test_no_run_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected folders of runs"):
        write_runs_page(tmp_path)


def test_rates_close_to_nothing_cannot_break_the_page(tmp_path: Path) -> None:
    write(tmp_path / "good", records(0.0001))
    (tmp_path / "good" / "valid").mkdir()
    scores = tmp_path / "good" / "valid" / "scores.json"
    scores.write_text(json.dumps({"wer": 0.0002}), encoding="utf-8")
    html = write_runs_page(tmp_path).read_text(encoding="utf-8").partition("<script>")[0]
    assert html.count("&lt;0.1 %") >= 2
    assert not re.search(r"<(?![a-zA-Z/!])", html)


def test_the_run_of_the_folder_itself_leads_to_the_page_beside(tmp_path: Path) -> None:
    write(tmp_path / "mine", records(0.5))
    page = write_page(tmp_path / "mine")
    html = write_runs_page(tmp_path / "mine").read_text(encoding="utf-8")
    (address,) = re.findall(r'<a href="([^"#]+)">mine</a>', html)
    assert tmp_path / "mine" / address == page
