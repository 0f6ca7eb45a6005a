"""`watch`: passes a run's records through and shows the run meanwhile, in the way that suits the place."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from rich.console import Console, RenderableType
from rich.live import Live

from ctcasr.show.plain import PlainLines
from ctcasr.show.records import RecordLike
from ctcasr.show.run_summary import summary
from ctcasr.show.run_view import RunView
from ctcasr.show.screen import WIDEST, screen

R = TypeVar("R", bound=RecordLike)
DRAW_S = (
    0.5  # a step redraws the live view at most this often: calm to the eye, nothing to the clock
)


class View(Protocol):
    """A place that shows records."""

    def add(self, record: RecordLike) -> None: ...
    def close(self) -> None: ...


def watch(
    records: Iterable[R], *, plain: bool | None = None, console: Console | None = None
) -> Iterator[R]:
    """Pass every record through and show the run: live on a terminal or in a notebook, else (or if `plain`) as lines.

    A view that fails to write (a terminal that has gone) is dropped; the records go on.
    """
    view: View | None = _view(plain, console or Console())
    try:
        for record in records:
            if view is not None:
                try:
                    view.add(record)
                except OSError:
                    view = None
            yield record
    finally:
        if view is not None:
            with suppress(OSError):
                view.close()


def _view(plain: bool | None, console: Console) -> View:
    if plain is None:
        if console.is_jupyter:
            return NotebookView()
        # The bars and histories need Unicode; a terminal of an old code page gets lines.
        plain = (
            not console.is_terminal
            or console.is_dumb_terminal
            or not console.encoding.startswith("utf")
        )
    return PlainView(console) if plain else LiveView(console)


class PlainView:
    """Lines, one below the other."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.plain = PlainLines()

    def add(self, record: RecordLike) -> None:
        for line in self.plain.lines(record):
            self._print(line)

    def close(self) -> None:
        if self.plain.story.step:
            width = max(80, self.console.width)
            page = io.StringIO()
            paper = Console(
                file=page, width=width, color_system=None, force_terminal=False, force_jupyter=False
            )
            paper.print(summary(self.plain.story, width))
            for line in page.getvalue().splitlines():
                self._print(line.rstrip())

    def _print(self, line: str) -> None:
        # A transcript in letters that the log's encoding lacks must not end a run of hours.
        line = line.encode(self.console.encoding, "backslashreplace").decode(self.console.encoding)
        self.console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


class LiveView:
    """A panel that stays in place on a terminal, and the summary below it at the end."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.story = RunView()
        # No thread of its own: it would take the interpreter from the training, and read the story while it changes.
        self.live = Live(console=console, auto_refresh=False, get_renderable=self._draw)
        self._drawn = float("-inf")

    def _draw(self) -> RenderableType:
        return screen(self.story, self.console.width)

    def add(self, record: RecordLike) -> None:
        self.story.add(record)
        if record.kind == "step" and time.monotonic() - self._drawn < DRAW_S:
            return
        if not self.live.is_started:
            self.live.start()
        self.live.refresh()
        self._drawn = time.monotonic()

    def close(self) -> None:
        self.live.stop()
        if self.story.step:
            self.console.print(summary(self.story, self.console.width))


class NotebookView:
    """One output of a notebook cell, updated in place."""

    def __init__(self) -> None:
        self.story = RunView()
        self.handle: Any = None
        self._drawn = float("-inf")

    def add(self, record: RecordLike) -> None:
        self.story.add(record)
        if record.kind != "step" or time.monotonic() - self._drawn >= DRAW_S:
            self._show(screen(self.story, WIDEST - 20))

    def close(self) -> None:
        if self.story.step:
            self._show(screen(self.story, WIDEST - 20), summary(self.story, WIDEST - 20))

    def _show(self, *parts: RenderableType) -> None:
        from IPython.display import HTML, display

        page = HTML(as_html(*parts))
        if self.handle is None:
            self.handle = display(page, display_id=True)
        else:
            self.handle.update(page)
        self._drawn = time.monotonic()


def as_html(*parts: RenderableType, width: int = WIDEST - 20) -> str:
    """What a terminal of `width` columns would show, as one HTML element that needs nothing else."""
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
    style = "font-family:Menlo,'DejaVu Sans Mono',Consolas,monospace;font-size:13px;line-height:1.25;white-space:pre"
    return paper.export_html(inline_styles=True, code_format=f'<pre style="{style}">{{code}}</pre>')
