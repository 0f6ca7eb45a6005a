"""How far a long command is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

BETWEEN_LINES_S = 30.0  # where there is no terminal

Report = Callable[[int, int], None]  # how many are done, of how many


@contextmanager
def progress_bar(title: str) -> Iterator[Report]:
    """Yields report(done, total)."""
    if not sys.stderr.isatty():
        yield Lines(title)
        return
    plain_title = title.replace("{", "{{").replace("}", "}}")  # the name of a file may hold some
    columns = (
        TextColumn(plain_title, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report


@dataclass
class Lines:
    """A line on standard error every half minute; none for what is done sooner.

    What is left is reckoned from the first report on: other work may have come before it.
    """

    title: str
    clock: Callable[[], float] = time.monotonic
    started: float = field(init=False)
    last: float = field(init=False)
    first_report: tuple[float, int] | None = None  # when it came, and how many were done

    def __post_init__(self) -> None:
        self.started = self.clock()
        self.last = self.started

    def __call__(self, done: int, total: int) -> None:
        now = self.clock()
        if self.first_report is None:
            self.first_report = (now, done)
        if now - self.last < BETWEEN_LINES_S or not 0 < done <= total:
            return
        self.last = now
        passed_s = now - self.started
        first_s, first_done = self.first_report
        left = ""
        if done > first_done:
            left_s = (now - first_s) * (total - done) / (done - first_done)
            left = f", about {_clock(left_s)} left"
        line = f"{self.title}: {done} of {total}, {_clock(passed_s)} passed{left}"
        print(line, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    """Minutes and seconds: 12:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
