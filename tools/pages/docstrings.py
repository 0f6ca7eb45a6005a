"""Docstrings for the reference: they are plain text, and their examples doctests; not Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^(\s*)Example:$", re.MULTILINE)


class PlainText(griffe.Extension):
    """Hands every docstring over as Markdown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for everything that is loaded."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """A docstring in Google's style as the reader of that style knows it.

    Shapes such as [runs][U] are no links.
    """
    lines = _EXAMPLE.sub(r"\1Examples:", text).split("\n")
    return "\n".join(line if ">>> " in line else line.replace("][", "]\\[") for line in lines)
