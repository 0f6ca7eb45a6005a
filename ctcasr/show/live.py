"""`watch`: passes a run's records through and shows the run, in the way that suits the place."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any, Protocol, TypeVar

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from ctcasr.records import Record, StartRecord, StepRecord
from ctcasr.show.plain import PlainLines, start_lines
from ctcasr.show.run_summary import summary
from ctcasr.show.run_view import RunView
from ctcasr.show.screen import SAMPLES, WIDEST, screen
from ctcasr.show.terminal import TextConsole, print_line, printable

DRAW_S = 0.5  # a step redraws the view at most this often: calm to the eye, nothing to the clock
_NOTEBOOK = WIDEST - 20  # columns of a view in a notebook
_LINES = 80  # columns that a summary in a log has at least
_CELL_STYLE = (
    "font-family:Menlo,'DejaVu Sans Mono',Consolas,monospace;"
    "font-size:13px;line-height:1.25;white-space:pre"
)

_GONE = (OSError, SystemExit)  # rich leaves the program where the pipe of a console is closed

R = TypeVar("R", bound=Record)


class View(Protocol):
    """A place that shows records."""

    def add(self, record: Record) -> None:
        """Show one more record."""

    def close(self) -> None:
        """Show what came of the run."""


def watch(
    records: Iterable[R], *, plain: bool | None = None, console: Console | None = None
) -> Iterator[R]:
    """Pass every record through and show the run meanwhile.

    Live on a terminal or in a notebook, else (or if `plain`) as lines. A view that fails to write
    (a terminal that has gone, a pipe that is closed) is dropped; the records go on.

    Example:
        >>> from ctcasr.records import EpochRecord
        >>> paper = Console(width=80, force_terminal=False, force_jupyter=False)
        >>> epoch = EpochRecord(step=0, train_loss=2.0, seconds=3.0, time_s=3.0)
        >>> _ = list(watch([epoch], console=paper))
        0:03  epoch  1  step     0  epoch  train loss    2.00   took 0:03
    """
    view: View | None = _view(plain, console or TextConsole())
    try:
        for record in records:
            if view is not None:
                try:
                    view.add(record)
                except _GONE:
                    view = None
            yield record
    finally:
        if view is not None:
            with suppress(*_GONE):
                view.close()


def _view(plain: bool | None, console: Console) -> View:
    if plain is None:
        if console.is_jupyter:
            return NotebookView()
        # The bars and histories need Unicode; a terminal of an old code page gets lines.
        unicode = console.encoding.startswith("utf")
        plain = not console.is_terminal or console.is_dumb_terminal or not unicode
    return PlainView(console) if plain else LiveView(console)


class PlainView:
    """Lines, one below the other."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.plain = PlainLines()

    def add(self, record: Record) -> None:
        """The lines that a record is worth."""
        for line in self.plain.lines(record):
            print_line(self.console, line)

    def close(self) -> None:
        """The summary, if a step was made."""
        if not self.plain.view.step:
            return
        width = max(_LINES, self.console.width)
        page = io.StringIO()
        paper = Console(
            file=page, width=width, color_system=None, force_terminal=False, force_jupyter=False
        )
        paper.print(summary(self.plain.view, width))
        for line in page.getvalue().splitlines():
            print_line(self.console, line.rstrip())


class LiveView:
    """What is planned, a panel that stays in place below it, and the summary at the end."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.view = RunView()
        # No thread of its own: it would take the interpreter from the training, and read the view
        # while it changes.
        self.live = Live(console=console, auto_refresh=False, get_renderable=self._draw)
        self._drawn_s = float("-inf")

    def _draw(self) -> RenderableType:
        """The panel, with fewer transcripts where it would be too high: the cure stands last."""
        width = self.console.width
        for samples in range(SAMPLES, 0, -1):
            panel = screen(self.view, width, samples)
            if len(self.console.render_lines(panel)) <= self.console.height:
                return panel
        return screen(self.view, width, samples=0)

    def add(self, record: Record) -> None:
        """Take a record in, and draw the panel where that is due."""
        self.view.add(record)
        if isinstance(record, StartRecord):
            for line in start_lines(record):
                print_line(self.console, line)
        if isinstance(record, StepRecord) and time.monotonic() - self._drawn_s < DRAW_S:
            return
        if not self.live.is_started:
            self.live.start()
        self.live.refresh()
        self._drawn_s = time.monotonic()

    def close(self) -> None:
        """Leave the panel, and print the summary below it."""
        self.live.stop()
        if self.view.step:
            self.console.print(summary(self.view, self.console.width))


class NotebookView:
    """One output of a notebook cell, updated in place."""

    def __init__(self) -> None:
        self.view = RunView()
        self.plan: list[Text] = []
        self.handle: Any = None
        self._drawn_s = float("-inf")

    def add(self, record: Record) -> None:
        """Take a record in, and draw the panel where that is due."""
        self.view.add(record)
        if isinstance(record, StartRecord):
            self.plan = [Text(printable(line)) for line in start_lines(record)]
        if not isinstance(record, StepRecord) or time.monotonic() - self._drawn_s >= DRAW_S:
            self._show(*self.plan, screen(self.view, _NOTEBOOK))

    def close(self) -> None:
        """The panel with the summary below it."""
        if self.view.step:
            self._show(*self.plan, screen(self.view, _NOTEBOOK), summary(self.view, _NOTEBOOK))

    def _show(self, *parts: RenderableType) -> None:
        notebook: Any = import_module("IPython.display")  # which has no types
        page = notebook.HTML(as_html(*parts))
        if self.handle is None:
            self.handle = notebook.display(page, display_id=True)
        else:
            self.handle.update(page)
        self._drawn_s = time.monotonic()


def as_html(*parts: RenderableType, width: int = _NOTEBOOK) -> str:
    """What a terminal of `width` columns would show, as one HTML element."""
    paper = Console(
        file=io.StringIO(),
        record=True,
        width=width,
        force_terminal=True,
        force_jupyter=False,
        color_system="truecolor",
        legacy_windows=False,
    )
    paper.print(*parts, sep="\n")
    cell = f'<pre style="{_CELL_STYLE}">{{code}}</pre>'
    return paper.export_html(inline_styles=True, code_format=cell)
