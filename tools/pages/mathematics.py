"""Formulas as MathML, which browsers draw by themselves: no script, nothing loaded.

In a page a formula stands as GitHub reads it: a block fenced by ```math, or $`...`$ in a line.
"""

from __future__ import annotations

import re

_BLOCK = re.compile(r"^```math\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"\$`(.+?)`\$", re.DOTALL)


def with_mathematics(markdown: str) -> str:
    """A page whose formulas are MathML.

    Raises:
        ImportError: without latex2mathml, where there is a formula.
    """
    markdown = _BLOCK.sub(lambda match: _mathml(match[1], display="block"), markdown)
    return _INLINE.sub(lambda match: _mathml(match[1], display="inline"), markdown)


def _mathml(latex: str, display: str) -> str:
    from latex2mathml.converter import convert

    element: str = convert(latex.strip(), display=display)
    if display == "inline":
        return element
    return f'<div class="formula">{element}</div>\n'
