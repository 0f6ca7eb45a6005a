"""The console that everything is printed on: any text, on any terminal, into any pipe."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from rich.console import Console

PIPE_WIDTH = 160  # columns of a table where no terminal says how many there are


class TextConsole(Console):
    """A console that tells of a closed pipe as files do, instead of leaving the program.

    Brackets and colons in the names of users are no markup.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, **options})

    def on_broken_pipe(self) -> NoReturn:
        """Hand on the error that rich would turn into SystemExit.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError("nobody reads the output any more")


def table_width() -> int | None:
    """The width for tables: that of the terminal (None), or a wide one where there is none."""
    return None if sys.stdout.isatty() else PIPE_WIDTH


def printable(text: str, encoding: str = "utf-8") -> str:
    """`text` as it can be written: letters that the encoding lacks are escaped.

    So are the surrogates that stand for broken bytes in a file's name, in any encoding.

    Example:
        >>> print(printable("caf\\u00e9 \\u65e5", "latin-1"))
        café \\u65e5
    """
    return text.encode(encoding, "backslashreplace").decode(encoding)


def print_line(console: Console, line: str) -> None:
    """Print a line as it is, whatever its letters: none of them may end a run of hours."""
    text = printable(line, console.encoding)
    console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)
