from __future__ import annotations

import sys

import pytest

from ctcasr.records import record_from
from ctcasr.show.curves import draw_run, release_step, smooth

pytest.importorskip("matplotlib")
PNG = b"\x89PNG"


def names(paths):
    assert all(path.read_bytes().startswith(PNG) for path in paths)
    return [path.name for path in paths]


def test_a_run_has_three_pictures(records, write_run):
    run = write_run(records)
    assert names(draw_run(run)) == ["loss.png", "wer.png", "blank.png"]
    assert names(draw_run(run)) == ["loss.png", "wer.png", "blank.png"]  # over the old ones


def test_what_has_no_numbers_has_no_picture(write_run):
    assert draw_run(write_run([record_from({"kind": "start", "step": 0})])) == []
    assert names(draw_run(write_run([record_from({"kind": "step", "step": 1, "loss": 2.0})]))) == [
        "loss.png"
    ]
    checks = [record_from({"kind": "check", "step": k, "wer": 0.0, "best": True}) for k in range(3)]
    assert names(draw_run(write_run(checks))) == ["wer.png"]


def test_odd_numbers_do_no_harm(write_run):
    steps = [
        record_from(
            {"kind": "step", "step": k, "loss": x, "blank_mass": x, "grad_norm": 0.0, "lr": None}
        )
        for k, x in enumerate([1.0, "nan", -3.0, None, 0.0])
    ]
    events = [
        record_from({"kind": "event", "step": 2, "what": what})
        for what in ("resumed", "skipped-step", "early-stop")
    ]
    checks = [record_from({"kind": "check", "step": 4, "wer": 3.5, "dev_loss": 0.0})]
    assert names(draw_run(write_run(steps + events + checks))) == [
        "loss.png",
        "wer.png",
        "blank.png",
    ]


def test_without_matplotlib_the_extra_is_named(records, write_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"ctcasr\[plot\]"):
        draw_run(write_run(records))


def test_release_is_for_good():
    def release(*cers):
        return release_step(
            [
                record_from({"kind": "check", "step": 10 * k, "cer": cer})
                for k, cer in enumerate(cers)
            ]
        )

    assert release(0.9, 0.8, 0.5, 0.4) == 10
    assert release(0.7, 0.9, 0.7, 0.7, 0.7) == 20
    assert release(0.9, 0.7, 0.7) is None and release() is None


def test_smoothing_keeps_constants_and_length():
    assert smooth([2.0] * 500) == pytest.approx([2.0] * 500)
    assert smooth([]) == [] and smooth([1.0, 5.0]) == [1.0, 5.0]
