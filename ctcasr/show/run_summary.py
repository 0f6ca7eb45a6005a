"""What came of a run, as a table."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from ctcasr.show.records import metrics_of, number, samples_of
from ctcasr.show.run_view import RunView
from ctcasr.show.screen import SAMPLES, left_out, metrics_text, verdict_text
from ctcasr.show.units import clock, count, percent, short
from ctcasr.show.words import compare

_LABEL = 12  # cells that the labels take


def summary(view: RunView, width: int = 80) -> Table:
    """Results, what they cost, and three transcripts: the last thing that a run shows."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in _facts(view):
        table.add_row(label, value)
    if view.verdict is not None:
        table.add_row("verdict", verdict_text(view.verdict))
        for sentence in view.verdict.unmeasured:
            table.add_row("", Text(sentence, style="dim"))
        if view.verdict.last_word:
            table.add_row("in short", Text(" ".join(view.verdict.last_word)))
    samples = [] if view.check is None else samples_of(view.check)[:SAMPLES]
    for sample in samples:
        above, below = compare(sample.reference, sample.hypothesis, width - _LABEL)
        table.add_row("reference", above)
        table.add_row(Text("heard", style="not bold"), below)
    return table


def _facts(view: RunView) -> list[tuple[str, Text]]:
    """(label, text) of the network, the training, the scores and what was left out."""
    facts = []
    if view.start.network:
        parameters = count(number(view.start.parameters))
        facts.append(("network", f"{view.start.network}, {parameters} parameters"))
    facts.append(("trained", _trained(view)))
    loss = view.mean("loss")
    if loss is not None:
        facts.append(("loss", f"{short(view.first_loss)} at first, {short(loss)} at last"))
    for label, check in (("best", view.best), ("last", view.check)):
        if check is not None and metrics_of(check):
            scores = metrics_text(metrics_of(check))
            facts.append((label, f"{scores} on the dev part, at step {count(check.step)}"))
    blank_mass = view.mean("blank_mass")
    if blank_mass is not None:
        asked = percent(view.mean("blank_expected"))
        facts.append(("blank", f"model {percent(blank_mass)} of its mass, targets ask for {asked}"))
    if left_out(view):
        facts.append(("left out", left_out(view)))
    return [(label, Text(text)) for label, text in facts]


def _trained(view: RunView) -> str:
    """Steps, epochs, time and speed."""
    steps = count(view.step)
    if view.steps and view.step < view.steps:
        steps += f" of {count(view.steps)}"
    text = f"{steps} steps, {view.epoch} epochs in {clock(view.time_s)}"
    if view.time_s and view.audio_s:
        text += f", {short(view.audio_s / view.time_s)} s of audio per second"
    return text
