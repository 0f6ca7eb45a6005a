"""The run as plain lines, for logs and pipes: ASCII but for messages, and columns that stay where they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ctcasr.show.records import RecordLike, number
from ctcasr.show.run_view import RunView, metrics_of
from ctcasr.show.units import binary, clock, count, percent, rate, short

EVERY_S = 10.0  # a step has a line at most this often, by the clock of the records


class PlainLines:
    """Turns records into lines; a step makes one now and then, every other kind always."""

    def __init__(self) -> None:
        self.story = RunView()
        self._last_s: float | None = None
        self._verdict: object = None

    def lines(self, record: RecordLike) -> list[str]:
        """The lines that `record` is worth, maybe none."""
        self.story.add(record)
        data = record.data
        if record.kind == "step":
            if self._last_s is not None and self.story.time_s - self._last_s < EVERY_S:
                return []
            self._last_s = self.story.time_s
            return [self._line("", step_columns(self.story))]
        if record.kind == "start":
            return start_lines(data)
        if record.kind == "check":
            return [self._line("check", check_columns(data)), *self._new_verdict(data)]
        if record.kind == "epoch":
            took = number(data.get("seconds"))
            return [
                self._line(
                    "epoch",
                    f"train loss {short(number(data.get('train_loss'))):>7}   took {clock(took)}",
                )
            ]
        if record.kind == "event":
            return [
                self._line(
                    str(data.get("what") or "event"), f"{data.get('message') or ''}{named(data)}"
                )
            ]
        return []

    def _line(self, what: str, columns: str) -> str:
        story = self.story
        steps = str(story.steps or "")
        place = f"{story.step:>{max(5, len(steps))}}" + (f"/{steps}" if steps else "")
        epochs = str(story.epochs or "")
        epoch = f"{story.epoch:>{max(2, len(epochs))}}" + (f"/{epochs}" if epochs else "")
        return f"{clock(story.time_s):>8}  epoch {epoch}  step {place}  {what and what + '  '}{columns}".rstrip()

    def _new_verdict(self, check: Mapping[str, Any]) -> list[str]:
        verdict = check.get("verdict")
        if not isinstance(verdict, Mapping):
            return []
        causes = [cause for cause in verdict.get("causes") or () if isinstance(cause, Mapping)]
        key = (verdict.get("state"), tuple(cause.get("slug") for cause in causes))
        if key == self._verdict:
            return []
        self._verdict = key
        told = [f"{c.get('slug')}: {c.get('evidence')}; cure: {c.get('cure')}" for c in causes]
        return [self._line("verdict", "  ".join([str(verdict.get("state") or ""), *told]))]


def step_columns(story: RunView) -> str:
    """Means over the recent steps, each behind its name."""
    mean, left = story.mean, story.left_s
    lr = number(story.now.get("lr"))
    columns = f"loss {short(mean('loss')):>7}  lr {rate(lr):>7}  grad {short(mean('grad_norm')):>7}"
    if story.speed is not None:
        columns += f"  audio/s {story.speed:>5.1f}  wait {_tight(story.waiting):>4}"
    if mean("blank_mass") is not None:
        columns += (
            f"  blank {_tight(mean('blank_mass')):>4} asked {_tight(mean('blank_expected')):>4}"
        )
    return columns + ("" if left is None else f"  left {clock(left)}")


def _tight(share: float | None, digits: int = 0) -> str:
    return percent(share, digits).replace(" ", "")


def check_columns(check: Mapping[str, Any]) -> str:
    """The dev part's loss and figures, and whether they are the best so far."""
    columns = f"dev loss {short(number(check.get('dev_loss'))):>7}"
    for name, value in metrics_of(check):
        share = name in ("wer", "cer", "accuracy")
        columns += (
            f"  {name.upper() if share else name} {_tight(value, 1) if share else short(value):>7}"
        )
    return columns + ("  best" if check.get("best") else "")


def named(event: Mapping[str, Any]) -> str:
    """The utterances of an event that its message does not name, the first five."""
    ids = [
        str(i).partition(": ")[0] for i in event.get("ids") or ()
    ]  # an id may carry its reason behind a colon
    message = str(event.get("message"))
    ids = [i for i in ids if not re.search(rf"(?<!\w){re.escape(i)}(?!\w)", message)]
    more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
    return f" ({', '.join(ids[:5])}{more})" if ids else ""


def start_lines(start: Mapping[str, Any]) -> list[str]:
    """What is going to be trained, and what it is expected to take."""
    lines = [
        f"network: {start.get('network', '-')}, {count(number(start.get('parameters')))} parameters, on "
        f"{start.get('device', '-')}"
    ]
    train_s = number(start.get("train_seconds"))
    lines.append(
        f"plan: {start.get('epochs', '-')} epochs, {count(number(start.get('steps')))} steps"
        + ("" if train_s is None else f", {clock(train_s)} of audio in each epoch")
    )
    times = (("expected_epoch_s", "per epoch"), ("expected_total_s", "in all"))
    expected = [
        f"{clock(value)} {what}"
        for name, what in times
        if (value := number(start.get(name))) is not None
    ]
    memory = number(start.get("expected_memory_bytes"))
    expected += [f"{binary(memory)} of memory"] if memory is not None else []
    lines += [f"expected: {', '.join(expected)}"] if expected else []
    uncovered, skipped = start.get("uncovered"), start.get("skipped")
    if isinstance(uncovered, Mapping) and uncovered:
        worst = sorted(uncovered.items(), key=lambda item: -(number(item[1]) or 0))[:10]
        lines.append(
            "not in the alphabet: "
            + ", ".join(f"{character!r} x {times}" for character, times in worst)
            + (f" and {len(uncovered) - 10} more" if len(uncovered) > 10 else "")
        )
    if isinstance(skipped, list | tuple) and skipped:
        lines.append(f"left out of the manifest: {len(skipped)}")
        lines += [f"  {line}" for line in skipped[:5]]
        lines += [f"  and {len(skipped) - 5} more"] if len(skipped) > 5 else []
    return lines
