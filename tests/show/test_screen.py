from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from ctcasr.diagnose import Verdict
from ctcasr.records import record_from
from ctcasr.show.run_view import RunView
from ctcasr.show.screen import screen, verdict_text
from ctcasr.show.units import percent


def drawn(view: RunView, width: int) -> list[str]:
    page = io.StringIO()
    Console(file=page, width=width, force_terminal=True, color_system=None).print(
        screen(view, width)
    )
    return page.getvalue().splitlines()


@pytest.mark.parametrize("width", [50, 80, 120, 200])
def test_every_line_fits_at_every_moment(records, width):
    view = RunView()
    for record in records:
        view.add(record)
        assert all(cell_len(line) <= width for line in drawn(view, width))


def test_the_panel_keeps_its_height_between_checks(records):
    view, heights = RunView(), {}
    for record in records:
        view.add(record)
        if record.kind == "step" and record.step > 10:
            heights[record.step] = len(drawn(view, 80))
    assert len(set(heights.values())) == 1


def test_all_that_matters_is_there(records, cause):
    check = next(r for r in records if r.kind == "check")
    told = {
        **check.as_json(),
        "step": 60,
        "verdict": {"state": "stuck", "causes": [cause, {**cause, "slug": "shuffled"}]},
    }
    view = RunView.of([*records[:-1], record_from(told)])
    text = "\n".join(drawn(view, 80))
    for part in (
        "epoch 6 of 6",
        "three layers",
        "1 234 567 parameters",
        "60 of 60",
        "1.0e-03",
        "20 s audio per s",
        "25 %",
        f" {percent(view.mean('blank_mass'))} ",
        " 60 % ",
        "wins 97 %",
        "bin [red] at f   two",
        "bin red   f  two two",
        "2 infeasible",
        "1 step skipped",
        "stuck",
        "rate-too-high",
        "ratio 0.4",
        "a tenth of it",
        "or: shuffled",
    ):
        assert part in text, part


def test_nothing_known_is_no_error():
    assert drawn(RunView(), 80)
    assert drawn(
        RunView.of(
            [
                record_from({"kind": kind, "step": 1})
                for kind in ("start", "step", "check", "epoch", "event")
            ]
        ),
        80,
    )


def test_another_task_has_its_own_figures():
    view = RunView.of(
        [
            record_from(
                {"kind": "check", "step": 5, "si_sdr_db": 9.13, "accuracy": 0.5, "best": True}
            )
        ]
    )
    text = "\n".join(drawn(view, 80))
    assert "si sdr db 9.13, accuracy 50.0 % at step 5" in text


def test_a_release_is_foretold_only_where_waiting_is_the_advice():
    waits = Verdict("plateau: wait", step=180, release_step=540, estimated=True)
    trouble = Verdict("trouble", step=180, release_step=540, estimated=True)
    left = Verdict("learning", step=900, release_step=540)
    assert verdict_text(waits).plain == "plateau: wait (about until step 540)"
    assert verdict_text(trouble).plain == "trouble"
    assert verdict_text(left).plain == "learning"


def test_an_event_tells_its_reason():
    event = {"kind": "event", "step": 42, "reason": "interrupted", "message": "by SIGINT"}
    text = "\n".join(drawn(RunView.of([record_from(event)]), 80))
    assert "step 42, interrupted: by SIGINT" in text
