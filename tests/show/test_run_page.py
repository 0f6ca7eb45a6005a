"""The page about a run: complete, self-contained, and safe whatever the records hold."""

from __future__ import annotations

import copy
import json
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ctcasr.show import write_page
from ctcasr.show.runs_page import write_runs_page


def run(
    tmp_path: Path, *, released: bool = True, verdicts: bool = True, posteriors: bool = True
) -> Path:
    lines: list[dict[str, Any]] = [
        {
            "kind": "start",
            "step": 0,
            "network": "three layers",
            "parameters": 12345,
            "steps": 100,
            "epochs": 10,
        }
    ]
    for step in range(1, 101):
        lines.append(
            {
                "kind": "step",
                "step": step,
                "loss": 100.0 - step / 2,
                "lr": 1e-3,
                "grad_norm": 2.0,
                "blank_mass": 0.9,
                "blank_expected": 0.8,
                "blank_argmax": 0.95,
            }
        )
        if step % 10 == 0:
            sample: dict[str, Any] = {
                "id": "u<1>",
                "reference": "bin blue",
                "hypothesis": "bin" if step > 50 else "",
            }
            if posteriors:
                sample |= {"blank": [0.9, 0.2, 1.0], "spikes": [[1, "b", 0.8]]}
            check: dict[str, Any] = {
                "kind": "check",
                "step": step,
                "loss": 80.0 - step / 2,
                "wer": 0.9,
                "best": True,
                "cer": 0.5 if released and step >= 60 else 0.95,
                "samples": [sample],
            }
            if verdicts:
                causes = (
                    [
                        {
                            "slug": "rate-too-high",
                            "evidence": "0.4 & more",
                            "cure": "a <tenth>",
                            "step": step,
                        }
                    ]
                    if step > 80
                    else []
                )
                check["verdict"] = {
                    "state": "trouble" if causes else "plateau: wait",
                    "causes": causes,
                }
                check["evidence"] = {"dev": {"deaf": 61.0, "own": 50.0, "other": 70.0, "nll": 50.0}}
            lines.append(check)
    lines.append(
        {
            "kind": "event",
            "step": 7,
            "reason": "infeasible",
            "message": "2 left out: <a>",
            "ids": ["a", "b"],
        }
    )
    (tmp_path / "records.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
    )
    return tmp_path


class _Tags(HTMLParser):
    """Names and links of all elements; the elements that were never closed."""

    VOID = ("meta", "link", "br", "path", "rect", "circle", "i")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    path = write_page(run(tmp_path))
    text = path.read_text(encoding="utf-8")
    tags = _Tags(text)
    assert path == tmp_path / "doctor.html" and not tags.open
    assert tags.links and all(link == "data:," or link.startswith("#") for link in tags.links)
    assert {f'id="{link[1:]}"' in text for link in tags.links if link != "data:,"} == {True}
    assert not re.search(r"https?://|url\(|@import", text)


def test_the_page_tells_verdict_evidence_cure_and_release(tmp_path: Path) -> None:
    text = write_page(run(tmp_path)).read_text(encoding="utf-8")
    for told in (
        "rate-too-high",
        "0.4 &amp; more",
        "a &lt;tenth&gt;",
        "release, step 60",
        "best model that does not listen",
        "with the sound of another utterance",
        "10 to 80",
        "90 to 100",
        'class="raster"',
        "u&lt;1&gt;",
        "&lt;a&gt;",
    ):
        assert told in text, told
    assert "<tenth>" not in text and "u<1>" not in text


@pytest.mark.parametrize("without", ["released", "verdicts", "posteriors"])
def test_what_was_not_recorded_is_left_out(tmp_path: Path, without: str) -> None:
    text = write_page(run(tmp_path, **{without: False})).read_text(encoding="utf-8")
    assert ("release, step" in text) == (without != "released")
    assert ("recorded no verdict" in text) == (without == "verdicts")
    assert ('class="raster"' in text) == (without != "posteriors")


def test_a_run_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text('{"kind": "start", "step": 0}\n', encoding="utf-8")
    assert not _Tags(write_page(tmp_path).read_text(encoding="utf-8")).open
    with pytest.raises(FileNotFoundError):
        write_page(tmp_path / "nowhere")


@pytest.mark.filterwarnings("ignore:.*not a record")
def test_a_page_is_written_whatever_stands_in_the_records(tmp_path: Path) -> None:
    lines = (run(tmp_path) / "records.jsonl").read_text(encoding="utf-8").splitlines()
    whole = [json.loads(line) for line in lines]
    rng = random.Random(0)
    for _ in range(150):
        records = copy.deepcopy(whole)
        kind = rng.choice(["start", "step", "check", "event"])
        place: Any = rng.choice([record for record in records if record["kind"] == kind])
        while True:
            key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not (isinstance(place[key], dict | list) and place[key]) or rng.random() < 0.2:
                break
            place = place[key]
        if key != "kind":
            place[key] = rng.choice([None, "nan", "x", [], {}, -1, 1e308, True, [1], {"a": 1}])
        text = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / "records.jsonl").write_text(text, encoding="utf-8")
        write_page(tmp_path)
        write_runs_page(tmp_path)


def test_the_page_of_a_file_of_records_lies_beside_it(tmp_path: Path) -> None:
    assert write_page(run(tmp_path) / "records.jsonl") == tmp_path / "doctor.html"


def test_scores_of_training_rows_are_not_said_to_be_of_a_dev_part(tmp_path: Path) -> None:
    check = {"kind": "check", "step": 20, "cer": 0.5, "best": True, "on_training_rows": 1.0}
    (tmp_path / "records.jsonl").write_text(json.dumps(check) + "\n", encoding="utf-8")
    text = write_page(tmp_path).read_text(encoding="utf-8")
    assert "best CER on training rows, at step 20" in text
    assert "on training rows</" not in text  # no metric of its own


def test_suspects_are_listed_and_escaped(tmp_path: Path) -> None:
    folder = run(tmp_path)
    epoch = {"kind": "epoch", "step": 100, "suspects": [{"line": "t.jsonl:3 (<b>)", "loss": 7.5}]}
    with open(folder / "records.jsonl", "a", encoding="utf-8") as records:
        records.write(json.dumps(epoch) + "\n")
    page = write_page(folder).read_text(encoding="utf-8")
    assert "Wrong transcripts?" in page and "t.jsonl:3 (&lt;b&gt;)" in page and "7.50" in page
    (tmp_path / "other").mkdir()
    assert "Wrong transcripts?" not in write_page(run(tmp_path / "other")).read_text("utf-8")
