from __future__ import annotations

import io
import sys
import types

import pytest
from rich.console import Console

from ctcasr.records import record_from
from ctcasr.show import watch
from ctcasr.show.live import LiveView, NotebookView


def paper(**options) -> tuple[Console, io.StringIO]:
    page = io.StringIO()
    return Console(file=page, width=80, **options), page


@pytest.mark.parametrize("terminal", [False, True])
def test_every_record_passes_through_unchanged(records, terminal):
    console, _ = paper(force_terminal=terminal)
    assert all(a is b for a, b in zip(watch(iter(records), console=console), records, strict=True))


def test_plain_lines_have_a_step_every_ten_seconds_and_all_the_rest(records):
    console, page = paper(force_terminal=False)
    list(watch(records, console=console))
    text = page.getvalue()
    lines = text.splitlines()
    assert "\x1b" not in text
    steps = [
        line for line in lines if "  loss " in line and "dev" not in line and "  epoch " in line
    ]
    assert len(steps) == 6  # 60 s of run
    assert len({line.index("  lr ") for line in steps}) == 1  # columns stay where they are
    for what, times in (
        ("check  ", 6),
        ("epoch  train loss", 6),
        ("gradient-not-finite  ", 1),
        ("verdict  learning", 1),
    ):
        assert sum(f"  {what}" in line for line in lines) == times, what
    assert "(a, b)" in text and "(d)" in text  # utterances that the message does not name
    for part in (
        "1 234 567 parameters",
        "'é' x 3",
        "train.jsonl:17: not JSON",
        "3.0 GiB",
        "WER    5.0%",
        "learning",
    ):
        assert part in text, part


def test_live_view_draws_and_ends_with_the_summary(records):
    console, page = paper(force_terminal=True)
    list(watch(records, console=console))
    text = page.getvalue()
    assert "\x1b[" in text and "epoch 6 of 6" in text and "on the dev part" in text


@pytest.mark.parametrize("height", [22, 24, 40])
def test_the_cure_is_seen_however_low_the_terminal(records, cause, height):
    check = next(record for record in records if record.kind == "check")
    told = {**check.as_json(), "verdict": {"state": "stuck", "causes": [cause]}}
    console, page = paper(force_terminal=True, height=height)
    view = LiveView(console)
    for record in (*records[:-1], record_from(told)):
        view.add(record)
    drawn = page.getvalue().rpartition("three layers")[2]
    assert cause["cure"] in drawn and "parameters" in drawn
    assert len(drawn.splitlines()) <= height


def test_live_view_says_first_what_is_planned_and_the_memory_it_takes(records):
    console, page = paper(force_terminal=True, color_system=None)
    list(watch(records, console=console))
    plan, _, _ = page.getvalue().partition("╭")
    for part in ("plan: 6 epochs, 60 steps", "3.0 GiB", "train.jsonl:17: not JSON"):
        assert part in plan, part


def test_plain_can_be_forced_on_a_terminal(records):
    console, page = paper(force_terminal=True, color_system=None)
    list(watch(records, plain=True, console=console))
    assert "╭" not in page.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_an_error_of_the_run_passes_and_the_view_is_closed(records, terminal):
    def failing():
        yield from records[:20]
        raise KeyboardInterrupt

    console, page = paper(force_terminal=terminal)
    with pytest.raises(KeyboardInterrupt):
        list(watch(failing(), console=console))
    assert "trained" in page.getvalue() and "of 60 steps" in page.getvalue()


def test_a_run_closed_early_closes_its_records(records):
    closed = []

    def source():
        try:
            yield from records
        finally:
            closed.append(True)

    watched = watch(source(), console=paper()[0])
    next(watched)
    watched.close()
    assert closed


def test_a_view_that_cannot_write_does_not_stop_the_run(records):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError("the terminal has gone")

    for terminal in (False, True):
        console = Console(file=Gone(), force_terminal=terminal, width=80)
        assert len(list(watch(records, console=console))) == len(records)


def test_letters_that_the_log_lacks_are_escaped(records):
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii"), width=80)
    list(
        watch(
            [
                *records[:3],
                record_from({"kind": "event", "step": 3, "reason": "note", "message": "日本 é"}),
            ],
            console=console,
        )
    )
    console.file.flush()
    assert b"\\u65e5\\u672c \\xe9" in raw.getvalue()


def test_notebook_updates_one_output(records, monkeypatch):
    shown = []
    display = types.ModuleType("IPython.display")
    display.HTML = str  # type: ignore[attr-defined]

    class Handle:
        def update(self, page):
            shown.append(("update", page))

    def show(page, display_id):
        shown.append(("new", page))
        return Handle()

    display.display = show  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    view = NotebookView()
    for record in records:
        view.add(record)
    view.close()
    assert [what for what, _ in shown].count("new") == 1 and len(shown) > 6
    assert shown[-1][1].startswith("<pre") and "on the dev part" in shown[-1][1]
    assert all("3.0 GiB of memory" in page for _, page in shown)
