"""How dense a tree's pages are.

Syntax nodes a line, long lines, ternaries, tuple assignments, lengths of local names.

python tools/page_counts.py [FOLDER ...]            (default: ctcasr recipes tools)
python tools/page_counts.py --files 20 ctcasr       (and the densest files)
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LONG = 100  # columns from which on a line is long


@dataclass(frozen=True)
class PageCounts:
    """Counts of one file or tree; they add."""

    lines: int = 0  # that are neither blank nor a comment alone
    nodes: int = 0  # of the syntax tree
    long_lines: int = 0
    ternaries: int = 0
    tuple_assignments: int = 0
    local_names: int = 0  # each assigned name of each function once
    local_letters: int = 0

    def __add__(self, other: PageCounts) -> PageCounts:
        sums = {name: value + getattr(other, name) for name, value in vars(self).items()}
        return PageCounts(**sums)

    @property
    def nodes_per_line(self) -> float:
        """Syntax nodes a line; 0 for an empty tree."""
        return self.nodes / self.lines if self.lines else 0.0

    def per_thousand(self, count: int) -> float:
        """A count for every 1,000 lines."""
        return 1000 * count / max(self.lines, 1)

    def __str__(self) -> str:
        letters = self.local_letters / max(self.local_names, 1)
        return (
            f"{self.lines} lines, {self.nodes_per_line:.2f} nodes a line, "
            f"{self.per_thousand(self.long_lines) / 10:.1f} % beyond {LONG} columns, "
            f"per 1,000 lines {self.per_thousand(self.ternaries):.1f} ternaries and "
            f"{self.per_thousand(self.tuple_assignments):.1f} tuple assignments, "
            f"local names of {letters:.2f} letters"
        )


def count(source: str) -> PageCounts:
    """The counts of one file's text; SyntaxError where it is no Python."""
    nodes = list(ast.walk(ast.parse(source)))
    lines = 0
    long_lines = 0
    for line in source.splitlines():
        text = line.strip()
        lines += bool(text) and not text.startswith("#")
        long_lines += len(line) > LONG
    names: list[str] = []
    for node in nodes:
        names.extend(local_names(node))
    return PageCounts(
        lines=lines,
        nodes=len(nodes),
        long_lines=long_lines,
        ternaries=sum(isinstance(node, ast.IfExp) for node in nodes),
        tuple_assignments=sum(is_tuple_assignment(node) for node in nodes),
        local_names=len(names),
        local_letters=sum(len(name) for name in names),
    )


def local_names(node: ast.AST) -> set[str]:
    """The names that a function assigns, its arguments not among them; none of any other node."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return set()
    names = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            names.add(inner.id)
    return names - {"_"}  # which says that it names nothing


def is_tuple_assignment(node: ast.AST) -> bool:
    """Whether a node is `a, b = x, y`, several thoughts in one line; unpacking a value is none."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
        return False
    return any(isinstance(target, ast.Tuple) for target in node.targets)


def python_files(folders: Iterable[Path]) -> Iterator[Path]:
    """All Python files in folders, in order; a file stands for itself."""
    for folder in folders:
        if folder.is_file():
            yield folder
        else:
            yield from sorted(folder.rglob("*.py"))


def main(argv: list[str] | None = None) -> None:
    """Print the counts."""
    summary = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument(
        "--files", type=int, default=0, metavar="N", help="name the N densest files"
    )
    arguments = parser.parse_args(argv)
    folders = arguments.folders or [Path("ctcasr"), Path("recipes"), Path("tools")]
    missing = [str(folder) for folder in folders if not folder.exists()]
    if missing:
        parser.error(f"expected files or folders; there is no {', '.join(missing)} here")
    by_file = {}
    for path in python_files(folders):
        by_file[path] = count(path.read_text(encoding="utf-8"))
    densest = sorted(by_file, key=lambda path: -by_file[path].nodes_per_line)
    for path in densest[: arguments.files]:
        print(f"{path}: {by_file[path]}")
    print(sum(by_file.values(), PageCounts()))


if __name__ == "__main__":
    main()
