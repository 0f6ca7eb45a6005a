"""What came of a run, as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from ctcasr.show.records import number
from ctcasr.show.run_view import RunView, metrics_of
from ctcasr.show.screen import left_out, score, verdict_text
from ctcasr.show.units import clock, count, percent, short
from ctcasr.show.words import compare


def summary(story: RunView, width: int = 80) -> Table:
    """Results, what they cost, and three transcripts: the last thing that a run shows."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    network = str(story.start.get("network") or "")
    if network:
        table.add_row(
            "network", Text(f"{network}, {count(number(story.start.get('parameters')))} parameters")
        )
    steps = f" of {count(story.steps)}" if story.steps and story.step < story.steps else ""
    speed = (
        f", {short(story.audio_s / story.time_s)} s of audio per second"
        if story.time_s and story.audio_s
        else ""
    )
    table.add_row(
        "trained",
        f"{count(story.step)}{steps} steps, {story.epoch} epochs in {clock(story.time_s)}{speed}",
    )
    if story.mean("loss") is not None:
        table.add_row(
            "loss", f"{short(story.first_loss)} at first, {short(story.mean('loss'))} at last"
        )
    for name, check in (("best", story.best), ("last", story.check)):
        if check is not None and metrics_of(check):
            scores = ", ".join(
                f"{key.upper() if key in ('wer', 'cer') else key} {score(key, value)}"
                for key, value in metrics_of(check)
            )
            table.add_row(name, Text(f"{scores} on the dev part, at step {count(check['step'])}"))
    if story.mean("blank_mass") is not None:
        table.add_row(
            "blank",
            f"model {percent(story.mean('blank_mass'))} of its mass, "
            f"targets ask for {percent(story.mean('blank_expected'))}",
        )
    if left_out(story):
        table.add_row("left out", Text(left_out(story)))
    if story.verdict is not None:
        table.add_row("verdict", verdict_text(story.verdict))
    for sample in (story.check or {}).get("samples", ())[:3]:
        if isinstance(sample, Mapping):
            above, below = compare(
                str(sample.get("reference") or ""), str(sample.get("hypothesis") or ""), width - 12
            )
            table.add_row("reference", above)
            table.add_row(Text("heard", style="not bold"), below)
    return table
