"""What came of a run, as a table."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from ctcasr.records import CheckRecord
from ctcasr.scoring.figures import plural
from ctcasr.show.records import metrics_of, number, samples_of
from ctcasr.show.run_view import RunView
from ctcasr.show.screen import LEFT_OUT, SAMPLES, left_out, metrics_text, verdict_text
from ctcasr.show.units import clock, count, percent, short
from ctcasr.show.words import compare

_LABEL = 12  # cells that the labels take
_SUSPECTS = 5  # lines that are named


def summary(view: RunView, width: int = 80) -> Table:
    """Results, what they cost, and three transcripts: the last thing that a run shows.

    Example:
        >>> from rich.console import Console
        >>> paper = Console(width=60, force_terminal=False, force_jupyter=False)
        >>> paper.print(summary(RunView(), 60))
        trained  0 steps, 1 epoch in 0:00
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in _facts(view):
        table.add_row(label, value)
    if view.verdict is not None:
        verdict = verdict_text(view.verdict)
        table.add_row("verdict", verdict)
        for sentence in view.verdict.unmeasured:
            unmeasured = Text(sentence, style="dim")
            table.add_row("", unmeasured)
        last_word = " ".join(view.verdict.last_word)
        if last_word:
            table.add_row("in short", Text(last_word))
    if view.check is not None:
        _add_samples(table, view.check, width - _LABEL)
    return table


def _add_samples(table: Table, check: CheckRecord, width: int) -> None:
    """Three hypotheses under their references, in `width` cells."""
    heard = Text("heard", style="not bold")
    samples = samples_of(check)
    shown = []
    for sample in samples[:SAMPLES]:
        reference, hypothesis = compare(sample.reference, sample.hypothesis, width)
        shown.append(hypothesis)
        table.add_row("reference", reference)
        table.add_row(heard, hypothesis)
    if any("*" in hypothesis.plain for hypothesis in shown):
        table.add_row("", Text("* stands for letters of words that are missing", style="dim"))


def _facts(view: RunView) -> list[tuple[str, Text]]:
    """(label, text) of the network, the training, the scores and what was left out."""
    facts = {
        "network": _network(view),
        "trained": _trained(view),
        "loss": _loss(view),
        "best": _scores(view.best),
        "last": _scores(view.check),
        "blank": _blank(view),
        "left out": _left_out(view),
        "suspects": _suspects(view),
    }
    return [(label, Text(text)) for label, text in facts.items() if text]


def _left_out(view: RunView) -> str:
    """What training did without, and one utterance of it with its reason."""
    named = set().union(*(view.left_out.get(reason, ()) for reason in LEFT_OUT))
    text = left_out(view)
    return f"{text}; among them {min(named)}" if named else text


def _suspects(view: RunView) -> str:
    """Lines whose transcripts may be wrong; empty where none stands out."""
    if not view.suspects:
        return ""
    named = ", ".join(suspect.line for suspect in view.suspects[:_SUSPECTS])
    more = len(view.suspects) - _SUSPECTS
    rest = f" and {more} more" if more > 0 else ""
    return f"wrong transcripts? {named}{rest} (ctcasr audit tells more)"


def _network(view: RunView) -> str:
    """The network and its size; empty where it is not known."""
    if not view.start.network:
        return ""
    parameters = count(number(view.start.parameters))
    return f"{view.start.network}, {parameters} parameters"


def _loss(view: RunView) -> str:
    """The training loss at both ends; empty without steps."""
    if view.mean("loss") is None:
        return ""
    first = short(view.first_loss)
    last = short(view.mean("loss"))
    began_at = view.began.step if view.began else 0
    moment = f"at step {count(began_at)}" if began_at else "at first"
    return f"{first} {moment}, {last} at last"


def _scores(check: CheckRecord | None) -> str:
    """The metrics of a check; empty without any."""
    metrics = [] if check is None else metrics_of(check)
    if check is None or not metrics:
        return ""
    step = count(check.step)
    return f"{metrics_text(metrics)} on {check.scored_on}, at step {step}"


def _blank(view: RunView) -> str:
    """The blank's share; empty where it is not known."""
    blank_mass = view.mean("blank_mass")
    if blank_mass is None:
        return ""
    mass = percent(blank_mass)
    asked = percent(view.mean("blank_expected"))
    return f"model {mass} of its mass, targets ask for {asked}"


def _trained(view: RunView) -> str:
    """Steps, epochs, time and speed."""
    steps = count(view.step)
    if view.steps and view.step < view.steps:
        steps += f" of {count(view.steps)}"
    time = clock(view.time_s)
    text = f"{steps} steps, {plural(view.epoch, 'epoch')} in {time}"
    if view.watched_s and view.audio_s:
        speed = short(view.audio_s / view.watched_s)
        text += f", {speed} s of audio per second"
    return text
