"""Pages are written as GitHub reads them; mkdocs reads some things otherwise."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^(\s*```)([\w-]*)[^\n]*$")
_CODE_WITH_BAR = re.compile(r"`([^`\n]*\\\|[^`\n]*)`")
_ITEM = re.compile(r"(- |\d+\. )")


def as_mkdocs_reads(markdown: str) -> str:
    r"""A page that mkdocs shows as GitHub does.

    Example:
        >>> print(as_mkdocs_reads("Two:\n- one\n- two\n```python plain\nx = 1\n```"))
        Two:
        <BLANKLINE>
        - one
        - two
        ```python
        x = 1
        ```
        >>> as_mkdocs_reads(r"| `a\|b` |")
        '| <code>a&#124;b</code> |'
    """
    lines: list[str] = []
    in_fence = False
    for line in markdown.split("\n"):
        fence = _FENCE.match(line)
        if fence:
            in_fence = not in_fence
            line = fence[1] + fence[2]
        elif not in_fence:
            line = _CODE_WITH_BAR.sub(_as_html, line)
            if _ITEM.match(line) and _ends_paragraph(lines):
                lines.append("")
        lines.append(line)
    return "\n".join(lines)


def _as_html(code: re.Match[str]) -> str:
    """Code in a cell of a table, whose bars are no borders."""
    text = code[1].replace("\\|", "&#124;").replace("<", "&lt;")
    return f"<code>{text}</code>"


def _ends_paragraph(lines: list[str]) -> bool:
    """Whether the last line is text that mkdocs would draw the list into."""
    if not lines or not lines[-1].strip():
        return False
    last = lines[-1]
    return not (last.startswith((" ", "|", "#", "```")) or _ITEM.match(last))
